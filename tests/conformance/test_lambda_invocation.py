"""Invocation: what a caller gets, and what becomes of events that nobody waits for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.conformance.account import Account, Function, answering, eventually, unique
from tests.conformance.cases import case

_INVOKE = "https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"
_ERRORS = "https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html"
_ASYNC = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"
_RECORDS = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"
_RAISES = "def handler(event, context):\n    raise ValueError('no such order')\n"
_PRINTS = "def handler(event, context):\n    print('ran', event)\n    return event\n"


def _queue(account: Account) -> tuple[str, str]:
    """URL and ARN of a new queue."""
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _received(account: Account, url: str) -> Any:
    """The next message of a queue; fails when there is none."""
    found = eventually(
        lambda: account.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages"),
        bool,
        timeout=4,
    )
    assert found
    return found[0]


def _lines(account: Account, function: Function) -> list[str]:
    return account.log_lines(f"/aws/lambda/{function.name}")


@case(source=_ERRORS, gap="functions")
def test_an_exception_reaches_the_caller(account: Account) -> None:
    """A function that raises answers 200, `Unhandled`, and the exception's class, message and trace."""
    answer = account.invoke(account.function(_RAISES))
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "ValueError"
    assert answer["Payload"]["errorMessage"] == "no such order"
    assert isinstance(answer["Payload"]["stackTrace"], list)


@case(source="https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html")
def test_a_call_that_takes_too_long_is_ended(account: Account) -> None:
    """A call that takes longer than the function's timeout is ended, and told as an error."""
    function = account.function("import time\ndef handler(event, context):\n    time.sleep(30)\n", timeout=1)
    answer = account.invoke(function)
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in answer["Payload"]["errorMessage"]


@case(source=_INVOKE)
def test_a_dry_run_runs_nothing(account: Account) -> None:
    """A dry run answers 204 and does not call the function."""
    function = account.function(_PRINTS)
    assert account.invoke(function, "dry", InvocationType="DryRun")["StatusCode"] == 204
    account.invoke(function, "wet")
    lines = eventually(lambda: _lines(account, function), lambda found: "ran wet" in found)
    assert "ran dry" not in lines


@case(source=_INVOKE)
def test_a_caller_may_ask_for_the_log(account: Account) -> None:
    """With `LogType=Tail` the answer carries the end of the call's log."""
    answer = account.invoke(account.function(_PRINTS), "this", LogType="Tail")
    assert "ran this" in base64.b64decode(answer["LogResult"]).decode()


@case(source=_INVOKE, gap="payload_limits")
def test_an_event_that_is_too_large_is_refused(account: Account) -> None:
    """An event of more than 6 MB is refused with 413; one of 6 MB is not."""
    function = account.function("def handler(event, context):\n    return len(event)\n")
    most = 6 * 1024 * 1024
    assert account.invoke(function, "x" * (most - 2))["Payload"] == most - 2
    aws = account.client("lambda")
    with pytest.raises(aws.exceptions.RequestTooLargeException) as refused:
        account.invoke(function, "x" * (most - 1))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


@case(source="https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html", gap="functions")
def test_an_answer_that_is_too_large_is_an_error(account: Account) -> None:
    """A function that answers with more than 6 MB fails with `Function.ResponseSizeTooLarge`."""
    function = account.function("def handler(event, context):\n    return 'x' * (6 * 1024 * 1024 + 101)\n")
    answer = account.invoke(function)
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "Function.ResponseSizeTooLarge"


@case(source=_INVOKE, gap="payload_limits")
def test_an_event_must_be_json(account: Account) -> None:
    """An event that is not JSON is refused, and the function not called."""
    function = account.function(_PRINTS)
    aws = account.client("lambda")
    with pytest.raises(aws.exceptions.InvalidRequestContentException):
        aws.invoke(FunctionName=function.name, Payload=b"{half")
    assert not [line for line in _lines(account, function) if line.startswith("ran")]


@case(source=_INVOKE)
def test_what_does_not_exist_can_not_be_called(account: Account) -> None:
    """A call of an unknown function, version or alias is answered with `ResourceNotFoundException`."""
    function = account.function(answering("one"))
    aws = account.client("lambda")
    for name, qualifier in ((unique("none"), "$LATEST"), (function.name, "7"), (function.name, "prod")):
        with pytest.raises(aws.exceptions.ResourceNotFoundException):
            aws.invoke(FunctionName=name, Qualifier=qualifier)


@case(source=_ASYNC)
def test_a_failed_event_is_tried_again(account: Account) -> None:
    """An asynchronous event whose function fails is tried again as often as configured."""
    function = account.function("def handler(event, context):\n    print('tried')\n    raise ValueError\n")
    account.client("lambda").put_function_event_invoke_config(FunctionName=function.name, MaximumRetryAttempts=1)
    assert account.invoke(function, InvocationType="Event")["StatusCode"] == 202
    lines = eventually(lambda: _lines(account, function), lambda found: found.count("tried") > 1, timeout=5)
    assert lines.count("tried") == 2


@case(source=_RECORDS, gap="async_invocations")
def test_a_dead_letter_queue_gets_the_event(account: Account) -> None:
    """An event that failed for good lies in the dead-letter queue, with the error in its attributes."""
    url, arn = _queue(account)
    function = account.function(_RAISES, DeadLetterConfig={"TargetArn": arn})
    account.client("lambda").put_function_event_invoke_config(FunctionName=function.name, MaximumRetryAttempts=0)
    account.invoke(function, {"order": 7}, InvocationType="Event")
    message = _received(account, url)
    assert json.loads(message["Body"]) == {"order": 7}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no such order"
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "200"


@case(source=_RECORDS)
def test_a_destination_gets_a_record_of_the_failure(account: Account) -> None:
    """The on-failure destination gets a record with the event, the reason and the function's answer."""
    url, arn = _queue(account)
    function = account.function(_RAISES)
    account.client("lambda").put_function_event_invoke_config(
        FunctionName=function.name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    account.invoke(function, {"order": 7}, InvocationType="Event")
    record = json.loads(_received(account, url)["Body"])
    assert record["requestPayload"] == {"order": 7}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert "no such order" in record["responsePayload"]["errorMessage"]


@case(source=_RECORDS, gap="async_invocations")
def test_a_destination_gets_a_record_of_the_success(account: Account) -> None:
    """The on-success destination of an alias gets a record with the event and the function's answer."""
    url, arn = _queue(account)
    function = account.function(_PRINTS)
    account.alias(function, "prod", account.publish(function))
    account.client("lambda").put_function_event_invoke_config(
        FunctionName=function.name, Qualifier="prod", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    account.invoke(function, {"order": 7}, qualifier="prod", InvocationType="Event")
    record = json.loads(_received(account, url)["Body"])
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["functionArn"] == f"{function.arn}:prod"
    assert record["responsePayload"] == {"order": 7}
