"""Logs: one group per function, whose versions show in the names of the streams only."""

from __future__ import annotations

import re
from typing import Any

from tests.conformance.account import Account, Function, eventually
from tests.conformance.cases import case

_LOGS = "https://docs.aws.amazon.com/lambda/latest/operatorguide/log-structure.html"
_FORMAT = "https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html"
_PRINTS = "def handler(event, context):\n    print('order', event)\n"


def _group(function: Function) -> str:
    return f"/aws/lambda/{function.name}"


def _events(account: Account, function: Function, line: str) -> list[Any]:
    """All events of a function's group once *line* is among them."""
    return eventually(
        lambda: account.client("logs").filter_log_events(logGroupName=_group(function))["events"],
        lambda found: line in [event["message"].rstrip() for event in found],
    )


def _stream(account: Account, function: Function, line: str) -> str:
    """The name of the stream in which *line* stands."""
    found = [event for event in _events(account, function, line) if event["message"].rstrip() == line]
    return str(found[0]["logStreamName"])


@case(rule=10, source=_LOGS)
def test_versions_share_a_log_group(account: Account) -> None:
    """All versions of a function log to one group; the version shows in the stream's name."""
    function = account.function(_PRINTS)
    version = account.publish(function)
    account.invoke(function, 1)
    account.invoke(function, 2, qualifier=version)
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix=_group(function))["logGroups"]
    assert [group["logGroupName"] for group in groups] == [_group(function)]
    assert "[$LATEST]" in _stream(account, function, "order 1")
    assert f"[{version}]" in _stream(account, function, "order 2")


@case(rule=10, source=_LOGS)
def test_a_call_through_an_alias_is_logged_by_its_version(account: Account) -> None:
    """The lines of a call through an alias are in its version's stream: the alias shows nowhere."""
    function = account.function(_PRINTS)
    version = account.publish(function)
    account.alias(function, "prod", version)
    account.invoke(function, 1, qualifier="prod")
    stream = _stream(account, function, "order 1")
    assert f"[{version}]" in stream
    assert "prod" not in stream


@case(rule=10, source=_LOGS, gap="log_streams")
def test_calls_of_one_environment_share_a_stream(account: Account) -> None:
    """Calls one after another run in the same execution environment and log to its one stream."""
    function = account.function(_PRINTS)
    for number in range(3):
        account.invoke(function, number)
    assert len({_stream(account, function, f"order {number}") for number in range(3)}) == 1


@case(rule=10, source="https://docs.aws.amazon.com/lambda/latest/dg/python-context.html", gap="log_streams")
def test_a_function_knows_its_stream(account: Account) -> None:
    """The log stream that a function's context names is the one its lines are in, at every call."""
    function = account.function("def handler(event, context):\n    print(context.log_stream_name, event)\n")
    for number in (1, 2):
        account.invoke(function, number)
        events = eventually(
            lambda: account.client("logs").filter_log_events(logGroupName=_group(function))["events"],
            lambda found: any(event["message"].rstrip().endswith(f" {number}") for event in found),  # noqa: B023
        )
        printed = next(event for event in events if event["message"].rstrip().endswith(f" {number}"))
        assert printed["message"].rstrip() == f"{printed['logStreamName']} {number}"


@case(rule=10, source=_FORMAT)
def test_a_call_is_logged_between_its_start_and_end(account: Account) -> None:
    """What a function prints stands between START, END and REPORT of its call."""
    function = account.function("def handler(event, context):\n    print('id', context.aws_request_id)\n")
    account.invoke(function)
    lines = eventually(
        lambda: account.log_lines(_group(function)), lambda found: any(line.startswith("REPORT") for line in found)
    )
    start, printed, end, report = lines
    request = printed.removeprefix("id ")
    assert start == f"START RequestId: {request} Version: $LATEST"
    assert end == f"END RequestId: {request}"
    assert re.match(rf"REPORT RequestId: {request}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\t", report)


@case(rule=10, source=_FORMAT)
def test_logs_outlive_their_function(account: Account) -> None:
    """The log group stays when its function is deleted."""
    function = account.function(_PRINTS)
    account.invoke(function, 1)
    _stream(account, function, "order 1")
    account.client("lambda").delete_function(FunctionName=function.name)
    assert "order 1" in account.log_lines(_group(function))


@case(rule=10, source="https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogGroup.html")
def test_a_deleted_log_group_comes_back_empty(account: Account) -> None:
    """A function whose log group is deleted writes to a new one at its next call."""
    function = account.function(_PRINTS)
    account.invoke(function, 1)
    _stream(account, function, "order 1")
    account.client("logs").delete_log_group(logGroupName=_group(function))
    assert account.log_lines(_group(function)) == []
    account.invoke(function, 2)
    _stream(account, function, "order 2")
    assert "order 1" not in account.log_lines(_group(function))
