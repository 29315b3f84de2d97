import json
import os

import boto3

shipped = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def place(event, context):
    entry = {
        "Source": "shop.orders",
        "DetailType": "placed",
        "EventBusName": os.environ["BUS"],
        "Detail": event["body"],
    }
    answer = boto3.client("events").put_events(Entries=[entry])
    return {"statusCode": 202, "body": json.dumps({"failed": answer["FailedEntryCount"]})}


def ship(event, context):
    shipped.put_item(Item={"id": event["detail"]["id"], "bus": event["detail-type"]})


def report(event, context):
    return {"since": event.get("since"), "shipped": sorted(item["id"] for item in shipped.scan()["Items"])}
