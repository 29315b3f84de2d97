import json


def handler(event, context):
    if event["httpMethod"] == "POST":
        return {"statusCode": 201, "body": str(json.loads(event["body"])["price"])}
    return {"statusCode": 200, "body": "[]"}
