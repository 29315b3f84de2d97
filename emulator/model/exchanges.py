"""Requests to environments and what they answered, as whoever compares, keeps or repeats them needs it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

Headers = Sequence[tuple[str, str]]


class Source(enum.Enum):
    """On whose behalf a request was made."""

    CLIENT = "client"
    COMPARISON = "comparison"


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryRule:
    """
    A value of an environment's answers that later requests of a replay need.

    Attributes:
        json_path: Where it stands in the answer's body.
        variable: Its name, for requests written by hand: ``${variable}``.
        request: Method and path of requests whose answers hold it, with ``*`` for anything; empty for all.
    """

    json_path: str
    variable: str
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """
    Attributes:
        target: Raw path and query within the environment, beginning with a slash: without ``/<environment>``.
        headers: Name and value as sent, bytes as latin-1, repeats kept.
        body: As it was sent; the first part of it when *body_length* is greater.
        body_length: Bytes of the whole body.
    """

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    body_length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """
    What a client of the proxy got, the proxy's own problems and deliberate faults included.

    Attributes:
        headers: As the client got them, but for those of one connection.
        body: The first part of it when *body_length* is greater.
        body_sha256: Of the whole body, in hex; None where nobody took it.
        is_complete: False when the body broke off: the environment's doing, the client's, or a fault's.
        seconds: From the request's head to the last byte of the answer.
        problem: What the proxy answered with in place of the environment, e.g. ``down``; see `emulator.proxy.problems`.
    """

    status: int
    headers: Headers
    body: bytes
    body_length: int
    seconds: float
    body_sha256: str | None = None
    is_complete: bool = True
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """
    A function's part in an answer.

    Attributes:
        request_id: What the function's log lines carry.
        seconds: What the call took, as its REPORT line has it; None when that isn't known.
    """

    function: str
    request_id: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """
    One request through the proxy and its answer; what is secret in it is already redacted.

    Attributes:
        id: Of the row it is kept in, growing; None before it is kept.
        at: When the request's head had arrived.
        client: Address of the client.
        release: Of the answering environment, None when nothing is deployed there or a canary runs.
        upstream_seconds: Of *answer.seconds* those spent waiting for the emulator; None when it wasn't reached.
        invocations: Empty when no function ran, or the emulator doesn't say.
        faults: Names of the faults that were applied to it.
    """

    id: int | None = None
    at: datetime
    source: Source
    environment: str
    client: str
    release: str | None
    digest: str | None
    request: HttpRequest
    answer: HttpAnswer
    upstream_seconds: float | None
    invocations: Sequence[Invocation] = ()
    faults: Sequence[str] = ()
