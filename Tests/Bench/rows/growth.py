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
        """Messages a second from the moment that waiting workers are let loose, so that no start is measured. A short
        queue is drained again and again, because one time would be over before it could be seen."""
        rounds = max(1, min(2 if bench.quick else 20, 100_000 // total))
        # How often it is looked whether it is over must not show in the time.
        every = 0.0005 if rounds > 1 else 0.01

        def measure():
            workers = [bench.worker("--concurrency", "1000", "--name", f"w{number}") for number in range(processes)]
            bench.wait_until(lambda: bench.client("ZCARD", "{sms}:workers") == processes)
            seconds = redis_cpu = own_cpu = 0
            for round in range(1, rounds + 1):
                bench.client("SET", "{sms}:paused", "1")
                bench.fill(total, size)
                # Until they wait for the bell again, having found the queue paused.
                time.sleep(0.5)
                redis_cpu -= bench.redis.cpu_seconds()
                own_cpu -= sum(cpu_ms(worker.pid) for worker in workers)
                began = time.monotonic()
                for words in (["MULTI"], ["DEL", "{sms}:paused"], ["LPUSH", "{sms}:wake", "1"], ["EXEC"]):
                    bench.client(*words)
                bench.drained(total * round, every)
                seconds += time.monotonic() - began
                own_cpu += sum(cpu_ms(worker.pid) for worker in workers)
                redis_cpu += bench.redis.cpu_seconds()
            for worker in workers:
                bench.stop(worker)
            return total * rounds / seconds, {"own_us_a_message": own_cpu / total / rounds * 1e3,
                                              "redis_us_a_message": redis_cpu / total / rounds * 1e6}

        return measure

    bench.compare("msg/s", {f"{n} process{'es' if n > 1 else ''}": drain(count, processes=n) for n in (1, 2, 4, 8)})
    lengths = [1_000, 10_000, 100_000] + ([] if bench.quick else [1_000_000]) + ([10_000_000] if bench.huge else [])
    bench.compare("msg/s", {f"queue of {n:,}": drain(n) for n in lengths})
    sizes = {100: count, 300: count, 1_000: count // 3, 10_000: count // 15}
    bench.compare("msg/s", {f"messages of {size:,} bytes": drain(n, size=size) for size, n in sizes.items()})
