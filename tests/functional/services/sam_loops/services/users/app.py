import os


def handler(event, context):
    return {"statusCode": 200, "body": f"users of {os.environ['COUNT']}: {os.environ['TABLE']}"}
