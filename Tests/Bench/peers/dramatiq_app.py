import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))


@dramatiq.actor
def handle(payload):
    from counting import handle

    handle(payload)


if __name__ == "__main__":
    for line in sys.stdin:
        handle.send(line.rstrip("\n"))
