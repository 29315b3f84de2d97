import json
import logging
import os

from .router import Router

app = Router()
logger = logging.getLogger(os.environ["POWERTOOLS_SERVICE_NAME"])
logger.setLevel(os.environ["LOG_LEVEL"])


@app.get("/todos/<todo_id>")
def todo(todo_id):
    return {"id": todo_id, "done": False}


def lambda_handler(event, context):
    logger.info(json.dumps({"request": context.aws_request_id, "path": event["path"]}))
    assert os.environ["AWS_LAMBDA_FUNCTION_NAME"] == context.function_name
    return app.resolve(event)
