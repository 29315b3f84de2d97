import base64
import functools
import hashlib
import hmac
import json
import os

import boto3


@functools.cache
def key():
    found = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET"])
    return json.loads(found["SecretString"])["key"].encode()


def receive(event, context):
    body = event["body"] or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    given = {name.lower(): value for name, value in event["headers"].items()}.get("x-signature", "")
    if not hmac.compare_digest(given, hmac.new(key(), raw, hashlib.sha256).hexdigest()):
        return {"statusCode": 401, "body": "bad signature"}
    origin = boto3.client("ssm").get_parameter(Name=os.environ["ORIGIN"])["Parameter"]["Value"]
    return {"statusCode": 200, "body": f"{event['pathParameters']['source']} of {origin}"}
