"""Row 2: a gateway that takes 50 ms a message."""

import time

from tools import cpu_ms

TITLE = "2. Slow gateway, 50 ms a message: messages a second of one process; the bound is concurrency / 50 ms"

LATENCY = 0.05


def run(bench):
    seconds = 1 if bench.quick else 5
    bench.settings.update(latency_ms=50, seconds=seconds, warm_up=1, times=3)
    for concurrency in [10, 100, 1000, 10_000]:
        bound = concurrency / LATENCY
        values, used = [], []
        for _ in range(3):
            bench.clear()
            # More than can be sent, so that the queue never runs dry.
            bench.fill(int(bound * (seconds + 3)))
            process = bench.worker("--concurrency", concurrency, "--sim-latency", "50ms")
            time.sleep(1)
            began, sent, cpu = time.monotonic(), bench.sent(), cpu_ms(process.pid)
            time.sleep(seconds)
            passed, more, cpu_then = time.monotonic() - began, bench.sent() - sent, cpu_ms(process.pid)
            if bench.client("LLEN", "sms") == 0:
                raise RuntimeError("the queue ran dry")
            values.append(more / passed)
            used.append((cpu_then - cpu) / passed / 10)
            process.kill()
            process.wait()
        result = bench.add(f"concurrency {concurrency}", "msg/s", values, cpu_percent=round(sorted(used)[1]))
        result["ratio"], result["against"] = result["median"] / bound, f"the bound of {bound:,.0f}"
