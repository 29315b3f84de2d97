import json
import os

import boto3
from common.answers import answer

table = boto3.resource("dynamodb").Table(os.environ["ITEMS_TABLE"])


def read(event, context):
    parameters = event["pathParameters"]
    if not parameters:
        return answer(200, table.scan()["Items"])
    found = table.get_item(Key={"id": parameters["id"]}).get("Item")
    return answer(200, found) if found else answer(404, {"message": "no such item"})


def write(event, context):
    key = {"id": event["pathParameters"]["id"]}
    if event["httpMethod"] == "DELETE":
        table.delete_item(Key=key)
        return answer(204)
    table.put_item(Item={**json.loads(event["body"]), **key})
    return answer(201, key)
