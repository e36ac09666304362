"""Says where a worker's or a push's time goes: perf record -g of it, each sample counted for the first part that it is in.

    perf record -e cpu-clock -F 997 -g -o perf.data -- smsq worker ...     (and end the worker with SIGTERM)
    perf record -e cpu-clock -F 997 -g -o perf.data -- smsq push --file ...
    perf script -i perf.data | swift demangle --simplified | budget.py [US]

US is what a message costs on a core altogether, in microseconds, as `make bench` says; without it, shares only.
"""

import re
import sys
from collections import Counter

# From the inside out: the first pattern that any frame of a sample matches takes it.
PARTS = [
    ("the log line", r"EventLog|LineWriter|Logger\.|fields\("),
    ("a new id", r"UUID|getrandom"),
    ("segments", r"Segmentation"),
    ("decoding and checking the message", r"TextMessage|JSONReader|JSONString|MessageFields|CheckedFields|PhoneNumber|SenderID|Timestamp"),
    ("the simulated gateway", r"SimulatedGateway|Draws|MagicNumbers"),
    ("completing the payload", r"PayloadEdit|PreparedMessage|JSONText"),
    ("reading lines", r"LineReader|MessageSource|BulkLine"),
    ("handling, settling in memory, lanes", r"SMSHandler|Dispatcher|Lanes|FinishedBox|LeaseClock"),
    ("reading the claims", r"claimAnswer|ClaimedMessage|Element\.|RedisReply"),
    ("the enqueue call", r"OutgoingBatch|enqueueCall|enqueue\("),
    ("writing the settlements", r"settleCall|ScriptCall|Settlement|RedisCommand"),
    ("the connection: hiredis, sockets, its thread", r"redis[A-Z]|RedisConnection|ConnectionThread|smsq_|sds"),
    ("the worker's loop", r"QueueLoop|QueueState|Hands|ClaimNumbers|MessageQueue\."),
    ("the push's loop", r"BulkPush"),
    ("Swift's runtime: tasks, switching", r"swift_task|swift::|AsyncTask|_dispatch|dispatch_"),
]


def main():
    total, parts, leaves = 0, Counter(), Counter()
    for sample in sys.stdin.read().split("\n\n"):
        frames = [line.strip() for line in sample.splitlines()[1:] if line.strip()]
        if not frames:
            continue
        total += 1
        # Without address and library: the library's path says nothing of the function, but for the kernel's.
        names = [re.sub(r"^[0-9a-f]+ |( \(/\S*\))$", "", frame) for frame in frames]
        for name, pattern in PARTS:
            if any(re.search(pattern, frame) for frame in names):
                parts[name] += 1
                break
        else:
            parts["other: " + ("the kernel" if "kernel" in names[0] else "no part in the stack")] += 1
        leaf = names[0]
        for kind, pattern in (("retain, release", r"retain|release|RefCount"), ("malloc, free", r"malloc|free|unlink_chunk|swift_alloc|calloc"),
                              ("memmove, memset", r"memmove|memcpy|memset"), ("kernel", r"\[kernel"), ("locks", r"Mutex|futex")):
            if re.search(pattern, leaf):
                leaves[kind] += 1
                break
    cost = float(sys.argv[1]) if len(sys.argv) > 1 else None
    for title, counts in (("by part", parts), ("of all that, by what is done", leaves)):
        print(title)
        for name, count in counts.most_common():
            print(f"  {count / total:6.1%}  {f'{cost * count / total:5.2f} us  ' if cost else ''}{name}")


if __name__ == "__main__":
    main()
