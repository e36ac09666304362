"""Row 9: three workers of a queue that is limited."""

import subprocess
import time

from tools import cpu_ms

TITLE = "9. A limited queue, three workers: messages a second that are sent, by the clock that passed"


def run(bench):
    seconds = 3 if bench.quick else 10
    bench.settings.update(seconds=seconds, workers=3)
    for rate, count, per in [("100/s", 100, 1), ("1/s", 1, 1), ("20/m", 20, 60), ("5000/s", 5000, 1)]:
        bench.clear()
        bench.fill(int(count / per * (seconds + 5)) + 20)
        subprocess.run([bench.smsq, "limit", "--redis", f"redis://127.0.0.1:{bench.redis.port}", rate], check=True,
                       stdout=subprocess.DEVNULL)
        workers = [bench.worker() for _ in range(3)]
        # From one message to another, and not from any moment: at 20/m a moment may lie before or behind one.
        bench.wait_until(lambda: bench.sent() > 0)
        time.sleep(0.2)
        first = bench.sent()
        bench.wait_until(lambda: bench.sent() > first, every=0.0005)
        began, first, commands = time.monotonic(), bench.sent(), bench.commands()
        cpu = sum(cpu_ms(worker.pid) for worker in workers)
        time.sleep(seconds)
        last = bench.sent()
        bench.wait_until(lambda: bench.sent() > last, every=0.0005)
        passed, last = time.monotonic() - began, bench.sent()
        notes = {"commands_a_second": round((bench.commands() - commands) / passed),
                 "cpu_percent": round((sum(cpu_ms(worker.pid) for worker in workers) - cpu) / passed / 10, 2)}
        result = bench.add(rate, "msg/s", [(last - first) / passed], **notes)
        result["ratio"], result["against"] = result["median"] * per / count, f"the limit of {rate}"
        for worker in workers:
            worker.kill()
            worker.wait()
