import os

import boto3

totals = boto3.resource("dynamodb").Table(os.environ["TOTALS"])


def handler(event, context):
    for record in event["Records"]:
        image = record["dynamodb"]["NewImage"]
        totals.update_item(
            Key={"customer": image["pk"]["S"]},
            UpdateExpression="ADD spent :amount",
            ExpressionAttributeValues={":amount": int(image["amount"]["N"])},
        )


def read(event, context):
    return {item["customer"]: int(item["spent"]) for item in totals.scan()["Items"]}
