"""Kept requests as the pages and the API show them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from emulator.model import Exchange
from emulator.model.exchanges import Headers

_MOST_SHOWN = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """
    One request in a list; the names of the attributes are the keys of the JSON.

    Attributes:
        status: 0 when the client got no answer.
        seconds: From the request's head to the last byte of the answer.
        problem: What the proxy answered with in place of the environment.
    """

    id: int
    at: datetime
    source: str
    environment: str
    method: str
    target: str
    status: int
    seconds: float
    answer_length: int
    is_complete: bool
    problem: str | None
    faults: Sequence[str]
    release: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    A request or an answer.

    Attributes:
        body: As text, or in base64.
        encoding: ``text`` or ``base64``.
        body_length: Bytes of the whole body, of which only the first may be kept.
    """

    headers: Headers
    body: str
    encoding: str
    body_length: int
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    Where a part of the time went.

    Attributes:
        what: ``proxy``, ``emulator`` or ``function``.
    """

    what: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a function on the way to the answer."""

    function: str
    request_id: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """One request with all that is kept of it."""

    brief: Brief
    client: str
    digest: str | None
    request: Message
    answer: Message
    timing: Sequence[Part]
    calls: Sequence[Call]


def brief(exchange: Exchange) -> Brief:
    """A line of the list."""
    return Brief(
        id=exchange.id or 0,
        at=exchange.at,
        source=exchange.source.value,
        environment=exchange.environment,
        method=exchange.request.method,
        target=exchange.request.target,
        status=exchange.answer.status,
        seconds=exchange.answer.seconds,
        answer_length=exchange.answer.body_length,
        is_complete=exchange.answer.is_complete,
        problem=exchange.answer.problem,
        faults=tuple(exchange.faults),
        release=exchange.release,
    )


def whole(exchange: Exchange) -> Whole:
    """Everything about one."""
    request, answer = exchange.request, exchange.answer
    return Whole(
        brief=brief(exchange),
        client=exchange.client,
        digest=exchange.digest,
        request=_message(request.headers, request.body, request.body_length),
        answer=_message(answer.headers, answer.body, answer.body_length),
        timing=timing(exchange),
        calls=[
            Call(function=one.function, request_id=one.request_id, seconds=one.seconds) for one in exchange.invocations
        ],
    )


def timing(exchange: Exchange) -> list[Part]:
    """The time in the proxy, in the emulator and in functions; what isn't known of it is left out."""
    total, upstream = exchange.answer.seconds, exchange.upstream_seconds
    if upstream is None:
        return [Part(what="proxy", seconds=total)]
    functions = min(sum(one.seconds or 0.0 for one in exchange.invocations), upstream)
    parts = {"proxy": max(0.0, total - upstream), "emulator": upstream - functions, "function": functions}
    return [Part(what=what, seconds=seconds) for what, seconds in parts.items() if seconds or what != "function"]


def pretty(message: Message) -> str:
    """A body for people: JSON indented, long ones cut."""
    text = message.body
    if message.encoding == "text" and text[:1] in {"{", "["}:
        try:
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = message.body
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "\n…"


def _message(headers: Headers, body: bytes, length: int) -> Message:
    try:
        text, encoding = body.decode(), "text"
    except UnicodeDecodeError as error:
        if error.start > len(body) - 4 and len(body) < length:  # cut within a character
            text, encoding = body.decode(errors="ignore"), "text"
        else:
            text, encoding = base64.b64encode(body).decode(), "base64"
    return Message(
        headers=[(name, value) for name, value in headers],
        body=text,
        encoding=encoding,
        body_length=length,
        is_whole=len(body) >= length,
    )
