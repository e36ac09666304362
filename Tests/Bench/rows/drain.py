"""Row 1: how fast one process empties a queue that is full already."""

import os
import time

from tools import children_ms, cpu_ms, memory_kb

TITLE = "1. Drain: messages of 120 bytes that wait already, one process, from its start to its last settlement"


def run(bench):
    count = 50_000 if bench.quick else 1_000_000
    concurrency = 1000
    log = os.path.join(bench.redis.folder, "worker.log")
    bench.settings.update(messages=count, bytes=120, concurrency=concurrency, claim=256)

    def measured(start, wait, stop, calls_a_trip=1):
        bench.fill(count)
        redis_cpu, calls = bench.redis.cpu_seconds(), bench.redis.calls()
        began = time.monotonic()
        process = start()
        own_cpu = wait(process)
        seconds = time.monotonic() - began
        used = bench.redis.cpu_seconds() - redis_cpu
        scripts = bench.redis.calls().get("evalsha", 0) - calls.get("evalsha", 0)
        notes = {"redis_us_a_message": used / count * 1e6, "messages_a_round_trip": count * calls_a_trip / max(scripts, 1)}
        if own_cpu is not None:
            notes["own_us_a_message"] = own_cpu / count * 1e3
        notes.update(stop(process) or {})
        return count / seconds, notes

    def limit():
        def wait(process):
            before = children_ms()
            if process.wait() != 0:
                raise RuntimeError("the limit program failed")
            return children_ms() - before

        return measured(lambda: bench.run(bench.limit, "drain", bench.redis.port, "sms", stdout=-3), wait, lambda _: None)

    def ours(concurrency, log=None):
        def wait(process):
            bench.drained(count)
            return cpu_ms(process.pid)

        def stop(process):
            notes = {"peak_mb": memory_kb(process.pid, "VmHWM") / 1024}
            bench.stop(process)
            if bench.sent() != count:
                raise RuntimeError(f"{bench.sent()} of {count} were sent")
            if log:
                with open(log, "rb") as file:
                    notes["log_lines"] = sum(1 for line in file if b" event=sent " in line)
                os.remove(log)
            return notes

        # One settles, one claims.
        return measured(lambda: bench.worker("--concurrency", concurrency, log=log), wait, stop, calls_a_trip=2)

    def one_by_one():
        few = count // 20
        bench.fill(few)
        began = time.monotonic()
        if bench.run(bench.limit, "pop", bench.redis.port, "sms", few).wait() != 0:
            raise RuntimeError("the limit program failed")
        return few / (time.monotonic() - began)

    bench.compare("msg/s", {
        "C, claims 256 (the limit)": limit,
        "smsq, log off, --concurrency 1000": lambda: ours(concurrency),
        "smsq, log to a file, --concurrency 1000": lambda: ours(concurrency, log),
        "smsq, log off, --concurrency 100": lambda: ours(100),
        "smsq, log to a file, --concurrency 100: its defaults": lambda: ours(100, log),
        "C, BLPOP one by one (a twentieth of the messages)": one_by_one,
    })
