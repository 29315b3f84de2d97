import json
import os

import boto3

results = boto3.resource("dynamodb").Table(os.environ["RESULTS"])


def process(event, context):
    failed = []
    for record in event["Records"]:
        try:
            job = json.loads(record["body"])
            results.put_item(Item={"job": job["id"], "sum": sum(job["numbers"])})
        except (ValueError, KeyError):
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
