"""Measures smsq beside what Redis and hiredis allow. See docs/performance.md, or call it as `make bench`.

    bench.py [--quick | --huge] [--rows drain,push] [--pin apart|together|free] [--json FILE] SMSQ TOOLS

Every comparison takes turns (A B A B ...), at least three each, against one private redis-server and under one pinning.
TOOLS is the folder of limit, sqlite and http, built of the C files here. The standard library only.
"""

import argparse
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time

from tools import Bench, Redis, median

ROWS = ["drain", "gateway", "push", "latency", "idle", "growth", "process_table", "crash", "tls", "limit", "http", "peers"]


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next(int(line.split()[1]) // 1024 for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    # Not Python's own reader of it, which came with 3.10.
    system = next((line.split("=")[1].strip().strip('"') for line in open("/etc/os-release") if line.startswith("PRETTY_NAME=")), "")
    return {"cpu": model, "processor": platform.machine(), "cores": os.cpu_count(), "memory_mb": memory,
            "system": system, "kernel": platform.release(),
            "load_at_start": os.getloadavg()[0]}


def versions(smsq):
    def first_line(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]

    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return {"smsq": first_line(smsq, "--version"), "commit": commit, "redis": first_line("redis-server", "--version"),
            "hiredis": first_line("pkg-config", "--modversion", "hiredis") if shutil.which("pkg-config") else "",
            "swift": first_line("swift", "--version") if shutil.which("swift") else "", "clang": first_line("clang", "--version")}


def show(row, results):
    print(f"\n{row.TITLE}")
    if not results:
        return
    width = max(len(result["what"]) for result in results)
    for result in results:
        ratio = f"  {result['ratio']:.3g} x {result['against']}" if "ratio" in result else ""
        spread = f"[{min(result['values']):,.4g} .. {max(result['values']):,.4g}]" if len(result["values"]) > 1 else ""
        notes = "  ".join(f"{name} {value}" for name, value in result["notes"].items())
        print(f"  {result['what']:{width}}  {result['median']:>12,.4g} {result['unit']:12} {spread:24}{ratio}  {notes}".rstrip(),
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("smsq")
    parser.add_argument("tools")
    parser.add_argument("--quick", action="store_true", help="small sizes: some three minutes, to see that it runs")
    parser.add_argument("--huge", action="store_true", help="a queue of ten million messages as well")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--builds", help="for the row of that name: NAME=PATH,... of the builds that it compares")
    parser.add_argument("--pin", default="apart", choices=["apart", "together", "free"])
    parser.add_argument("--json", default="run/bench.json")
    options = parser.parse_args()
    if "builds" in options.rows.split(",") and not options.builds:
        parser.error("the row builds needs --builds NAME=PATH,...")

    started = time.time()
    report = {"machine": machine(), "versions": versions(options.smsq), "started": time.strftime("%FT%TZ", time.gmtime()),
              "settings": {"mode": "quick" if options.quick else "huge" if options.huge else "full", "pin": options.pin,
                           "redis": Redis.SETTINGS}, "rows": {}}
    print(json.dumps({key: report[key] for key in ("machine", "versions", "settings")}, indent=1))
    for name in options.rows.split(","):
        row = importlib.import_module(f"rows.{name}")
        with Bench(options, row) as bench:
            row.run(bench)
            bench.finish()
        show(row, bench.results)
        report["rows"][name] = {"title": row.TITLE, "settings": bench.settings, "results": bench.results}
        # After each row, so that an interrupted run leaves what it has.
        report["seconds"] = round(time.time() - started)
        report["machine"]["load_at_end"] = os.getloadavg()[0]
        os.makedirs(os.path.dirname(options.json) or ".", exist_ok=True)
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)
    print(f"\n{report['seconds']} s; load average {report['machine']['load_at_start']:.2f} at the start,"
          f" {report['machine']['load_at_end']:.2f} at the end; all values in {options.json}")


if __name__ == "__main__":
    main()
