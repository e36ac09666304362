"""The job of the Python peers: parse, count, and say so when all are done."""

import json
import os
import threading

import redis

COUNT = int(os.environ["BENCH_COUNT"])
lock = threading.Lock()
done = 0


def handle(payload):
    global done
    message = json.loads(payload)
    if message["to"] and message["text"]:
        with lock:
            done += 1
            mark = {1: "bench:begun", COUNT: "bench:done"}.get(done)
        if mark:
            redis.Redis.from_url(os.environ["REDIS_URL"]).set(mark, 1)
