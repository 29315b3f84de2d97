"""Concurrency: how many calls of a function, and of an account, run at once."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conformance.account import Account, Function, eventually
from tests.conformance.accounts import CONCURRENCY
from tests.conformance.cases import case

_RESERVED = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"
_CONCURRENCY = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html"
_FULL_FUNCTION = "ReservedFunctionConcurrentInvocationLimitExceeded"
_FULL_ACCOUNT = "ConcurrentInvocationLimitExceeded"
# Seconds that a running call lasts: long enough to start a few, and to be refused beside them.
_LASTS = 1.5
_SLEEPS = "import time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return context.function_version\n"


def _call(aws: Any, function: Function, seconds: float, qualifier: str | None = None) -> str | None:
    """Run one call; returns why Lambda refuses it, None when it ran."""
    where = {"Qualifier": qualifier} if qualifier else {}
    try:
        aws.invoke(FunctionName=function.name, Payload=json.dumps(seconds), **where)
    except aws.exceptions.TooManyRequestsException as error:
        return str(error.response["Reason"]) if error.response["ResponseMetadata"]["HTTPStatusCode"] == 429 else "?"
    return None


def _refusal(account: Account, function: Function, qualifier: str | None = None) -> str | None:
    """Why Lambda refuses a call that takes no time; None when it runs."""
    return _call(account.client("lambda"), function, 0, qualifier)


def _refused(account: Account, function: Function, qualifier: str | None = None) -> str | None:
    """Why Lambda refuses calls as soon as it does, None when it never did."""
    aws = account.client("lambda")
    return eventually(
        lambda: _call(aws, function, 0, qualifier), lambda reason: reason is not None, timeout=_LASTS - 0.2
    )


def _insist(aws: Any, function: Function, qualifier: str | None) -> None:
    """Run one long call, as soon as there is room for it."""
    deadline = time.monotonic() + 3
    while _call(aws, function, _LASTS, qualifier) and time.monotonic() < deadline:
        pass


@contextlib.contextmanager
def _running(account: Account, function: Function, calls: int, qualifier: str | None = None) -> Iterator[None]:
    """Keep some calls running for a moment."""
    aws = account.client("lambda")
    with ThreadPoolExecutor(calls) as pool:
        for _ in range(calls):
            pool.submit(_insist, aws, function, qualifier)
        yield


@contextlib.contextmanager
def _reserved(account: Account, function: Function, calls: int) -> Iterator[None]:
    """Reserve concurrency, and give it back: the account is shared with other cases."""
    aws = account.client("lambda")
    try:
        aws.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=calls)
        yield
    finally:
        aws.delete_function_concurrency(FunctionName=function.name)


@case(rule=6, source=_RESERVED, gap="reserved_concurrency")
def test_a_reservation_covers_all_versions(account: Account) -> None:
    """All versions of a function share its reservation: a call of `$LATEST` takes a place of it."""
    function = account.function(_SLEEPS)
    version = account.publish(function)
    with _reserved(account, function, 1), _running(account, function, 1):
        assert _refused(account, function, version) == _FULL_FUNCTION


@case(rule=6, source=_RESERVED)
def test_a_reservation_limits_a_function(account: Account) -> None:
    """No more calls of a function run at once than were reserved; the next one is answered with 429."""
    function = account.function(_SLEEPS)
    with _reserved(account, function, 1):
        with _running(account, function, 1):
            assert _refused(account, function) == _FULL_FUNCTION
        assert _refusal(account, function) is None


@case(rule=6, source=_RESERVED, gap="reserved_concurrency")
def test_a_reservation_of_0_refuses_every_call(account: Account) -> None:
    """A reservation of 0 refuses every call of a function, by whatever qualifier."""
    function = account.function(_SLEEPS)
    version = account.publish(function)
    account.alias(function, "prod", version)
    with _reserved(account, function, 0):
        refused = [_refusal(account, function, qualifier) for qualifier in (None, version, "prod")]
        assert refused == [_FULL_FUNCTION] * 3
    assert _refusal(account, function, "prod") is None


@case(rule=6, source=_CONCURRENCY)
def test_functions_without_a_reservation_share_a_pool(small_account: Account) -> None:
    """Calls of one function without a reservation use up the account's pool: its neighbour is refused."""
    busy, neighbour = small_account.function(_SLEEPS), small_account.function(_SLEEPS)
    with _running(small_account, busy, CONCURRENCY):
        assert _refused(small_account, neighbour) == _FULL_ACCOUNT
    assert _refusal(small_account, neighbour) is None


@case(rule=6, source=_RESERVED, gap="reserved_concurrency")
def test_a_reservation_is_taken_out_of_the_pool(small_account: Account) -> None:
    """What one function has reserved no other can use, even while nobody calls it."""
    guarded, busy = small_account.function(_SLEEPS), small_account.function(_SLEEPS)
    with _reserved(small_account, guarded, CONCURRENCY - 1), _running(small_account, busy, 1):
        assert _refused(small_account, busy) == _FULL_ACCOUNT
        assert _refusal(small_account, guarded) is None


@case(
    rule=6,
    source="https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html",
    gap="reserved_concurrency",
)
def test_the_whole_pool_can_not_be_reserved(small_account: Account) -> None:
    """A reservation that leaves too little for all other functions is refused, and changes nothing."""
    function = small_account.function(_SLEEPS)
    aws = small_account.client("lambda")
    with (
        pytest.raises(aws.exceptions.InvalidParameterValueException) as refused,
        _reserved(small_account, function, CONCURRENCY),
    ):
        pass
    assert "UnreservedConcurrentExecution" in refused.value.response["Error"]["Message"]
    assert "ReservedConcurrentExecutions" not in aws.get_function_concurrency(FunctionName=function.name)


@case(rule=6, source="https://docs.aws.amazon.com/lambda/latest/api/API_AccountLimit.html")
def test_an_account_says_what_is_left(small_account: Account) -> None:
    """The account's settings tell the size of its pool and what is not reserved."""
    function = small_account.function(_SLEEPS)
    aws = small_account.client("lambda")
    with _reserved(small_account, function, 2):
        limit = aws.get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] == CONCURRENCY
    assert limit["UnreservedConcurrentExecutions"] == CONCURRENCY - 2
    assert aws.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == CONCURRENCY


@case(
    rule=6,
    source="https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html",
    gap="async_invocations",
)
def test_a_throttled_event_waits(account: Account) -> None:
    """An asynchronous event that is throttled is kept; that counts as no failed attempt."""
    function = account.function(
        "import time\ndef handler(event, context):\n    time.sleep(event or 0)\n    print('slept', event)\n"
    )
    account.client("lambda").put_function_event_invoke_config(FunctionName=function.name, MaximumRetryAttempts=0)
    with _reserved(account, function, 1):
        with _running(account, function, 1):
            _refused(account, function)
            account.invoke(function, 0.01, InvocationType="Event")
        lines = eventually(
            lambda: account.log_lines(f"/aws/lambda/{function.name}"), lambda found: "slept 0.01" in found, timeout=4
        )
    assert "slept 0.01" in lines


@case(rule=6, source="https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html")
def test_provisioned_concurrency_belongs_to_one_qualifier(account: Account) -> None:
    """Provisioned concurrency is configured for one alias or version and no other."""
    function = account.function(_SLEEPS)
    version = account.publish(function)
    account.alias(function, "prod", version)
    aws = account.client("lambda")
    aws.put_provisioned_concurrency_config(
        FunctionName=function.name, Qualifier="prod", ProvisionedConcurrentExecutions=1
    )
    found = aws.get_provisioned_concurrency_config(FunctionName=function.name, Qualifier="prod")
    assert found["RequestedProvisionedConcurrentExecutions"] == 1
    with pytest.raises(aws.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        aws.get_provisioned_concurrency_config(FunctionName=function.name, Qualifier=version)
    assert account.invoke(function, qualifier="prod")["Payload"] == version
