import json


def handler(event, context):
    http = event["requestContext"]["http"]
    return {"statusCode": 201, "headers": {"X-Made": http["method"]}, "body": json.dumps({"path": event["rawPath"]})}
