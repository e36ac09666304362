"""Instructions a message, by valgrind: unlike time, about the same on every run, and however busy the machine is.

Two runs of different length; the difference between them is what the messages cost, without start and stop. Only user
space is counted, and only smsq: Redis runs as it always does. `make check-instructions` holds the least of the runs against
Tests/Bench/instructions.json: a worker that found fewer messages to claim at once takes more instructions for each.
"""

import json
import os
import re
import subprocess

TITLE = "Instructions a message, user space, counted by callgrind"


def run(bench):
    counts = (2_000, 12_000)
    times = 1 if bench.quick else 2
    bench.settings.update(messages=counts, bytes=120, concurrency=1000, times=times)
    folder, url = bench.redis.folder, f"redis://127.0.0.1:{bench.redis.port}"
    binary, lines = os.path.join(folder, "smsq"), os.path.join(folder, "messages.jsonl")
    # Valgrind 3.19 gives up on Swift's debug information.
    subprocess.run(["strip", "--strip-debug", "-o", binary, bench.smsq], check=True)
    # Kept beside the report, for callgrind_annotate: of each way the last and longest run.
    kept = os.path.dirname(bench.options.json) or "."
    os.makedirs(kept, exist_ok=True)
    out = None

    def counted(*command):
        return bench.run("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary, *command, "--redis", url,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def total():
        with open(out) as file:
            return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)[1])

    def worker(count, *options):
        bench.clear()
        bench.fill(count)
        # A lease that outlasts valgrind's slowness, so that no renewal or recovery comes in between.
        process = counted("worker", "--concurrency", "1000", "--lease", "300s", *options)
        bench.drained(count)
        bench.stop(process)
        return total()

    def push(count):
        bench.clear()
        bench.write_messages(lines, count)
        bench.clear()
        if counted("push", "--file", lines).wait() != 0 or bench.client("LLEN", "sms") != count:
            raise RuntimeError("the file was not pushed")
        # Here and not in the tests alone: those are built without optimization, and compilers have faults.
        ids = {json.loads(message)["id"] for message in bench.client("LRANGE", "sms", 0, -1)}
        if len(ids) != count:
            raise RuntimeError(f"{count} messages were pushed with {len(ids)} different ids")
        return total()

    for name, file, measure in (("worker, log off", "worker", lambda count: worker(count, "--log-level", "warning")),
                                ("worker, log on", "worker-log", worker), ("push --file", "push", push)):
        out = os.path.join(kept, f"callgrind.{file}")
        values = []
        for _ in range(times):
            few, many = (measure(count) for count in counts)
            values.append((many - few) / (counts[1] - counts[0]))
        bench.add(name, "instr/msg", values)
