"""What TLS takes of the throughput: the same Redis on two ports."""

import os
import socket
import subprocess
import time

from tools import children_ms, cpu_ms

TITLE = "TLS beside plain: one worker, one push of a file, one push of a message"


def certificate(folder):
    """A certificate of its own authority, for 127.0.0.1."""
    path, key = os.path.join(folder, "tls.pem"), os.path.join(folder, "tls.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", path, "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, stderr=subprocess.DEVNULL)
    return path, key


def run(bench):
    count = 50_000 if bench.quick else 1_000_000
    calls = 20 if bench.quick else 100
    path, key = certificate(bench.redis.folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bench.client("CONFIG", "SET", "tls-cert-file", path, "tls-key-file", key, "tls-ca-cert-file", path,
                 "tls-auth-clients", "no", "tls-port", port)
    plain, tls = f"redis://127.0.0.1:{bench.redis.port}", f"rediss://127.0.0.1:{port}"
    messages = os.path.join(bench.redis.folder, "messages.jsonl")
    bench.settings.update(messages=count, bytes=120, concurrency=1000, calls=calls)
    bench.write_messages(messages, count)

    def options(url):
        return ["--redis-ca", path] if url == tls else []

    def drain(url):
        bench.fill(count)
        redis_cpu = bench.redis.cpu_seconds()
        began = time.monotonic()
        process = bench.worker("--concurrency", 1000, *options(url), url=url)
        bench.drained(count)
        seconds = time.monotonic() - began
        notes = {"own_us_a_message": cpu_ms(process.pid) / count * 1e3,
                 "redis_us_a_message": (bench.redis.cpu_seconds() - redis_cpu) / count * 1e6}
        bench.stop(process)
        return count / seconds, notes

    def push_file(url):
        redis_cpu, own_cpu = bench.redis.cpu_seconds(), children_ms()
        began = time.monotonic()
        process = bench.run(bench.smsq, "push", "--redis", url, *options(url), "--file", messages, stdout=subprocess.DEVNULL)
        if process.wait() != 0 or bench.client("LLEN", "sms") != count:
            raise RuntimeError("the file was not pushed")
        return count / (time.monotonic() - began), {"own_us_a_line": (children_ms() - own_cpu) / count * 1e3,
                                                    "redis_us_a_line": (bench.redis.cpu_seconds() - redis_cpu) / count * 1e6}

    def push_one(url):
        began = time.monotonic()
        for _ in range(calls):
            command = [bench.smsq, "push", "--redis", url, *options(url), "--to", "+8613800000007", "--text", "Hello"]
            if bench.run(*command, stdout=subprocess.DEVNULL).wait() != 0:
                raise RuntimeError("smsq push failed")
        return (time.monotonic() - began) / calls * 1000

    for unit, what, measure in (("msg/s", "drain", drain), ("msg/s", "push --file", push_file), ("ms a call", "push", push_one)):
        bench.compare(unit, {f"smsq, {what}, plain": lambda: measure(plain), f"smsq, {what}, TLS": lambda: measure(tls)})
