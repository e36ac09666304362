"""Row 9: a webhook that answers after 50 ms."""

import os
import resource
import time

from tools import cpu_ms, median, memory_kb

TITLE = "10. Webhook, 50 ms a message: messages a second of one process; the bound is the number in flight / 50 ms"

LATENCY = 0.05


def run(bench):
    seconds = 1 if bench.quick else 5
    bench.settings.update(latency_ms=50, seconds=seconds, warm_up=1, times=3)
    # Each request has a connection of its own.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    program = os.path.join(os.path.dirname(bench.limit), "http")
    # A provider is elsewhere: it must not take the time of what is measured.
    server = bench.run(program, "server", 50, stdout=-1, cores=bench.redis_cores)
    port = int(server.stdout.readline())

    for in_flight in [100, 500, 1000, 5000]:
        bound = in_flight / LATENCY
        limit, limit_us, ours, ours_us, settled_mb, peak_mb = [], [], [], [], [], []
        for _ in range(3):
            client = bench.run(program, "client", port, in_flight, seconds, stdout=-1)
            rate, us = map(float, client.communicate()[0].split())
            limit.append(rate)
            limit_us.append(us)

            bench.clear()
            # More than can be sent, so that the queue never runs dry.
            bench.fill(int(min(bound, 40_000) * (seconds + 3)))
            process = bench.worker("--concurrency", in_flight, "--gateway", f"http://127.0.0.1:{port}/sms")
            time.sleep(1)
            settled_mb.append(memory_kb(process.pid) / 1024)
            began, sent, cpu = time.monotonic(), bench.sent(), cpu_ms(process.pid)
            time.sleep(seconds)
            passed, more, cpu_then = time.monotonic() - began, bench.sent() - sent, cpu_ms(process.pid)
            peak_mb.append(memory_kb(process.pid, "VmHWM") / 1024)
            if bench.client("LLEN", "sms") == 0:
                raise RuntimeError("the queue ran dry")
            ours.append(more / passed)
            ours_us.append((cpu_then - cpu) * 1000 / more)
            process.kill()
            process.wait()
        bench.add(f"C, curl_multi, {in_flight} in flight", "msg/s", limit, own_us_a_message=round(median(limit_us)))
        result = bench.add(
            f"smsq, --concurrency {in_flight}", "msg/s", ours, own_us_a_message=round(median(ours_us)),
            mb_after_a_second=round(median(settled_mb), 1), peak_mb=round(median(peak_mb), 1))
        if in_flight < 1000:
            result["ratio"], result["against"] = result["median"] / bound, f"the bound of {bound:,.0f}"
        else:
            result["ratio"], result["against"] = result["median"] / median(limit), "the loop in C"
