import json
import os

import boto3


def handler(event, context):
    items = boto3.client("dynamodb").scan(TableName=os.environ["TABLE"])["Items"]
    return {"statusCode": 200, "body": json.dumps(len(items))}
