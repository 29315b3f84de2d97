import os


def handler(event, context):
    return {"statusCode": 200, "body": f"audit of {os.environ['COUNT']}: {os.environ['TABLE']}"}
