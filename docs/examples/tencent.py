#!/usr/bin/env python3
"""A gateway for smsq that sends templates through Tencent Cloud's SMS (SendSms of 2021-01-11). Python's standard library alone.

    export TENCENTCLOUD_SECRET_ID=... TENCENTCLOUD_SECRET_KEY=... TENCENT_SMS_APP_ID=1400006666 TENCENT_SMS_SIGN=腾讯云
    smsq worker --gateway command:/usr/local/bin/tencent.py
    smsq push --to +8613800138000 --template 1110 --template-param 123456 --template-param 5

TENCENTCLOUD_TOKEN is for a temporary key. TENCENT_SMS_SIGN is the signature of messages that name none; messages abroad need none.
"""
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

ENDPOINT = os.environ.get("TENCENT_SMS_ENDPOINT", "https://sms.tencentcloudapi.com")
REGION = os.environ.get("TENCENT_SMS_REGION", "ap-guangzhou")
SECRET_ID = os.environ.get("TENCENTCLOUD_SECRET_ID", "")
SECRET_KEY = os.environ.get("TENCENTCLOUD_SECRET_KEY", "")
TOKEN = os.environ.get("TENCENTCLOUD_TOKEN", "")
APP_ID = os.environ.get("TENCENT_SMS_APP_ID", "")
SIGN = os.environ.get("TENCENT_SMS_SIGN", "")
AT_ONCE = 100  # messages on their way to Tencent: what is more waits in smsq, which takes back what expires
# Seconds to connect, and again for the answer: together less than --gateway-timeout, which is 30 s.
TIMEOUT = float(os.environ.get("GATEWAY_CALL_TIMEOUT", "10"))
CONTENT_TYPE = "application/json; charset=utf-8"
writing = threading.Lock()
free = threading.Semaphore(AT_ONCE)


def send(message):
    """Sends one message and returns its outcome. Takes its time: others are sent meanwhile."""
    if has_expired(message):  # put off, it is looked at again, and counted as expired
        return {"outcome": "retry", "code": "expired"}
    if "text" in message:
        return {"outcome": "failed", "code": "text", "reason": "Tencent sends templates: give 'template' in place of 'text'"}
    sign = message.get("sign") or SIGN
    if not sign and message["to"].startswith("+86"):
        return {"outcome": "failed", "code": "sign", "reason": "the message has no 'sign', and TENCENT_SMS_SIGN is not set"}
    values = message.get("template_params") or []
    if not isinstance(values, list) or any(not isinstance(value, (str, int, float)) for value in values):
        return {"outcome": "failed", "code": "params", "reason": "Tencent takes 'template_params' as a list of values"}
    parameters = {
        "PhoneNumberSet": [message["to"]],
        "SmsSdkAppId": APP_ID,
        "TemplateId": str(message["template"]),
        "TemplateParamSet": [value if isinstance(value, str) else json.dumps(value) for value in values],
        "SessionContext": message["id"],  # comes back in Tencent's reports
    }
    if sign:
        parameters["SignName"] = sign
    return call("SendSms", parameters)


def call(action, parameters):
    url = urllib.parse.urlsplit(ENDPOINT)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc, timeout=TIMEOUT)
    try:
        connection.connect()
    except OSError as error:  # refused, no such host, a bad certificate, a time-out: surely not sent
        return {"outcome": "retry", "code": "unreachable", "reason": type(error).__name__}
    try:
        body = json.dumps(parameters).encode()
        now = int(time.time())
        headers = {
            "Authorization": authorization("sms", url.netloc, body, now, SECRET_ID, SECRET_KEY),
            "Content-Type": CONTENT_TYPE,
            "Host": url.netloc,
            "X-TC-Action": action,
            "X-TC-Version": "2021-01-11",
            "X-TC-Region": REGION,
            "X-TC-Timestamp": str(now),
        }
        if TOKEN:
            headers["X-TC-Token"] = TOKEN
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return outcome_of(response.status, response.read())
    except (OSError, http.client.HTTPException) as error:  # a time-out, or broken off: Tencent may have the request
        return {"outcome": "unknown", "code": "no_response", "reason": type(error).__name__}
    finally:
        connection.close()


def authorization(service, host, body, timestamp, secret_id, secret_key):
    """The header that signs a POST, by TC3-HMAC-SHA256: https://cloud.tencent.com/document/product/679/47719"""
    date = datetime.datetime.fromtimestamp(timestamp, datetime.timezone.utc).strftime("%Y-%m-%d")
    names = "content-type;host"
    request = f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\n\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{date}/{service}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("TC3" + secret_key).encode()
    for part in (date, service, "tc3_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    return f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders={names}, Signature={signature}"


# The account, its keys or its balance, whatever the message: tried again until somebody has put it right. The codes are those of
# https://cloud.tencent.com/document/api/382/59177 and https://cloud.tencent.com/document/api/382/52075
ACCOUNT = re.compile(
    r"AuthFailure|Ip(InBlack|NotInWhite)list|UnauthorizedOperation|FailedOperation\.InsufficientBalance|InternalError\.(Sig|RequestTime|RestApi)"
    r"|InvalidParameterValue\.SdkAppIdNotExist|LimitExceeded\.(App|DailyLimit)|ResourceInsufficient|ResourceUnavailable"
)
# Too many to this one number, or too late in the evening: how long to wait.
WAITS = {
    "LimitExceeded.PhoneNumberThirtySecondLimit": "30s",
    "LimitExceeded.DeliveryFrequencyLimit": "1m",
    "LimitExceeded.PhoneNumberOneHourLimit": "1h",
    "FailedOperation.MarketingSendTimeConstraint": "1h",
}


def outcome_of(status, body):
    """Says what Tencent's code means for the message."""
    try:
        response = json.loads(body)["Response"]
        reply = response["Error"] if "Error" in response else response["SendStatusSet"][0]
        code, words = reply["Code"], str(reply.get("Message", ""))
    except (ValueError, LookupError, TypeError, AttributeError):  # not Tencent: something in between
        outcome = "throttled" if status == 429 else "unknown" if status < 300 or status >= 500 and status != 503 else "retry"
        return {"outcome": outcome, "code": str(status), "reason": "no answer of Tencent's"}
    answer = {"code": code, "reason": re.sub(r"\d{7,}", "****", words)}  # it may repeat numbers
    if code == "Ok":
        accepted = {"outcome": "accepted", "provider_id": reply.get("SerialNo", "")}
        return {**accepted, "segments": reply["Fee"]} if "Fee" in reply else accepted
    if code.startswith("RequestLimitExceeded") or status == 429:  # the account's calls a second
        return {**answer, "outcome": "throttled"}
    if code in WAITS:
        return {**answer, "outcome": "retry", "retry_after": WAITS[code]}
    if ACCOUNT.match(code):
        return {**answer, "outcome": "retry"}
    if code.startswith("InternalError"):  # it may have been sent
        return {**answer, "outcome": "unknown"}
    return {**answer, "outcome": "failed"}  # the number, the template, the signature, the parameters; too many of a day


def has_expired(message):
    """smsq looked as it handed the message over. It may have waited here since."""
    if "expires_at" not in message:
        return False
    expires_at = datetime.datetime.fromisoformat(message["expires_at"].replace("Z", "+00:00"))
    return expires_at <= datetime.datetime.now(datetime.timezone.utc)


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


if __name__ == "__main__":
    if not SECRET_ID or not SECRET_KEY or not APP_ID:
        sys.exit("TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY and TENCENT_SMS_APP_ID have to be set: tencent.py cannot send without")
    pool = ThreadPoolExecutor(AT_ONCE)
    sys.stdin.reconfigure(encoding="utf-8")
    for line in sys.stdin:
        free.acquire()  # reads no further than it can send
        pool.submit(handle, line)
    # The end of the input: the worker stops, or is gone. What has begun is finished, and nothing more is begun.
    pool.shutdown()
