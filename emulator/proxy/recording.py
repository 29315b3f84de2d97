"""Notes what passes through the proxy, beside its way: for the rates, and for whoever keeps whole exchanges."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from emulator.faults.fault import FAULT_HEADER
from emulator.inspector.feed import Feed
from emulator.inspector.rates import Rates
from emulator.model import Exchange, HttpAnswer, HttpRequest, Route
from emulator.proxy.answer import Answer, Forward, Parts
from emulator.proxy.problems import CONTENT_TYPE, Problem
from emulator.proxy.request import Readable, Request
from emulator.proxy.resolve import Destination, split_segment

_FAULT_HEADER = FAULT_HEADER.lower()
# The status of an exchange whose client got no answer at all.
NO_STATUS = 0
# Kinds of problems for which all the time was spent waiting for the emulator.
_UPSTREAM_PROBLEMS = frozenset({"timeout", "bad-answer"})


class Recorder:
    """
    Stands around what passes requests on: sees every request to an environment, and every answer to its end.

    Args:
        feed: Gets exchanges; None to count only.
    """

    def __init__(self, forward: Forward, *, rates: Rates, feed: Feed | None = None) -> None:
        self._forward = forward
        self._rates = rates
        self._feed = feed

    def forward(self, request: Request, destination: Destination) -> Answer:
        """
        Pass a request on, and note it.

        Raises:
            Problem: There is no answer; that is noted as well.
        """
        note = self._begin(request, destination.route, destination.target)
        if note.limit is not None:
            request = replace(request, body=note.request_body, is_traced=True)
        try:
            answer = self._forward(request, destination)
        except Problem as problem:
            self._end_with(note, problem)
            raise
        except BaseException:
            self._end(note, status=NO_STATUS, is_complete=False)
            raise
        # Whoever has the whole answer may ask at once whether it is kept.
        announce = self._feed.announce if self._feed and note.limit is not None else _do_nothing
        body = _RecordedBody(answer, lambda **seen: self._end(note, answer, **seen), note.limit, announce)
        return replace(answer, body=body)

    def refuse(self, request: Request, problem: Problem, route: Route, *, target: str | None = None) -> None:
        """
        Note a request that was meant for an environment and never passed on.

        Args:
            target: Path and query within the environment; None to read them off the request's.
        """
        if target is None:
            name, rest = split_segment(request.target)
            target = rest if name.lower() == route.environment.lower() else request.target
        self._end_with(self._begin(request, route, target), problem)

    def _begin(self, request: Request, route: Route, target: str) -> _Note:
        limit = self._feed.body_limit if self._feed else None
        body = _RecordedRequestBody(request.body, limit) if request.body is not None and limit is not None else None
        return _Note(request=request, route=route, target=target, limit=limit, request_body=body)

    def _end_with(self, note: _Note, problem: Problem) -> None:
        content = problem.to_json(instance=note.request.target)
        seconds = time.perf_counter() - note.started
        self._end(
            note,
            status=problem.status,
            headers=[("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(content))), *problem.headers],
            body=content,
            length=len(content),
            problem=problem.kind,
            upstream_seconds=seconds if problem.kind in _UPSTREAM_PROBLEMS else None,
        )

    def _end(
        self,
        note: _Note,
        answer: Answer | None = None,
        *,
        status: int | None = None,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        length: int = 0,
        is_complete: bool = True,
        problem: str | None = None,
        upstream_seconds: float | None = None,
        is_announced: bool = False,
    ) -> None:
        seconds = time.perf_counter() - note.started
        code = int(answer.status_line[:3]) if answer else status or NO_STATUS
        name = note.route.environment
        self._rates.count(name, seconds=seconds, is_error=code >= 500 or not is_complete)
        if self._feed is None or note.limit is None:
            return
        sent = answer.headers if answer else headers or []
        self._feed.offer(
            Exchange(
                at=note.at,
                source=note.request.source,
                environment=name,
                client=note.request.client,
                release=note.route.release,
                digest=note.route.digest,
                request=note.as_sent(),
                answer=HttpAnswer(
                    status=code,
                    headers=sent,
                    body=body,
                    body_length=length,
                    seconds=seconds,
                    is_complete=is_complete,
                    problem=problem,
                ),
                upstream_seconds=upstream_seconds,
                invocations=answer.invocations if answer else (),
                faults=[value for key, value in sent if key.lower() == _FAULT_HEADER],
            ),
            is_announced=is_announced,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """What is known of an exchange when its request's head has arrived."""

    request: Request
    route: Route
    target: str
    limit: int | None
    request_body: _RecordedRequestBody | None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.perf_counter)

    def as_sent(self) -> HttpRequest:
        """The request, with as much of its body as was read."""
        body = self.request_body
        return HttpRequest(
            method=self.request.method,
            target=self.target,
            headers=self.request.headers,
            body=b"".join(body.parts) if body else b"",
            body_length=max(body.length, self.request.length or 0) if body else 0,
        )


class _RecordedRequestBody:
    """A request's body, of which the first bytes are kept as they are read."""

    def __init__(self, body: Readable, limit: int) -> None:
        self._body = body
        self._left = limit
        self.parts: list[bytes] = []
        self.length = 0

    def read(self, size: int, /) -> bytes:
        part = self._body.read(size)
        if part:
            self.length += len(part)
            if self._left:
                self.parts.append(part[: self._left])
                self._left -= len(self.parts[-1])
        return part


class _RecordedBody:
    """
    An answer's body, of which the first bytes are kept as they pass.

    Args:
        end: Called once, with what was seen.
        limit: Bytes to keep; None for none.
        announce: Called once, before a client gets the last of a body whose length it knows, and so before *end*.
    """

    def __init__(
        self, answer: Answer, end: Callable[..., None], limit: int | None, announce: Callable[[], None]
    ) -> None:
        self._inner: Parts = answer.body
        self._end = end
        self._announce = announce
        self._is_announced = False
        self._whole = _length_of(answer)
        self._left = limit or 0
        self._parts: list[bytes] = []
        self._length = 0
        self._upstream = answer.upstream_seconds
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        started = time.perf_counter()
        try:
            part = next(self._inner)
        except StopIteration:
            self._finish(is_complete=True)
            raise
        except BaseException:
            self._finish(is_complete=False)
            raise
        if self._upstream is not None:
            self._upstream += time.perf_counter() - started
        if part:
            self._length += len(part)
            if self._left:
                self._parts.append(part[: self._left])
                self._left -= len(self._parts[-1])
            if self._length == self._whole:
                self._is_announced = True
                self._announce()
        return part

    def close(self) -> None:
        """Let go of the inner body; one that wasn't read to its end broke off on the client's side."""
        try:
            self._inner.close()
        finally:
            self._finish(is_complete=False)

    def _finish(self, *, is_complete: bool) -> None:
        if self._is_open:
            self._is_open = False
            self._end(
                body=b"".join(self._parts),
                length=self._length,
                is_complete=is_complete,
                upstream_seconds=self._upstream,
                is_announced=self._is_announced,
            )


def _length_of(answer: Answer) -> int | None:
    """What the client takes for the body's length; None where it waits for an end."""
    found = next((value for name, value in answer.headers if name.lower() == "content-length"), "")
    return int(found) if found.isdecimal() else None


def _do_nothing() -> None:
    """Nobody waits for what isn't kept."""
