"""Row 8: kill -9, and what comes of it."""

import json
import os
import random
import re
import subprocess
import time

TITLE = "8. Crash: kill -9 of a worker with 100 messages in hand, another is started at once"


def run(bench):
    count, lease, times = 2000, "10s", 5
    options = ["--concurrency", "100", "--sim-latency", "10ms..90ms", "--lease", lease]
    bench.settings.update(messages=count, lease=lease, gateway_ms="10 to 90", concurrency=100, times=times,
                          books="the gateway's own (--sim-ledger): a line for each message that it took, before it answers")
    file, ledger = (os.path.join(bench.redis.folder, name) for name in ("crash.jsonl", "ledger"))
    with open(file, "w") as lines:
        for number in range(count):
            lines.write(json.dumps({"to": f"+861380{number:07}", "text": "hi", "id": f"m{number}"}) + "\n")

    # By whether the name is the same.
    twice = {True: [], False: []}

    def taken():
        """(id, Unix time in ms) of each message that the gateway took, in that order."""
        with open(ledger) as books:
            return [(line.split()[0], int(line.split()[2]) / 1000) for line in books]

    def crash(names):
        open(ledger, "w").close()
        push = [bench.smsq, "push", "--redis", f"redis://127.0.0.1:{bench.redis.port}", "--file", file]
        if bench.run(*push, stdout=subprocess.DEVNULL).wait() != 0:
            raise RuntimeError("push failed")
        first = bench.worker(*options, "--sim-ledger", ledger, "--name", names[0])
        bench.wait_until(lambda: bench.sent() >= count // 4)
        # At any moment of its work, not at the one that was waited for.
        time.sleep(random.uniform(0, 0.05))
        first.kill()
        killed = time.time() * 1000
        first.wait()
        # What it had written into its socket, Redis may still carry out.
        bench.wait_until(lambda: "name=smsq-commands" not in bench.client("CLIENT", "LIST"))
        claimed = next(key for key in bench.client("KEYS", "{sms}:claimed:*"))
        held = set(re.findall(r'"id": ?"(m\d+)"', " ".join(bench.client("HVALS", claimed))))
        before = len(taken())
        second = bench.worker(*options, "--sim-ledger", ledger, "--name", names[1])
        bench.drained(count)
        time.sleep(0.3)
        bench.stop(second)
        books = taken()
        names_taken = [name for name, _ in books]
        lost = count - len(set(names_taken))
        if lost:
            raise RuntimeError(f"{lost} messages were lost")
        twice[names[0] == names[1]].append(len(names_taken) - count)
        again = min(at for name, at in books[before:] if name in held)
        return (again - killed) / 1000, {"held": len(held), "sent_twice": twice[names[0] == names[1]][-1], "lost": lost}

    bench.compare("s", {
        "same --name: until the first held message is sent again": lambda: crash(["bench", "bench"]),
        "another name (none given): until the lease is over": lambda: crash(["one", "two"]),
    }, times=times)
    for result in bench.results:
        result["notes"]["most_sent_twice"] = max(twice[result["what"].startswith("same")])
