"""Disturbs requests on purpose: the faults that are set, applied around what passes requests on."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from emulator.faults.fault import FAULT_HEADER, Draw, Fault
from emulator.faults.words import show_seconds, show_size
from emulator.proxy.answer import Answer, Forward
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy.resolve import Destination
from emulator.proxy.wire import BrokenAnswerError

# No status: it is never sent, because the connection is closed before.
_DROPPED = "000 Dropped"
# Seconds after which somebody who waits looks whether the fault still stands.
_LOOK = 0.2
# Parts of a second's bytes that are sent at once where the bandwidth is limited.
_STEPS = 20


class Faults(Protocol):
    """Knows which faults are set right now."""

    def current(self) -> Sequence[Fault]:
        """Those whose time is up may be among them."""


@dataclass(slots=True)
class _Meter:
    """
    What one fault has seen so far.

    Attributes:
        tokens: Requests that its throttle lets through at once.
        at: When that was so; None before the first one.
    """

    requests: int = 0
    tokens: float = 0.0
    at: float | None = None


@dataclass(frozen=True, slots=True)
class _Hit:
    """One fault that is applied to a request, with what was drawn for it."""

    fault: Fault
    draw: Draw


class Disturber:
    """
    Stands around what passes requests on.

    Args:
        now: Faults expire by it.
        clock: Seconds that only go forward; *sleep* passes them.
    """

    def __init__(
        self,
        forward: Forward,
        faults: Faults,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._forward = forward
        self._faults = faults
        self._now = now
        self._clock = clock
        self._sleep = sleep
        self._meters: dict[int, _Meter] = {}
        self._lock = threading.Lock()

    def forward(self, request: Request, destination: Destination) -> Answer:
        """
        Pass a request on, with what the faults on its route do to it; a header names each that was applied.

        Raises:
            Problem: A fault answers in the environment's place, or there is no answer anyway.
        """
        faults = self._faults.current()
        hits = self._hits(faults, request, destination) if faults else ()
        if not hits:
            return self._forward(request, destination)
        applied: list[tuple[str, str]] = []
        try:
            self._hold_back(hits, applied)
            if fault := next((hit.fault for hit in hits if hit.fault.effects.drop), None):
                return _dropped(fault, applied)
            self._answer_instead(hits, applied)
            answer = self._forward(request, destination)
        except Problem as problem:
            problem.headers.extend(applied)
            raise
        return self._disturbed(answer, hits, applied)

    def _hits(self, faults: Sequence[Fault], request: Request, destination: Destination) -> list[_Hit]:
        name, now = destination.route.environment, self._now()
        hits = []
        for fault in faults:
            if not fault.is_over(now) and fault.concerns(name, request.method, destination.target):
                draw = fault.draw(self._count(fault, faults))
                if draw.hits:
                    hits.append(_Hit(fault, draw))
        return hits

    def _count(self, fault: Fault, faults: Sequence[Fault]) -> int:
        """The number of this request among those of the fault's route, from 1."""
        with self._lock:
            if fault.id not in self._meters:
                known = {one.id for one in faults}
                self._meters = {id_: meter for id_, meter in self._meters.items() if id_ in known}
            meter = self._meters.setdefault(fault.id, _Meter())
            meter.requests += 1
            return meter.requests

    def _hold_back(self, hits: Sequence[_Hit], applied: list[tuple[str, str]]) -> None:
        for fault in (hit.fault for hit in hits):
            if fault.effects.throttle is not None and not self._passes(fault, fault.effects.throttle):
                applied.append(_mark(fault, "throttle"))
                raise _throttled(fault, fault.effects.throttle)
        for fault, draw in ((hit.fault, hit.draw) for hit in hits):
            if fault.effects.latency is not None:
                seconds = fault.effects.latency.at(draw.latency)
                applied.append(_mark(fault, f"latency {show_seconds(round(seconds, 3))}"))
                self._wait(seconds, fault)

    def _passes(self, fault: Fault, rate: float) -> bool:
        """Take a token from a bucket that holds what comes in a second, and one at least."""
        most = max(1.0, rate)
        with self._lock:
            meter, now = self._meters.setdefault(fault.id, _Meter()), self._clock()
            tokens = most if meter.at is None else min(most, meter.tokens + (now - meter.at) * rate)
            passes = tokens >= 1
            meter.tokens, meter.at = tokens - passes, now
            return passes

    def _wait(self, seconds: float, fault: Fault) -> None:
        """Let *seconds* pass, or less when the fault is cleared meanwhile."""
        until = self._clock() + seconds
        while (rest := until - self._clock()) > 0 and fault in self._faults.current():
            self._sleep(min(rest, _LOOK))

    def _answer_instead(self, hits: Sequence[_Hit], applied: list[tuple[str, str]]) -> None:
        for fault in (hit.fault for hit in hits):
            if fault.effects.error is not None:
                applied.append(_mark(fault, f"error {fault.effects.error}"))
                raise _problem(fault, fault.effects.error, f"answers {fault.effects.error} for it")

    def _disturbed(self, answer: Answer, hits: Sequence[_Hit], applied: list[tuple[str, str]]) -> Answer:
        parts: Iterator[bytes] = iter(answer.body)
        for fault in (hit.fault for hit in hits):
            if (bandwidth := fault.effects.bandwidth) is not None:
                applied.append(_mark(fault, f"bandwidth {show_size(bandwidth)}/s"))
                parts = self._paced(parts, bandwidth, fault)
        for fault in (hit.fault for hit in hits):
            if (cut := fault.effects.cut) is not None and _is_longer(answer, cut):
                applied.append(_mark(fault, f"cut {show_size(cut)}"))
                parts = _cut(parts, cut, fault)
        return replace(answer, headers=[*answer.headers, *applied], body=_Body(parts, answer.body.close))

    def _paced(self, parts: Iterator[bytes], bandwidth: int, fault: Fault) -> Iterator[bytes]:
        step, sent, started = max(1, bandwidth // _STEPS), 0, self._clock()
        for part in parts:
            if not part:
                yield part
            for start in range(0, len(part), step):
                piece = part[start : start + step]
                sent += len(piece)
                self._wait(sent / bandwidth - (self._clock() - started), fault)
                yield piece


class _Body:
    """Parts of a body; *close* lets go of what they come from."""

    def __init__(self, parts: Iterator[bytes], close: Callable[[], None]) -> None:
        self._parts = parts
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)


def _break(reason: str) -> Iterator[bytes]:
    yield from ()
    raise BrokenAnswerError(reason)


def _cut(parts: Iterator[bytes], size: int, fault: Fault) -> Iterator[bytes]:
    left = size
    for part in parts:
        if len(part) > left:
            yield part[:left]
            raise BrokenAnswerError(f"fault {fault.id} cut an answer of environment {fault.environment}")
        left -= len(part)
        yield part


def _is_longer(answer: Answer, size: int) -> bool:
    """Whether the body has more than *size* bytes, as far as it says."""
    lengths = [value for name, value in answer.headers if name.lower() == "content-length"]
    return not lengths or not lengths[0].isdigit() or int(lengths[0]) > size


def _dropped(fault: Fault, applied: list[tuple[str, str]]) -> Answer:
    parts = _break(f"fault {fault.id} dropped a request to environment {fault.environment}")
    return Answer(status_line=_DROPPED, headers=[*applied, _mark(fault, "drop")], body=_Body(parts, lambda: None))


def _mark(fault: Fault, what: str) -> tuple[str, str]:
    return FAULT_HEADER, f"{what}; fault={fault.id}"


def _throttled(fault: Fault, rate: float) -> Problem:
    problem = _problem(fault, 429, "lets no more requests through just now")
    problem.headers.append(("Retry-After", str(math.ceil(1 / rate))))
    return problem


def _problem(fault: Fault, status: int, deed: str) -> Problem:
    return Problem(
        status,
        "fault",
        "Deliberate fault",
        f"fault {fault.id} of environment {fault.environment} {deed}",
        environment=fault.environment,
        next_command="multistack fault list",
        extra={"fault": fault.id},
    )
