"""Takes payloads on standard input, one a line, and queues a job for each, many at a time."""

import os
import sys

import redis
from rq import Queue

queue = Queue("sms", connection=redis.Redis.from_url(os.environ["REDIS_URL"]))
# The result of a job is not kept, as for one that sends a message.
jobs = [Queue.prepare_data("counting.handle", (line.rstrip("\n"),), result_ttl=0) for line in sys.stdin]
for first in range(0, len(jobs), 1000):
    queue.enqueue_many(jobs[first:first + 1000])
