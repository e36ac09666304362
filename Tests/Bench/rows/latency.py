"""Row 4: from push to dispatch, when the worker has nothing else to do.

Times are those of Redis' MONITOR, in microseconds by one clock: from the push to the first command that the worker sends
after it handled the message (smsq: the script that settles it; the BLPOP loop: its HINCRBY). So both sides include the
handling and the way back to Redis, and the figure is an upper bound of what it stands for. MONITOR's stream is read only
after the last message: nobody but Redis and the worker wakes up in between.
"""

import os
import random
import re
import time

from tools import Client

TITLE = "4. Latency: from push to dispatch, and back at Redis, with an idle worker"

LINE = re.compile(r'^(\d+)\.(\d+) \[\d+ (\S+)\] "([^"]*)"(.*)$')
SETTLED = re.compile(r'"owner" "\d+" "\d+" "(\d+)"')
PAYLOAD = '{"to":"+8613800000007","text":"Your code is 000007. Do not show it to anyone.","from":"ACME"}'


class Monitor:
    def __init__(self, port):
        self.client = Client(port)
        self.client("MONITOR")

    def lines(self, until):
        """All so far: (microseconds, who, command, rest)."""
        while True:
            line = self.client.reply()
            found = LINE.match(line)
            if not found:
                continue
            seconds, micros, who, command, rest = found.groups()
            if until in rest:
                return
            yield int(seconds) * 1_000_000 + int(micros), who, command.lower(), rest


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def run(bench):
    many, few = (200, 8) if bench.quick else (1000, 30)
    script = open(os.path.join(os.path.dirname(__file__), "../../../Sources/MessageQueue/Scripts/enqueue.lua")).read()
    bench.settings.update(messages=many, messages_of_plain_lpush=few, gap_ms="3 to 8, at random", times=3,
                          clock="Redis' MONITOR")
    samples = {}

    def measured(name, count, push, gap, start, ends):
        bench.clear()
        process = start()
        time.sleep(0.5)
        monitor, producer = Monitor(bench.redis.port), Client(bench.redis.port)
        pushed_as = push(producer)
        random.seed(1)
        for _ in range(count):
            pushed_as()
            time.sleep(random.uniform(*gap))
        time.sleep(gap[1] + 0.3)
        producer("ECHO", "the-end")
        pushed, waits = [], []
        for when, who, command, rest in monitor.lines("the-end"):
            if who == "lua":
                continue
            if "ACME" in rest:
                pushed.append(when)
            else:
                # First in, first out; more than one where the machine was too busy to end it before the next push.
                ended = ends(command, rest)
                waits += [when - began for began in pushed[:ended]]
                del pushed[:ended]
        monitor.client.socket.close()
        process.kill()
        process.wait()
        if len(waits) != count:
            raise RuntimeError(f"{name}: {len(waits)} of {count} messages were seen to end")
        samples.setdefault(name, []).append(waits)

    def lpush(producer):
        return lambda: producer("LPUSH", "sms", PAYLOAD)

    def our_script(producer):
        sha = producer("SCRIPT", "LOAD", script)
        return lambda: producer("EVALSHA", sha, 4, "sms", "{sms}:wake", "{sms}:later", "{sms}:stats", 0, 0, 0, 0, 1,
                                PAYLOAD)

    # Only the settling script is told whose claims they are, and how many messages were sent.
    def settled(command, rest):
        found = SETTLED.search(rest) if command == "evalsha" else None
        return int(found[1]) if found else 0

    for _ in range(3):
        measured("C, BLPOP loop, plain LPUSH", many, lpush, (0.003, 0.008),
                 lambda: bench.run(bench.limit, "echo", bench.redis.port, "sms"), lambda command, _: int(command == "hincrby"))
        measured("smsq, pushed with smsq's script", many, our_script, (0.003, 0.008), bench.worker, settled)
        measured("smsq, plain LPUSH (nobody rings)", few, lpush, (0.26, 0.51), bench.worker, settled)

    base = None
    for name, runs in samples.items():
        notes = {"p99_ms": round(percentile(sum(runs, []), 0.99) / 1000, 3)}
        if sum(map(len, runs)) >= 3000:
            notes["p99.9_ms"] = round(percentile(sum(runs, []), 0.999) / 1000, 3)
        result = bench.add(name, "ms, p50", [percentile(waits, 0.5) / 1000 for waits in runs], **notes)
        if base:
            result["ratio"], result["against"] = result["median"] / base["median"], base["what"]
        base = base or result
