"""Notes in a table, which another stack has."""

import json
import os

import boto3


def handler(event, context):
    """PUT keeps a note, GET gets one back."""
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    name = event["path"].strip("/") or "index"
    if event["httpMethod"] == "PUT":
        table.put_item(Item={"id": name, "text": event["body"]})
    note = table.get_item(Key={"id": name}).get("Item", {}).get("text")
    return {"statusCode": 200, "body": json.dumps({"stage": os.environ["STAGE"], "note": note})}


def tidy(event, context):
    """Nothing to do yet."""
