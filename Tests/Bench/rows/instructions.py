"""The worker's instructions a message, by valgrind: unlike time, about the same on every run and every machine.

Two drains of different length; the difference between them is what the messages cost, without start and stop. Only user
space is counted, and of both only the worker: Redis runs as it always does.
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

    def instructions(count, *options):
        bench.clear()
        bench.fill(count)
        # A lease that outlasts valgrind's slowness, so that no renewal or recovery comes in between.
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary, "worker", "--redis",
                   f"redis://127.0.0.1:{bench.redis.port}", "--concurrency", "1000", "--lease", "300s", *options]
        process = bench.run(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        bench.drained(count)
        bench.stop(process)
        with open(out) as file:
            return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)[1])

    for name, options in (("log off", ["--log-level", "warning"]), ("log on", [])):
        values = [(instructions(counts[1], *options) - instructions(counts[0], *options)) / (counts[1] - counts[0])
                  for _ in range(1 if bench.quick else 3)]
        bench.add(f"worker, {name}", "instr/msg", values)
