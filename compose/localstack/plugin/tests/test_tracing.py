"""Which calls of functions an answer is made of, told to whoever asks."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any

import pytest
from running_functions import ACCOUNT, ENDPOINT, REGION, Function, eventually

SOURCE = """
import json
def handler(event, context):
    print("said by", context.aws_request_id)
    return {"statusCode": 200, "body": json.dumps({"id": context.aws_request_id, "headers": event["headers"]})}
"""


@pytest.fixture
def function(make_function: Callable[..., Function]) -> Function:
    """Answers with its request id and the headers it got."""
    return make_function(SOURCE)


@pytest.fixture
def url(client: Callable[[str], Any], function: Function) -> Iterator[str]:
    """Where a REST API hands every GET to the function."""
    gateway = client("apigateway")
    api = gateway.create_rest_api(name=function.name)["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}"
    gateway.put_integration(
        restApiId=api,
        resourceId=root,
        httpMethod="GET",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations",
    )
    gateway.create_deployment(restApiId=api, stageName="live")
    yield f"{ENDPOINT}/_aws/execute-api/{api}/live/"
    gateway.delete_rest_api(restApiId=api)


def ask(url: str, **headers: str) -> tuple[Message, Any]:
    """An answer's headers and its body."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers, json.loads(answer.read())


def test_calls_are_told_to_whoever_asks(url: str, function: Function, client: Callable[[str], Any]) -> None:
    """Name, the request id that the log lines carry, and milliseconds; the function doesn't see the question."""
    headers, body = ask(url, X_Multistack_Trace="1")
    told = headers.get_all("X-Multistack-Invocation")
    assert told is not None
    name, request_id, milliseconds = told[0].split(";")
    assert (len(told), name, request_id) == (1, function.name, body["id"])
    assert re.fullmatch(r"[0-9]+\.[0-9]{3}", milliseconds)
    assert not [key for key in body["headers"] if key.lower() == "x-multistack-trace"]
    logs = client("logs")
    found = eventually(
        lambda: logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=f'"{request_id}"')["events"]
    )
    assert any("said by" in event["message"] for event in found)


def test_nobody_else_sees_anything(url: str) -> None:
    """A client that doesn't ask gets the answer of its API and nothing more."""
    headers, _ = ask(url)
    assert "X-Multistack-Invocation" not in headers
