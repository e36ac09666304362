"""Row 6: more processes, longer queues, larger messages."""

import time

from tools import cpu_ms

TITLE = "6. Growth (log off, --concurrency 1000)"
# Processes are to share the cores as they like.
PIN = "free"


def run(bench):
    count = 30_000 if bench.quick else 200_000
    bench.settings.update(messages=count, concurrency=1000, times=3)

    def drain(total, processes=1, size=120):
        """Messages a second from the moment that waiting workers are let loose, so that no start is measured."""
        def measure():
            bench.client("SET", "{sms}:paused", "1")
            workers = [bench.worker("--concurrency", "1000", "--name", f"w{number}") for number in range(processes)]
            bench.fill(total, size)
            bench.wait_until(lambda: bench.client("ZCARD", "{sms}:workers") == processes)
            time.sleep(0.5)
            redis_cpu, own_cpu = bench.redis.cpu_seconds(), sum(cpu_ms(worker.pid) for worker in workers)
            began = time.monotonic()
            for words in (["MULTI"], ["DEL", "{sms}:paused"], ["LPUSH", "{sms}:wake", "1"], ["EXEC"]):
                bench.client(*words)
            bench.drained(total)
            seconds = time.monotonic() - began
            used = sum(cpu_ms(worker.pid) for worker in workers) - own_cpu
            notes = {"own_us_a_message": used / total * 1e3,
                     "redis_us_a_message": (bench.redis.cpu_seconds() - redis_cpu) / total * 1e6}
            for worker in workers:
                bench.stop(worker)
            return total / seconds, notes

        return measure

    bench.compare("msg/s", {f"{n} process{'es' if n > 1 else ''}": drain(count, processes=n) for n in (1, 2, 4, 8)})
    lengths = [1_000, 10_000, 100_000] + ([] if bench.quick else [1_000_000]) + ([10_000_000] if bench.huge else [])
    bench.compare("msg/s", {f"queue of {n:,}": drain(n) for n in lengths})
    sizes = {100: count, 300: count, 1_000: count // 3, 10_000: count // 15}
    bench.compare("msg/s", {f"messages of {size:,} bytes": drain(n, size=size) for size, n in sizes.items()})
