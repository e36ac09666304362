"""Row 5: what a worker costs that has nothing to do, how soon it starts, and whether its memory grows."""

import os
import time

from tools import cpu_ms, memory_kb

TITLE = "5. Idling, starting, memory"


def run(bench):
    seconds = 3 if bench.quick else 10
    count = 50_000 if bench.quick else 1_000_000
    bench.settings.update(seconds=seconds, messages=count, times=3, concurrency=1000)
    commands, cpu, resident, start = [], [], [], []
    for _ in range(3):
        bench.clear()
        process = bench.worker()
        time.sleep(1)
        before, used = bench.redis.calls(), cpu_ms(process.pid)
        time.sleep(seconds)
        after, used_then = bench.redis.calls(), cpu_ms(process.pid)
        # What clients sent, not what scripts called; INFO is ours.
        sent = sum(after[name] - before.get(name, 0) for name in after
                   if name in ("evalsha", "eval", "blpop", "blmove", "lpush", "ltrim"))
        commands.append(sent / seconds)
        cpu.append((used_then - used) / seconds)
        resident.append(memory_kb(process.pid) / 1024)
        bench.stop(process)
    bench.add("commands a second (waits and scripts)", "1/s", commands)
    bench.add("time on a core", "ms/s", cpu)
    bench.add("resident memory, idle", "MB", resident)

    for _ in range(5):
        bench.clear()
        bench.fill(1)
        ledger = os.path.join(bench.redis.folder, "ledger")
        open(ledger, "w").close()
        began = time.time_ns() // 1000
        process = bench.worker("--sim-ledger", ledger)
        bench.wait_until(lambda: bench.sent() == 1, every=0.02)
        # When the gateway was given the message.
        start.append((int(open(ledger).read().split()[-1]) - began) / 1000)
        bench.stop(process)
    bench.add("from exec to the first message (with taskset's own start)", "ms", start)

    after = {count // 10: [], count: []}
    for _ in range(3):
        bench.clear()
        process = bench.worker("--concurrency", "1000")
        done = 0
        for total, memory in after.items():
            bench.fill(total - done)
            done = total
            bench.drained(done)
            time.sleep(1)
            memory.append((memory_kb(process.pid) / 1024, memory_kb(process.pid, "VmHWM") / 1024))
        bench.stop(process)
    for total, memory in after.items():
        bench.add(f"resident memory, idle again after {total:,} messages", "MB", [now for now, _ in memory],
                  peak_mb=round(max(peak for _, peak in memory), 1))
