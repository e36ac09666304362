"""Row 8: kill -9, and what comes of it."""

import json
import os
import re
import subprocess
import time
from datetime import datetime

TITLE = "8. Crash: kill -9 of a worker with 100 messages in hand, another is started at once"

SENT = re.compile(r"^(\S+) \S+ event=sent id=(\S+) ")


def sent_in(log):
    """id -> Unix time in ms, of each message that a worker's log calls sent."""
    with open(log) as file:
        found = (SENT.match(line) for line in file)
        return {match[2]: datetime.fromisoformat(match[1].replace("Z", "+00:00")).timestamp() * 1000
                for match in found if match}


def run(bench):
    count, lease = 2000, "10s"
    options = ["--concurrency", "100", "--sim-latency", "50ms", "--lease", lease]
    bench.settings.update(messages=count, lease=lease, gateway_ms=50, concurrency=100, times=3,
                          twice="ids that both logs call sent; lines in the killed worker's memory are not counted")
    file = os.path.join(bench.redis.folder, "crash.jsonl")
    with open(file, "w") as lines:
        for number in range(count):
            lines.write(json.dumps({"to": f"+861380{number:07}", "text": "hi", "id": f"m{number}"}) + "\n")
    logs = [os.path.join(bench.redis.folder, name) for name in ("killed.log", "next.log")]

    def crash(names):
        for log in logs:
            if os.path.exists(log):
                os.remove(log)
        push = [bench.smsq, "push", "--redis", f"redis://127.0.0.1:{bench.redis.port}", "--file", file]
        if bench.run(*push, stdout=subprocess.DEVNULL).wait() != 0:
            raise RuntimeError("push failed")
        first = bench.worker(*options, "--name", names[0], log=logs[0])
        bench.wait_until(lambda: bench.sent() >= count // 4)
        first.kill()
        killed = time.time() * 1000
        first.wait()
        # What it had written into its socket, Redis may still carry out.
        bench.wait_until(lambda: "name=smsq-commands" not in bench.client("CLIENT", "LIST"))
        claimed = next(key for key in bench.client("KEYS", "{sms}:claimed:*"))
        held, waiting = (re.findall(r'"id": ?"(m\d+)"', " ".join(bench.client(*command)))
                         for command in (["HVALS", claimed], ["LRANGE", "sms", 0, -1]))
        second = bench.worker(*options, "--name", names[1], log=logs[1])
        bench.drained(count)
        time.sleep(0.3)
        bench.stop(second)
        before, after = sent_in(logs[0]), sent_in(logs[1])
        # Of what was settled before the kill Redis' counter tells: its last log lines were in the killed worker's memory.
        lost = (set(held) | set(waiting)) - set(after)
        if lost:
            raise RuntimeError(f"{len(lost)} messages were lost: {sorted(lost)[:10]}")
        again = min(after[name] for name in held)
        return (again - killed) / 1000, {"held": len(held), "sent_twice": len(set(before) & set(after)), "lost": 0}

    bench.compare("s", {
        "same --name: until the first held message is sent again": lambda: crash(["bench", "bench"]),
        "another name (none given): until the lease is over": lambda: crash(["one", "two"]),
    })
