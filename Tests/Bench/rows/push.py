"""Row 3: pushing: a call of the command line, a whole file, and the Swift API that both of them call."""

import json
import os
import select
import subprocess
import time

from tools import children_ms, memory_kb

TITLE = "3. Push"

# Those of `smsq push --file`, see BulkPush.swift: messages of a script call, script calls of a round trip.
BATCH, CALLS_A_TRIP = 500, 8


def run(bench):
    lines = 50_000 if bench.quick else 1_000_000
    calls = 20 if bench.quick else 100
    port = str(bench.redis.port)
    url = f"redis://127.0.0.1:{port}"
    bench.settings.update(lines=lines, bytes=120, calls=calls, one_by_one=lines // 20, pipelined=lines // 5, batch=BATCH,
                          calls_a_trip=CALLS_A_TRIP)

    path, small = os.path.join(bench.redis.folder, "messages.jsonl"), os.path.join(bench.redis.folder, "small.jsonl")
    bench.write_messages(path, lines)
    with open(path) as file, open(small, "w") as tenth:
        tenth.writelines(line for _, line in zip(range(lines // 10), file))
    with open(path) as file:
        payload = file.readline().rstrip("\n")

    def one_call(*command):
        began = time.monotonic()
        for _ in range(calls):
            if bench.run(*command, stdout=subprocess.DEVNULL).wait() != 0:
                raise RuntimeError(f"{command[0]} failed")
        return (time.monotonic() - began) / calls * 1000

    bench.compare("ms a call", {
        "redis-cli LPUSH, one call": lambda: one_call("redis-cli", "-p", port, "LPUSH", "sms", payload),
        "smsq push, one call": lambda: one_call(bench.smsq, "push", "--redis", url, "--to", "+8613800000007",
                                                "--text", "Your code is 000007."),
    })

    def blast(clients):
        began = time.monotonic()
        command = ["redis-benchmark", "-p", port, "-P", "64", "-c", clients, "-n", lines, "-q", "LPUSH", "sms", payload]
        if bench.run(*command, stdout=subprocess.DEVNULL).wait() != 0:
            raise RuntimeError("redis-benchmark failed")
        return lines / (time.monotonic() - began)

    def ours(file, count):
        # It is in memory, wherever it was while the others were measured.
        with open(file, "rb") as content:
            while content.read(1 << 20):
                pass
        redis_cpu, own_cpu = bench.redis.cpu_seconds(), children_ms()
        began = time.monotonic()
        process = bench.run(bench.smsq, "push", "--redis", url, "--file", file, stdout=subprocess.DEVNULL)
        peak, end = 0, os.pidfd_open(process.pid)
        while not select.select([end], [], [], 0.05)[0]:
            peak = max(peak, memory_kb(process.pid, "VmHWM"))
        seconds = time.monotonic() - began
        os.close(end)
        if process.wait() != 0 or bench.client("LLEN", "sms") != count:
            raise RuntimeError("the file was not pushed")
        return count / seconds, {"own_us_a_line": (children_ms() - own_cpu) / count * 1e3,
                                 "redis_us_a_line": (bench.redis.cpu_seconds() - redis_cpu) / count * 1e6, "peak_mb": peak / 1024}

    def timed(count, *command):
        """A program that says itself how fast it was, from its first message on."""
        process = bench.run(*command, stdout=subprocess.PIPE, text=True)
        output, _ = process.communicate()
        # PushAPI pushes one more, to have its script loaded.
        if process.returncode != 0 or bench.client("LLEN", "sms") - count not in (0, 1):
            raise RuntimeError(f"{command[0]} did not push {count} messages")
        return json.loads(output)["messages_per_second"]

    def in_c(count, messages, commands):
        return lambda: timed(count, bench.limit, "push", port, "sms", count, 120, messages, commands)

    def in_swift(count, messages, calls):
        return lambda: timed(count, bench.push_api, url, count, 120, messages, calls)

    for count, size, calls, name in ((lines // 20, 1, 1, "one by one"), (lines // 5, 1, 64, "64 a round trip"),
                                     (lines // 5, BATCH, CALLS_A_TRIP, f"{BATCH} a call, {CALLS_A_TRIP} calls a round trip")):
        bench.compare("msg/s", {f"C, LPUSH, {name}": in_c(count, size, calls),
                                f"Swift API, {name}": in_swift(count, size, calls)})
    bench.compare("msg/s", {
        "redis-benchmark -P 64 -c 1 LPUSH": lambda: blast(1),
        "redis-benchmark -P 64 LPUSH, its 50 connections": lambda: blast(50),
        f"smsq push --file, {lines:,} lines": lambda: ours(path, lines),
        f"smsq push --file, {lines // 10:,} lines": lambda: ours(small, lines // 10),
    })
