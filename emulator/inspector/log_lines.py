"""What functions printed while they answered one request, by its request id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.endpoint import client
from emulator.errors import NotReady
from emulator.logs import filter_events
from emulator.model import Endpoint, Exchange

# Seconds around a request in which its lines are stored: clocks of containers, and what is delivered late.
_MARGIN = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """
    One event of a function's log.

    Attributes:
        message: Without its line end.
    """

    at: datetime
    function: str
    message: str


def log_lines(endpoint: Endpoint, exchange: Exchange) -> Sequence[LogLine]:
    """
    The lines of each call that an answer is made of, from START to REPORT; none that are no more.

    Raises:
        NotReady: The emulator doesn't answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    lines: list[LogLine] = []
    try:
        for call in exchange.invocations:
            group = _group_of(endpoint, call.function)
            start = int((exchange.at.timestamp() - _MARGIN) * 1000)
            end = int((exchange.at.timestamp() + exchange.answer.seconds + _MARGIN) * 1000)
            events = _until(filter_events(client(endpoint, "logs"), group, start), end)
            lines += [_line(event, call.function) for event in events_of_call(events, call.request_id)]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise _unreadable(endpoint, error) from error
    except BotoCoreError as error:
        raise _unreadable(endpoint, error) from error
    return lines


def events_of_call(events: Iterable[Mapping[str, Any]], request_id: str) -> Sequence[Mapping[str, Any]]:
    """
    Those of one call, out of events of several streams in the order in which each stream has them.

    A stream belongs to an execution environment, which answers one call at a time: what stands between the call's START
    and its REPORT is the call's.
    """
    found, streams = [], set()
    for event in events:
        stream, message = event.get("logStreamName"), event["message"]
        if message.startswith(f"START RequestId: {request_id}"):
            streams.add(stream)
        if stream in streams or request_id in message:
            found.append(event)
        if message.startswith(f"REPORT RequestId: {request_id}"):
            break
    return found


def _until(events: Iterable[Mapping[str, Any]], end: int) -> Iterable[Mapping[str, Any]]:
    for event in events:
        if event["timestamp"] > end:
            return
        yield event


def _group_of(endpoint: Endpoint, function: str) -> str:
    found = client(endpoint, "lambda").get_function_configuration(FunctionName=function)
    return str((found.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{function}")


def _line(event: Mapping[str, Any], function: str) -> LogLine:
    return LogLine(
        at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        function=function,
        message=event["message"].rstrip("\r\n"),
    )


def _unreadable(endpoint: Endpoint, error: Exception) -> NotReady:
    return NotReady(f"environment {endpoint.environment}: its logs can't be read: {error}")
