"""Prints a report of bench.py as the Markdown of docs/performance.md: table.py run/bench.json [run/bench-peers.json]"""

import json
import sys


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


for path in sys.argv[1:]:
    with open(path) as file:
        report = json.load(file)
    for row in sorted(report["rows"].values(), key=lambda row: row["title"]):
        print(f"**{row['title']}**\n\n| | median | spread | ratio | |\n|---|---|---|---|---|")
        for result in row["results"]:
            spread = f"{number(min(result['values']))} to {number(max(result['values']))}" if len(result["values"]) > 1 else ""
            ratio = f"{result['ratio']:.3g} × {result['against'].split(' (')[0]}" if "ratio" in result else ""
            notes = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in result["notes"].items())
            print(f"| {result['what']} | {number(result['median'])} {result['unit']} | {spread} | {ratio} | {notes} |")
        print()
