"""What every row uses: a private Redis, pinned processes, and the book of results."""

import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

median = statistics.median


class Client:
    """A Redis connection that speaks just enough RESP."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.sent = 0

    def send(self, *words):
        self.sent += 1
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(parts))

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        raise RuntimeError(f"Redis answered {line!r}")

    def __call__(self, *words):
        self.send(*words)
        return self.reply()

    def info(self, section):
        lines = self("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


class Redis:
    """A redis-server of our own, on a free port, with its files in a temporary folder."""

    SETTINGS = ["--bind", "127.0.0.1", "--appendonly", "no", "--save", "", "--maxmemory-policy", "noeviction"]

    def __init__(self, cores):
        self.folder = tempfile.mkdtemp(prefix="smsq-bench-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = ["redis-server", "--port", str(self.port), "--dir", self.folder, *self.SETTINGS]
        self.process = start(command, cores, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.client = Client(self.port)
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def cpu_seconds(self):
        info = self.client.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def calls(self):
        """How often each command was called so far, by scripts as well."""
        stats = self.client.info("commandstats")
        return {name[8:]: int(value.split(",")[0][6:]) for name, value in stats.items()}

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


def start(command, cores=None, **options):
    # taskset and not preexec_fn: what runs between fork and exec would be Python's, in the child's memory figures.
    pinned = ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)] if cores else list(map(str, command))
    return subprocess.Popen(pinned, **options)


def memory_kb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status") as file:
        return next((int(line.split()[1]) for line in file if line.startswith(field + ":")), 0)


def cpu_ms(pid):
    """Time on a core of all threads, ms: from schedstat, because ticks of 10 ms are too coarse for an idle process."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e6


def children_ms():
    """Time on a core of all children that have ended, ms."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


class Bench:
    """One row's environment. Rows measure with it, and note results with `add` and `compare`."""

    def __init__(self, options, row):
        self.options = options
        self.quick, self.huge = options.quick, options.huge
        self.smsq, folder = os.path.abspath(options.smsq), os.path.abspath(options.tools)
        self.limit, self.sqlite = os.path.join(folder, "limit"), os.path.join(folder, "sqlite")
        # SwiftPM builds it beside smsq.
        self.push_api = os.path.join(os.path.dirname(self.smsq), "PushAPI")
        self.results, self.settings, self.groups = [], {}, []
        cores = sorted(os.sched_getaffinity(0))
        pin = getattr(row, "PIN", None) or options.pin
        if len(cores) < 2 and pin == "apart":
            pin = "together"
        # apart: Redis on the first core, all else on the others. together: all on the first core. free: as the kernel likes.
        self.redis_cores = {"apart": cores[:1], "together": cores[:1], "free": None}[pin]
        self.cores = {"apart": cores[1:], "together": cores[:1], "free": None}[pin]
        self.settings["pin"] = {"mode": pin, "redis": self.redis_cores or cores, "clients": self.cores or cores}

    def __enter__(self):
        self.redis = Redis(self.redis_cores)
        self.client = self.redis.client
        self.children = []
        return self

    def __exit__(self, *_):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        self.redis.stop()

    # Running things

    def limit_drain(self):
        """Runs the limit to its end."""
        if self.run(self.limit, "drain", self.redis.port, "sms", stdout=subprocess.DEVNULL).wait() != 0:
            raise RuntimeError("the limit program failed")

    def run(self, *command, **options):
        child = start(command, options.pop("cores", self.cores), **options)
        self.children.append(child)
        return child

    def fill(self, count, size=120, key="sms"):
        # Not pinned: filling is not measured.
        subprocess.run([self.limit, "fill", str(self.redis.port), key, str(count), str(size)], check=True)

    def write_messages(self, path, count):
        """A file of the messages that `limit fill` makes."""
        self.clear()
        self.fill(count)
        with open(path, "w") as file:
            for last in range(-1, -count - 1, -10_000):
                # The oldest is at the right end.
                oldest = self.client("LRANGE", "sms", max(last - 9_999, -count), last)
                file.writelines(line + "\n" for line in reversed(oldest))

    def worker(self, *options, log=None, smsq=None, url=None, **more):
        """A worker; its log is off unless a file is named."""
        command = [smsq or self.smsq, "worker", "--redis", url or f"redis://127.0.0.1:{self.redis.port}", *options]
        if log is None:
            command += ["--log-level", "warning"]
        # Appended to, as supervisord does.
        with open(log or os.devnull, "ab") as output:
            return self.run(*command, stdout=output, **more)

    def stop(self, process):
        """Ends a worker, which has to end cleanly."""
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=60) != 0:
            raise RuntimeError(f"the worker ended with {process.returncode}")

    def sent(self):
        return int(self.client("HGET", "{sms}:stats", "sent") or 0)

    def wait_until(self, condition, every=0.001, timeout=300):
        deadline = time.monotonic() + timeout
        while not condition():
            ended = [child for child in self.children if child.poll() not in (None, 0, -signal.SIGKILL, -signal.SIGTERM)]
            if ended:
                raise RuntimeError(f"{' '.join(ended[0].args)} ended with {ended[0].returncode}")
            if time.monotonic() > deadline:
                raise TimeoutError("what was waited for did not happen")
            time.sleep(every)

    def drained(self, count, every=0.01):
        """Waits until so many are settled. While messages wait it asks rarely, so as not to compete."""
        try:
            # Even a busy machine manages ten thousand a second.
            self.wait_until(lambda: self.client("LLEN", "sms") == 0, every=every, timeout=max(300, count / 10_000))
            self.wait_until(lambda: self.sent() >= count)
        except TimeoutError:
            # What a person has to know who was not there.
            held = {key: self.client("HLEN", key) for key in self.client("KEYS", "{sms}:claimed:*")}
            raise TimeoutError(f"{self.sent()} of {count} were sent; {self.client('LLEN', 'sms')} wait, {held} are claimed;"
                               f" stats: {self.client('HGETALL', '{sms}:stats')};"
                               f" leases: {self.client('ZRANGE', '{sms}:workers', 0, -1, 'WITHSCORES')};"
                               f" Redis' time: {self.client('TIME')};"
                               f" alive: {[child.args[3:] for child in self.children if child.poll() is None]}") from None

    def clear(self):
        self.client("FLUSHALL")

    def commands(self):
        """Commands so far, those that scripts called too, and without our own."""
        total = int(self.client.info("stats")["total_commands_processed"])
        return total - self.client.sent

    # Results

    def add(self, what, unit, values, **notes):
        values = list(values)
        result = {"what": what, "unit": unit, "median": median(values), "values": values, "notes": notes}
        self.results.append(result)
        return result

    def compare(self, unit, sides, times=3):
        """Runs each side in turns. `sides` maps a name to a function that returns a value, or a value and notes."""
        values = {name: [] for name in sides}
        notes = {name: [] for name in sides}
        for _ in range(times):
            for name, measure in sides.items():
                self.clear()
                outcome = measure()
                value, note = outcome if isinstance(outcome, tuple) else (outcome, {})
                values[name].append(value)
                print(f"    {name}: {value:,.4g} {unit}", file=sys.stderr, flush=True)
                notes[name].append(note)
        first = next(iter(sides))
        for name in sides:
            middle = {key: round(median(note[key] for note in notes[name]), 3) for key in notes[name][0]}
            result = self.add(name, unit, values[name], **middle)
            if name != first:
                result["ratio"], result["against"] = result["median"] / median(values[first]), first

    def finish(self):
        self.clear()
