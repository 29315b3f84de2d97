import json
from decimal import Decimal


def answer(status, body=None):
    text = json.dumps(body, default=lambda value: int(value) if isinstance(value, Decimal) else str(value))
    return {"statusCode": status, "headers": {"Access-Control-Allow-Origin": "*"}, "body": text}
