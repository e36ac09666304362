"""Row 7: the process table beside plain SQLite: the same file, the same journal, commits of the same size.

A run of `smsq cron` changes a row twice, when it claims it and when it records what became of it, and each commit waits
for the disk. So does sqlite.c, with nothing in between: what it does not reach either is the disk's and SQLite's, and not
ours. Whole processes on both sides, from exec to exit.
"""

import os
import shutil
import sqlite3
import subprocess
import time

TITLE = "7. The process table: rows a second, and plain SQLite with commits of the same size"

BYTES = 120
BATCH_OF_ADD = 1000


def run(bench):
    scale = 10 if bench.quick else 1
    folder = bench.redis.folder
    path, lines = os.path.join(folder, "table.db"), os.path.join(folder, "rows.jsonl")
    url = f"redis://127.0.0.1:{bench.redis.port}"
    # So many that a start of some 20 ms does not count for much.
    rows = {10: 10_000 // scale, 100: 30_000 // scale, 1000: 30_000 // scale}
    most, commands = max(rows.values()), 1_000 // scale
    bench.settings.update(rows=rows, rows_of_queue="a quarter", rows_of_commands=commands, rows_added=most, bytes=BYTES, times=3,
                          rows_a_commit_of_add=BATCH_OF_ADD, journal_mode="wal", synchronous="full",
                          sqlite=sqlite3.sqlite_version, file_system=file_system(folder))
    bench.fill(most, BYTES)
    with open(lines, "w") as file:
        file.writelines(line + "\n" for line in bench.client("LRANGE", "sms", 0, -1))

    def seconds(*command, **options):
        began = time.monotonic()
        code = bench.run(*command, stdout=subprocess.DEVNULL, **options).wait()
        if code != 0:
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {code}")
        return time.monotonic() - began

    def remove(*paths):
        for name in paths:
            for suffix in ("", "-wal", "-shm"):
                if os.path.exists(name + suffix):
                    os.remove(name + suffix)

    def count(state):
        database = sqlite3.connect(path)
        [[found, turns]] = database.execute("SELECT count(*), count(DISTINCT started_at) FROM process WHERE state = ?", [state])
        database.close()
        return found, turns

    # Adding

    def added(expected, *command):
        remove(path)
        seconds(bench.smsq, "table", "init", "--database", path)
        passed = seconds(*command)
        if count("waiting")[0] != expected:
            raise RuntimeError(f"not all of the {expected} rows were added")
        return expected / passed

    bench.compare("rows/s", {
        f"plain INSERT, {BATCH_OF_ADD:,} a commit": lambda: added(
            most, bench.sqlite, "insert", path, most, BYTES, BATCH_OF_ADD),
        "smsq table add --file": lambda: added(
            most, bench.smsq, "table", "add", "--database", path, "--file", lines),
    })

    # Working off

    def template(total, action, *program):
        """Makes a database of rows that wait, of which each turn gets a copy of its own."""
        made, some = os.path.join(folder, f"{action}.db"), os.path.join(folder, "some.jsonl")
        remove(made)
        with open(lines) as source, open(some, "w") as file:
            file.writelines(line for line, _ in zip(source, range(total)))
        what = ["--", *program] if program else ["--action", action]
        seconds(bench.smsq, "table", "add", "--database", made, "--file", some, *what)
        database = sqlite3.connect(made)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return made, total

    def worked_off(made, command, pushed=0):
        path_of_template, total = made
        remove(path)
        shutil.copy(path_of_template, path)
        # What the copy left to be written must not be waited for by the first commit.
        os.sync()
        passed = seconds(*command)
        done, turns = count("done")
        if done != total or bench.client("LLEN", "sms") != pushed:
            raise RuntimeError(f"{done} of {total} rows are done, {bench.client('LLEN', 'sms')} pushed")
        # Rows that were claimed in one turn began in the same millisecond; two turns may have shared one.
        return total / passed, {"rows_a_turn": total / turns} if command[0] == bench.smsq else {}

    def group(processes):
        def cron(made, *more, **options):
            command = [bench.smsq, "cron", "--database", path, "--redis", url, "--processes", processes,
                       "--max-runtime", "30m", *more]
            return lambda: worked_off(made, command, **options)

        total = rows[processes]
        send, queue = template(total, "send"), template(total // 4, "queue")
        sides = {
            f"plain UPDATEs, {processes:,} rows a commit":
                lambda: worked_off(send, [bench.sqlite, "update", path, processes]),
            f"send, --processes {processes}": cron(send),
            f"queue, --processes {processes}": cron(queue, pushed=total // 4),
        }
        if processes == 10:
            sides["command /bin/true, --processes 10"] = cron(template(commands, "command", "/bin/true"))
        if processes == 100:
            sides["send, --processes 100 --outbox"] = cron(send, "--outbox")
        bench.compare("rows/s", sides)

    for processes in rows:
        group(processes)


def file_system(folder):
    """Where the databases are: a commit to a tmpfs waits for nothing."""
    answer = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True)
    return answer.stdout.strip()
