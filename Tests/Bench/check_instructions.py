"""Fails if a message takes more instructions than it may: check_instructions.py REPORT LIMITS. See `make check-instructions`.

REPORT is bench.py's, with the row instructions. LIMITS has the instructions of a message, how far a count may be above
them, and where they were counted: with another compiler, C library or processor the same source takes another number,
which says nothing of a change.
"""

import json
import sys

REPORT, LIMITS = sys.argv[1:]


def main():
    with open(REPORT) as file:
        report = json.load(file)
    with open(LIMITS) as file:
        limits = json.load(file)
    counts = {result["what"]: round(min(result["values"])) for result in report["rows"]["instructions"]["results"]}
    here = {"processor": report["machine"]["processor"], "system": report["machine"]["system"],
            "swift": report["versions"]["swift"]}
    elsewhere = [f"{name} is {here[name]}, not {value}" for name, value in limits["counted_with"].items() if value not in here[name]]
    if elsewhere:
        print(f"smsq: instructions are counted, but not compared with {LIMITS}: {'; '.join(elsewhere)}")
        return
    if set(counts) != set(limits["instructions"]):
        sys.exit(f"smsq: {LIMITS} and the rows counted differ: {sorted(set(counts) ^ set(limits['instructions']))}; make them agree")

    dearer = False
    for name, count in counts.items():
        limit, tolerance = limits["instructions"][name], limits["tolerance_percent"]
        change = (count / limit - 1) * 100
        print(f"{name}: {count:,} instructions a message, {change:+.1f} % of the {limit:,} in {LIMITS}", flush=True)
        if change > tolerance:
            dearer = True
        elif change < -tolerance:
            print(f"  that is well below: write {count} there, or what was gained can be lost again unnoticed", flush=True)
    if dearer:
        sys.exit(f"""smsq: a message takes over {tolerance} % more instructions than it may, on a way that every message goes.
Counts do not move with the machine's load: it is what was changed, or a dependency's new version. Which functions it is:
  callgrind_annotate run/callgrind.push | swift demangle --simplified | head -60      (or .worker, .worker-log; the same before the change, to compare)
If it is worth its price, write the new count into {LIMITS} in the same commit, whose message says what it buys.""")


main()
