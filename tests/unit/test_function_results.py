"""How calls end, in AWS's words, and what the function's own side makes of results and errors."""

from __future__ import annotations

import decimal
import json
import re
from typing import Any

import pytest

from emulator.drivers.launcher.functions import calls, results
from emulator.drivers.launcher.functions.multistack_runtime import outcomes
from emulator.drivers.launcher.functions.multistack_runtime.context import LambdaContext
from emulator.drivers.launcher.functions.results import Result

_FUNCTION = {"name": "f", "version": "7", "memory": 128, "log_group": "/aws/lambda/f", "log_stream": "s"}


def test_a_timeout_names_time_request_and_seconds() -> None:
    """In the answer and in the log, after what the function printed."""
    done = results.timed_out("id-1", 3.0, "begun\n")
    message = (done.error or {})["errorMessage"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z id-1 Task timed out after 3\.00 seconds", message)
    assert done.log == f"begun\n{message}\n"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param(0, "Runtime exited without providing a reason", id="in good order"),
        pytest.param(3, "Runtime exited with error: exit status 3", id="with a status"),
        pytest.param(-9, "Runtime exited with error: signal: killed", id="by a signal"),
    ],
)
def test_an_exit_is_described(status: int, reason: str) -> None:
    """``Runtime.ExitError``, with the request's id."""
    error = results.exited("id-1", status, "").error
    assert error == {"errorMessage": f"RequestId: id-1 Error: {reason}", "errorType": "Runtime.ExitError"}


def test_errors_are_unhandled() -> None:
    """The header ``X-Amz-Function-Error`` of whatever the function did not answer itself."""
    assert calls.answer(Result(7, "said")) == {"body": 7, "log": "said"}
    failed = calls.answer(results.failed("Runtime.ExitError", "gone", "said"))
    assert (failed["error"], failed["function_error"]) == (True, "Unhandled")


@pytest.mark.parametrize(("header", "expected"), [("", None), ("e30=", {}), ("%%%", None), ("bm8=", None)])
def test_a_client_context_is_json_in_base64(header: str, expected: Any) -> None:
    """Anything else says nothing."""
    assert calls.read_client_context(header) == expected


def test_decimals_are_numbers() -> None:
    """DynamoDB's numbers can be answered as they are."""
    assert json.loads(outcomes.marshal({"price": decimal.Decimal("1.5")})) == {"price": 1.5}


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        pytest.param({1, 2}, "Runtime.MarshalError", id="no JSON"),
        pytest.param("x" * (outcomes.MOST_RESULT_BYTES + 1), "Function.ResponseSizeTooLarge", id="too long"),
    ],
)
def test_a_result_that_can_not_be_sent_is_a_failure(result: object, kind: str) -> None:
    """With AWS's type."""
    with pytest.raises(outcomes.Failure) as caught:
        outcomes.marshal(result)
    assert outcomes.describe(caught.value, "id-1")["errorType"] == kind


def test_an_exception_without_text_is_described() -> None:
    """Even one that can't say what it is."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    description = outcomes.describe(Mute(), "id-1")
    assert (description["errorType"], description["errorMessage"]) == ("Mute", "<no text: ValueError>")


def test_the_context_has_what_the_caller_sent() -> None:
    """Custom values, the client, and None for what wasn't sent."""
    call = {"request_id": "id-1", "arn": "arn", "seconds": 3, "client_context": {"custom": {"a": 1}, "client": {}}}
    context = LambdaContext(_FUNCTION, call)
    assert context.client_context is not None
    assert vars(context.client_context)["custom"] == {"a": 1}
    assert vars(context.client_context.client)["app_title"] is None
    assert 2_000 < context.get_remaining_time_in_millis() <= 3_000
    assert LambdaContext(_FUNCTION, {**call, "client_context": None, "seconds": 0}).client_context is None
    assert "aws_request_id=id-1" in repr(context)
