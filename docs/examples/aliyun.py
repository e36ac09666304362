#!/usr/bin/env python3
"""A gateway for smsq that sends templates through Aliyun's SMS (SendSms of 2017-05-25). Python's standard library alone.

    export ALIBABA_CLOUD_ACCESS_KEY_ID=... ALIBABA_CLOUD_ACCESS_KEY_SECRET=... ALIYUN_SMS_SIGN=阿里云
    smsq worker --gateway command:/usr/local/bin/aliyun.py
    smsq push --to +8613800138000 --template SMS_1 --template-param code=123456

ALIBABA_CLOUD_SECURITY_TOKEN is for a temporary key. ALIYUN_SMS_SIGN is the signature of messages that name none.
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
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor

ENDPOINT = os.environ.get("ALIYUN_SMS_ENDPOINT", "https://dysmsapi.aliyuncs.com")
KEY_ID = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID", "")
KEY_SECRET = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")
TOKEN = os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN", "")
SIGN = os.environ.get("ALIYUN_SMS_SIGN", "")
AT_ONCE = 100  # messages on their way to Aliyun: what is more waits in smsq, which takes back what expires
# Seconds to connect, and again for the answer: together less than --gateway-timeout, which is 30 s.
TIMEOUT = float(os.environ.get("GATEWAY_CALL_TIMEOUT", "10"))
writing = threading.Lock()
free = threading.Semaphore(AT_ONCE)


def send(message):
    """Sends one message and returns its outcome. Takes its time: others are sent meanwhile."""
    if has_expired(message):  # put off, it is looked at again, and counted as expired
        return {"outcome": "retry", "code": "expired"}
    if "text" in message:
        return {"outcome": "failed", "code": "text", "reason": "Aliyun sends templates: give 'template' in place of 'text'"}
    sign = message.get("sign") or SIGN
    if not sign:
        return {"outcome": "failed", "code": "sign", "reason": "the message has no 'sign', and ALIYUN_SMS_SIGN is not set"}
    values = message.get("template_params") or {}
    if not isinstance(values, dict) or any(not isinstance(value, (str, int, float)) for value in values.values()):
        return {"outcome": "failed", "code": "params", "reason": "Aliyun takes 'template_params' as names and values"}
    parameters = {
        "PhoneNumbers": number(message["to"]),
        "SignName": sign,
        "TemplateCode": str(message["template"]),
        "OutId": message["id"],  # comes back in Aliyun's reports
    }
    if values:  # Aliyun refuses numbers in it: {"code":123456}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
        parameters["TemplateParam"] = json.dumps(texts, ensure_ascii=False)
    return call("SendSms", parameters)


def number(e164):
    """Aliyun has Chinese numbers without their country code, and others without the +."""
    return e164[3:] if e164.startswith("+86") else e164[1:]


def call(action, parameters):
    url = urllib.parse.urlsplit(ENDPOINT)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc, timeout=TIMEOUT)
    try:
        connection.connect()
    except OSError as error:  # refused, no such host, a bad certificate, a time-out: surely not sent
        return {"outcome": "retry", "code": "unreachable", "reason": type(error).__name__}
    try:
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        query, headers = signed(url.netloc, action, "2017-05-25", parameters, KEY_ID, KEY_SECRET, now, uuid.uuid4().hex, TOKEN)
        connection.request("POST", "/?" + query, b"", headers)
        response = connection.getresponse()
        return outcome_of(response.status, response.read())
    except (OSError, http.client.HTTPException) as error:  # a time-out, or broken off: Aliyun may have the request
        return {"outcome": "unknown", "code": "no_response", "reason": type(error).__name__}
    finally:
        connection.close()


def signed(host, action, version, parameters, key_id, secret, date, nonce, token=""):
    """The query and the headers of a request, signed by ACS3-HMAC-SHA256:
    https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature"""
    quote = lambda text: urllib.parse.quote(text, safe="")
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted(parameters.items()))
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    if token:
        headers["x-acs-security-token"] = token
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    request = "\n".join(["POST", "/", query, *lines, "", names, headers["x-acs-content-sha256"]])
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(request.encode()).hexdigest()
    signature = hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
    headers["Authorization"] = f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signature}"
    return query, headers


# The account, its keys or its balance, whatever the message: tried again until somebody has put it right. The codes are those of
# https://help.aliyun.com/document_detail/101346.html
ACCOUNT = re.compile(
    r"isp\.RAM_PERMISSION_DENY|isv\.(OUT_OF_SERVICE|AMOUNT_NOT_ENOUGH|PRODUCT_UN_?SUBSCRI|ACCOUNT_|DAY_LIMIT|MONTH_LIMIT|DENY_IP)"
    r"|InvalidAccessKeyId|SignatureDoesNotMatch|IncompleteSignature|InvalidTimeStamp|SignatureNonceUsed|InvalidSecurityToken"
    r"|Forbidden|NoPermission|Unauthorized"
)


def outcome_of(status, body):
    """Says what Aliyun's code means for the message."""
    try:
        reply = json.loads(body)
        code, words = reply["Code"], str(reply.get("Message", ""))
    except (ValueError, LookupError, TypeError, AttributeError):  # not Aliyun: something in between
        outcome = "throttled" if status == 429 else "unknown" if status < 300 or status >= 500 and status != 503 else "retry"
        return {"outcome": outcome, "code": str(status), "reason": "no answer of Aliyun's"}
    answer = {"code": code, "reason": re.sub(r"\d{7,}", "****", words)}  # it repeats numbers
    if code == "OK":
        return {"outcome": "accepted", "provider_id": reply.get("BizId", "")}
    if code.startswith("Throttling") or status == 429:  # the account's calls a second
        return {**answer, "outcome": "throttled"}
    if code == "isv.BUSINESS_LIMIT_CONTROL":  # too many to this one number: of a minute, an hour, a day
        if "天级" in words:
            return {**answer, "outcome": "failed"}
        return {**answer, "outcome": "retry", "retry_after": "1h" if "小时级" in words else "1m"}
    if ACCOUNT.match(code) or code.startswith("isp.") or status == 503:  # "try again" is what isp.SYSTEM_ERROR says
        return {**answer, "outcome": "retry"}
    if status >= 500:
        return {**answer, "outcome": "unknown"}
    return {**answer, "outcome": "failed"}  # the number, the template, the signature, the parameters


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
    if not KEY_ID or not KEY_SECRET:
        sys.exit("ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET have to be set: aliyun.py cannot sign without them")
    pool = ThreadPoolExecutor(AT_ONCE)
    sys.stdin.reconfigure(encoding="utf-8")
    for line in sys.stdin:
        free.acquire()  # reads no further than it can send
        pool.submit(handle, line)
    # The end of the input: the worker stops, or is gone. What has begun is finished, and nothing more is begun.
    pool.shutdown()
