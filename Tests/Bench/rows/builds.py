"""What a change does to a message: time on a core, for builds before and after it, which take turns.

    bench.py --rows builds --builds before=/tmp/smsq-before,after=.build/release/smsq SMSQ TOOLS

Time on a core moves with the machine: figures of different days do not compare, those of one run do, and best the least of
each, because what else the machine does only adds to them. The limit shows how much the machine itself has moved.
"""

import os

from tools import children_ms, cpu_ms

TITLE = "Builds: time on a core of all threads, without Redis' own"


def run(bench):
    count, times = (50_000, 3) if bench.quick else (500_000, 7)
    builds = dict(build.split("=", 1) for build in bench.options.builds.split(","))
    bench.settings.update(messages=count, bytes=120, concurrency=1000, times=times, builds=builds)
    url = f"redis://127.0.0.1:{bench.redis.port}"
    lines, log = os.path.join(bench.redis.folder, "messages.jsonl"), os.path.join(bench.redis.folder, "worker.log")
    bench.write_messages(lines, count)

    def limit():
        bench.fill(count)
        before = children_ms()
        bench.limit_drain()
        return (children_ms() - before) / count * 1e3

    def worker(smsq, log=None):
        bench.fill(count)
        process = bench.worker("--concurrency", "1000", log=log, smsq=smsq)
        bench.drained(count)
        used = cpu_ms(process.pid)
        bench.stop(process)
        if log:
            os.remove(log)
        return used / count * 1e3

    def push(smsq):
        before = children_ms()
        if bench.run(smsq, "push", "--redis", url, "--file", lines, stdout=-3).wait() != 0:
            raise RuntimeError("the file was not pushed")
        used = children_ms() - before
        if bench.client("LLEN", "sms") != count:
            raise RuntimeError("the file was not pushed as a whole")
        return used / count * 1e3

    for what, measure in (("worker, log off", worker), ("worker, log to a file", lambda smsq: worker(smsq, log)),
                          ("push --file", push)):
        sides = {f"{what}: {name}": lambda path=path, measure=measure: measure(path) for name, path in builds.items()}
        bench.compare("us/msg", {f"{what}: C, claims 256": limit, **sides} if measure != push else sides, times)
