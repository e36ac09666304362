#!/usr/bin/env python3
"""A gateway for smsq: reads one message a line, writes one outcome a line. Put your provider's API into send()."""
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 100  # as many as the worker's --concurrency: what waits here for longer than --gateway-timeout gets us killed
writing = threading.Lock()


def send(message):
    """Sends one message and returns its outcome. Takes its time: others are sent meanwhile."""
    if message["to"].startswith("+1555"):
        return {"outcome": "failed", "code": "no_such_number", "reason": "555 is for films"}
    if message["text"] == "busy" and message["attempt"] == 1:
        return {"outcome": "retry", "code": "throttled", "reason": "come back later", "retry_after": "1s"}
    # Give the id to a provider that can tell a repeated request by it: smsq may send a message again after a crash.
    return {"outcome": "accepted", "provider_id": "example-" + message["id"], "segments": message["segments"]}


def handle(line):
    message = json.loads(line)
    try:
        answer = send(message)
    except Exception as error:  # a bug or the network; say "retry" only where sending twice is the smaller harm
        print(f"{message['id']}: {error!r}", file=sys.stderr, flush=True)  # goes to the worker's standard error
        answer = {"outcome": "retry", "code": "exception", "reason": type(error).__name__}
    answer["ref"] = message["ref"]  # says which line is answered; the order is free
    with writing:
        print(json.dumps(answer), flush=True)  # without flush the worker would wait for a full buffer


pool = ThreadPoolExecutor(AT_ONCE)
sys.stdin.reconfigure(encoding="utf-8")
for line in sys.stdin:
    pool.submit(handle, line)
# The end of the input: the worker stops, or is gone. What was not begun must not be sent, nobody would hear of it.
pool.shutdown(cancel_futures=True)
