import os
import sys

from celery import Celery

app = Celery("bench", broker=os.environ["REDIS_URL"])
# The documented advice for short tasks: fetch many ahead, keep no results, send no events.
app.conf.update(worker_prefetch_multiplier=1000, task_ignore_result=True, worker_send_task_events=False,
                worker_hijack_root_logger=False)


# Named, because the producer runs this file as a program and the worker imports it.
@app.task(name="handle")
def handle(payload):
    from counting import handle

    handle(payload)


if __name__ == "__main__":
    for line in sys.stdin:
        handle.delay(line.rstrip("\n"))
