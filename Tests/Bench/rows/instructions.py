"""The worker's instructions a message and a push's a line, by valgrind: unlike time, about the same on every run and machine.

Two drains, or two files, of different length; the difference between them is what the messages cost, without start and stop.
Only user space is counted, and only smsq: Redis runs as it always does.
"""

import os
import re
import subprocess

TITLE = "Instructions a message, user space, counted by callgrind"


def run(bench):
    counts = (2_000, 12_000) if bench.quick else (5_000, 25_000)
    bench.settings.update(messages=counts, bytes=120, concurrency=1000, times=3)
    out, binary = (os.path.join(bench.redis.folder, name) for name in ("callgrind", "smsq"))
    # Valgrind 3.19 gives up on Swift's debug information.
    subprocess.run(["strip", "-o", binary, bench.smsq], check=True)

    url = ["--redis", f"redis://127.0.0.1:{bench.redis.port}"]
    under_valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary]

    def start(*command):
        return bench.run(*under_valgrind, *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def counted():
        with open(out) as file:
            return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)[1])

    def drain(count, *options):
        bench.clear()
        bench.fill(count)
        # A lease that outlasts valgrind's slowness, so that no renewal or recovery comes in between.
        process = start("worker", *url, "--concurrency", "1000", "--lease", "300s", *options)
        bench.drained(count)
        bench.stop(process)
        return counted()

    def push(count):
        path = os.path.join(bench.redis.folder, "messages.jsonl")
        bench.write_messages(path, count)
        bench.clear()
        if start("push", *url, "--file", path).wait() != 0:
            raise RuntimeError("the file was not pushed")
        return counted()

    def note(what, unit, measure, *options):
        values = [(measure(counts[1], *options) - measure(counts[0], *options)) / (counts[1] - counts[0])
                  for _ in range(1 if bench.quick else 3)]
        bench.add(what, unit, values)

    note("worker, log off", "instr/msg", drain, "--log-level", "warning")
    note("worker, log on", "instr/msg", drain)
    note("push --file", "instr/line", push)
