"""What people would use instead, each at its best documented settings: the same messages, parsed and counted."""

import os
import shutil
import signal
import subprocess
import time

TITLE = "Other systems: drain, one process, a job that parses its message and counts it"

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers")


def run(bench):
    venv = os.environ.get("BENCH_VENV", ".build-peers")
    tool = {name: os.path.abspath(f"{venv}/bin/{name}") for name in ("python", "rq", "celery", "dramatiq")}
    url = f"redis://127.0.0.1:{bench.redis.port}/0"
    scale = 10 if bench.quick else 1
    # So many that each takes some seconds. The rate, and not the count, is compared.
    counts = {"smsq": 500_000, "PHP": 50_000, "Sidekiq": 50_000, "RQ": 1_000, "Celery": 5_000, "Dramatiq": 10_000}
    counts = {name: count // scale for name, count in counts.items()}
    bench.settings.update(messages=counts, bytes=120, times=3, versions=versions(tool))

    def peer(name, worker, fill=None):
        def measure():
            count = counts[name]
            environment = {**os.environ, "REDIS_URL": url, "BENCH_COUNT": str(count), "PYTHONPATH": HERE}
            bench.fill(count)
            if fill:
                lines = "".join(line + "\n" for line in bench.client("LRANGE", "sms", 0, -1))
                bench.client("DEL", "sms")
                subprocess.run(fill, input=lines, text=True, check=True, cwd=HERE, env=environment)
            before = bench.commands()
            with open(os.path.join(bench.redis.folder, f"{name}.log"), "w") as log:
                process = bench.run(*worker, cwd=HERE, env=environment, stdout=log, stderr=subprocess.STDOUT,
                                    start_new_session=True)
            # From the first job to the last: what the interpreter takes to start, no message pays for in a running system.
            for mark in ("bench:begun", "bench:done"):
                bench.wait_until(lambda: bench.client("EXISTS", mark) or process.poll(), every=0.003)
                if not bench.client("EXISTS", mark):
                    raise RuntimeError(f"{name} ended with {process.returncode}: see its program in Tests/Bench/peers")
                began, ended = (time.monotonic(), None) if mark == "bench:begun" else (began, time.monotonic())
            notes = {"commands_a_message": (bench.commands() - before) / count}
            process.terminate()
            process.wait(timeout=60)
            # Dramatiq's children may outlive it.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            return count / (ended - began), notes

        return measure

    def ours():
        count = counts["smsq"]
        bench.fill(count)
        before = bench.commands()
        began = time.monotonic()
        process = bench.worker("--concurrency", "1000")
        # As often as the others are asked.
        bench.drained(count, every=0.003)
        seconds = time.monotonic() - began
        notes = {"commands_a_message": (bench.commands() - before) / count}
        bench.stop(process)
        return count / seconds, notes

    def limit():
        count = counts["smsq"]
        bench.fill(count)
        before = bench.commands()
        began = time.monotonic()
        bench.limit_drain()
        return count / (time.monotonic() - began), {"commands_a_message": (bench.commands() - before) / count}

    port = str(bench.redis.port)
    sides = {"C, claims 256 (the limit)": limit, "smsq, log off, --concurrency 1000": ours}
    if has_php():
        sides["PHP, php-redis, BLPOP loop"] = peer("PHP", ["php", "php_loop.php", port, counts["PHP"]])
    if shutil.which("sidekiq"):
        ruby = ["-r", os.path.join(HERE, "sidekiq_job.rb")]
        sides["Sidekiq, 10 threads"] = peer("Sidekiq", ["sidekiq", *ruby, "-c", "10"], ["ruby", "sidekiq_fill.rb"])
    if os.path.exists(tool["dramatiq"]):
        sides["Dramatiq, 1 process, 8 threads, prefetch 1,000"] = peer(
            "Dramatiq", ["env", "dramatiq_queue_prefetch=1000", tool["dramatiq"], "dramatiq_app", "-p", "1", "-t", "8"],
            [tool["python"], "dramatiq_app.py"])
    if os.path.exists(tool["celery"]):
        sides["Celery, solo"] = peer(
            "Celery", [tool["celery"], "-A", "celery_app", "worker", "-P", "solo", "--without-gossip", "--without-mingle",
                       "--without-heartbeat", "-l", "WARNING"], [tool["python"], "celery_app.py"])
    if os.path.exists(tool["rq"]):
        sides["RQ, SimpleWorker"] = peer(
            "RQ", [tool["rq"], "worker", "-u", url, "-w", "rq.worker.SimpleWorker", "-q", "sms"],
            [tool["python"], "rq_fill.py"])
    if len(sides) > 2:
        bench.compare("msg/s", sides)
    else:
        print("    none is installed; make bench-peers installs them")


def has_php():
    return shutil.which("php") and "redis" in subprocess.run(["php", "-m"], capture_output=True, text=True).stdout.split()


def versions(tool):
    found = {}
    for name in ("php-redis", "php-cli", "ruby-sidekiq"):
        query = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
        if query.returncode == 0:
            found[name] = query.stdout
    if os.path.exists(tool["python"]):
        code = "import importlib.metadata as m\nfor n in 'rq celery dramatiq redis'.split(): print(n, m.version(n))"
        lines = subprocess.run([tool["python"], "-c", code], capture_output=True, text=True).stdout.splitlines()
        found.update(line.split() for line in lines)
    return found
