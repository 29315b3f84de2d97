import json

import boto3


def handler(event, context):
    for record in event["Records"]:
        asked = json.loads(record["body"])
        said = json.dumps({"said": "yes" if asked["amount"] < 100 else "no"})
        boto3.client("stepfunctions").send_task_success(taskToken=asked["token"], output=said)
