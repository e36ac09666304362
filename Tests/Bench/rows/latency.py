"""Row 4: from push to dispatch, when the worker has nothing else to do.

The producer notes when it sends a push, the worker's gateway when it is given the message (its ledger, --sim-ledger), and
the BLPOP loop when BLPOP returns: all by one clock, in microseconds. Nothing watches Redis: MONITOR would make each
command of a script cost several times as much.
"""

import os
import random
import time

from tools import Client

TITLE = "4. Latency: from push to dispatch, with an idle worker"

PAYLOAD = '{"to":"+8613800000007","text":"Your code is 000007. Do not show it to anyone.","from":"ACME"}'


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def run(bench):
    # Many short turns: the machine is faster in some minutes than in others, and each side is to have its share of both.
    many, times = 200, 5 if bench.quick else 25
    script = open(os.path.join(os.path.dirname(__file__), "../../../Sources/MessageQueue/Scripts/enqueue.lua")).read()
    bench.settings.update(messages=many, gap_ms="3 to 8, at random", times=times,
                          clock="the machine's, at the producer and at the gateway")
    ledger = os.path.join(bench.redis.folder, "ledger")
    samples = {}

    def measured(name, push, start):
        bench.clear()
        open(ledger, "w").close()
        process = start()
        time.sleep(0.5)
        pushed_as = push(Client(bench.redis.port))
        random.seed(1)
        pushed = []
        for _ in range(many):
            pushed.append(time.time_ns() // 1000)
            pushed_as()
            time.sleep(random.uniform(0.003, 0.008))
        time.sleep(0.3)
        process.kill()
        process.wait()
        # First in, first out, so the n-th that came is the n-th that was pushed.
        came = [int(line.split()[-1]) for line in open(ledger)]
        if len(came) != many:
            raise RuntimeError(f"{name}: {len(came)} of {many} messages came")
        samples.setdefault(name, []).append([end - start for start, end in zip(pushed, came)])

    def lpush(producer):
        return lambda: producer("LPUSH", "sms", PAYLOAD)

    def our_script(producer):
        sha = producer("SCRIPT", "LOAD", script)
        return lambda: producer("EVALSHA", sha, 6, "sms", "{sms}:wake", "{sms}:later", "{sms}:stats", "{sms}:spread",
                                "{sms}:absent", 0, 0, "", 1, 0, 0, 1, PAYLOAD)

    def loop():
        with open(ledger, "w") as output:
            return bench.run(bench.limit, "times", bench.redis.port, "sms", stdout=output)

    def worker(*options):
        return bench.worker("--sim-ledger", ledger, *options)

    def worker_of_two():
        return worker("--queue", "otp", "--queue", "sms")

    for _ in range(times):
        measured("C, BLPOP loop, plain LPUSH", lpush, loop)
        measured("smsq, pushed with smsq's script", our_script, worker)
        measured("smsq, plain LPUSH", lpush, worker)
        measured("smsq with another queue as well, smsq's script", our_script, worker_of_two)
        measured("smsq with another queue as well, plain LPUSH", lpush, worker_of_two)

    base = None
    for name, runs in samples.items():
        notes = {"p99_ms": round(percentile(sum(runs, []), 0.99) / 1000, 3)}
        if sum(map(len, runs)) >= 3000:
            notes["p99.9_ms"] = round(percentile(sum(runs, []), 0.999) / 1000, 3)
        result = bench.add(name, "ms, p50", [percentile(waits, 0.5) / 1000 for waits in runs], **notes)
        if base:
            result["ratio"], result["against"] = result["median"] / base["median"], base["what"]
        base = base or result
