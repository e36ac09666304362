#!/usr/bin/env python3
"""A gateway for smsq: reads one message a line, writes one outcome a line. Put your provider's API into send()."""
import datetime
import email.utils
import http.client
import json
import os
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

URL = os.environ.get("GATEWAY_URL")  # as https://provider.example/messages; without one, it only pretends to send
AT_ONCE = 100  # messages on their way to the provider: what is more waits in smsq, which takes back what expires
# Seconds to connect, and again for the answer: together less than --gateway-timeout, which is 30 s.
TIMEOUT = float(os.environ.get("GATEWAY_CALL_TIMEOUT", "10"))
writing = threading.Lock()
free = threading.Semaphore(AT_ONCE)


def send(message):
    """Sends one message and returns its outcome. Takes its time: others are sent meanwhile."""
    if has_expired(message):  # put off, it is looked at again, and counted as expired
        return {"outcome": "retry", "code": "expired"}
    if "text" not in message:  # a template: say it to your provider, if that has some
        return {"outcome": "failed", "code": "template", "reason": "this gateway sends texts only"}
    if not URL:
        return pretend(message)
    url = urllib.parse.urlsplit(URL)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc, timeout=TIMEOUT)
    try:
        connection.connect()
    except OSError as error:  # refused, no such host, a bad certificate, a time-out: surely not sent
        return {"outcome": "retry", "code": "unreachable", "reason": type(error).__name__}
    try:
        body = json.dumps({"to": message["to"], "text": message["text"], "from": message.get("from")})
        # Where the provider can tell a repeated request by the id, nothing is sent twice.
        headers = {"Content-Type": "application/json", "Idempotency-Key": urllib.parse.quote(message["id"])}
        connection.request("POST", url.path or "/", body.encode(), headers)
        response = connection.getresponse()
        return outcome_of(response, response.read())
    except (OSError, http.client.HTTPException) as error:  # a time-out, or broken off: the provider may have the request
        return {"outcome": "unknown", "code": "no_response", "reason": type(error).__name__}
    finally:
        connection.close()


def outcome_of(response, body):
    """Says what the provider's status means. Look up what yours means by each."""
    status = response.status
    answer = {"code": str(status), "reason": response.reason}
    if 200 <= status < 300:
        return {"outcome": "accepted", "provider_id": provider_id(body)}
    if status == 429:  # too many: smsq slows down, and the message does not suffer for it
        return {**answer, "outcome": "throttled", "retry_after": seconds(response.getheader("Retry-After"))}
    if status == 503:  # not taken. Other 5xx come from behind the door, where it may have been sent
        return {**answer, "outcome": "retry", "retry_after": seconds(response.getheader("Retry-After"))}
    if status >= 500:
        return {**answer, "outcome": "unknown"}
    if status < 400 or status in (401, 402, 403, 404, 407, 408):  # our account or URL, not this message: mend it meanwhile
        return {**answer, "outcome": "retry"}
    return {**answer, "outcome": "failed"}  # 400, 422 and the like: no such number, opted out


def provider_id(body):
    try:
        return str(json.loads(body)["id"])
    except (ValueError, LookupError, TypeError):
        return ""  # accepted all the same


def seconds(retry_after):
    """Retry-After is a number of seconds, or a date."""
    try:
        return max(0, int(retry_after))
    except (TypeError, ValueError):
        date = email.utils.parsedate_tz(retry_after or "")
        return date and max(0, int(email.utils.mktime_tz(date) - time.time()))


def has_expired(message):
    """smsq looked as it handed the message over. It may have waited here since."""
    if "expires_at" not in message:
        return False
    expires_at = datetime.datetime.fromisoformat(message["expires_at"].replace("Z", "+00:00"))
    return expires_at <= datetime.datetime.now(datetime.timezone.utc)


def pretend(message):
    if message["to"].startswith("+1555"):
        return {"outcome": "failed", "code": "no_such_number", "reason": "555 is for films"}
    if message["text"] == "busy" and message["attempt"] == 1:
        return {"outcome": "throttled", "code": "busy", "reason": "come back later", "retry_after": "1s"}
    return {"outcome": "accepted", "provider_id": "example-" + message["id"], "segments": message["segments"]}


def handle(line):
    message = json.loads(line)
    try:
        answer = send(message)
    except Exception as error:  # a bug: nobody knows whether it was sent
        print(f"{message['id']}: {error!r}", file=sys.stderr, flush=True)  # goes to the worker's standard error
        answer = {"outcome": "unknown", "code": "exception", "reason": type(error).__name__}
    answer["ref"] = message["ref"]  # says which line is answered; the order is free
    with writing:
        print(json.dumps(answer), flush=True)  # without flush the worker would wait for a full buffer
    free.release()


pool = ThreadPoolExecutor(AT_ONCE)
sys.stdin.reconfigure(encoding="utf-8")
for line in sys.stdin:
    free.acquire()  # reads no further than it can send
    pool.submit(handle, line)
# The end of the input: the worker stops, or is gone. What has begun is finished, and nothing more is begun.
pool.shutdown()
