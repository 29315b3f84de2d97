import os

import boto3

seen = boto3.resource("dynamodb").Table(os.environ["SEEN"])


def audit(event, context):
    for record in event["Records"]:
        seen.put_item(Item={"id": f"audit {record['body']}"})


def mail(event, context):
    for record in event["Records"]:
        seen.put_item(Item={"id": f"mail {record['Sns']['Message']}"})
