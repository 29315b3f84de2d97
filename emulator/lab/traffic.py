"""Requests that flow to prod all the time, and what became of them."""

from __future__ import annotations

import contextlib
import enum
import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

# Seconds between the starts of two requests, and the longest wait for one.
_INTERVAL = 0.02
_PATIENCE = 12.0
ORDER_IDS = tuple(f"a-{number}" for number in range(1, 6))
# The pieces that each environment's orders begin with.
PIECES = {"test": 1, "staging": 3, "prod": 7}


class Verdict(enum.Enum):
    """What became of a request."""

    GOOD = "good"
    FAILED = "failed"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that prod must answer with 200 and a body that *is_right*."""

    path: str
    is_right: Callable[[bytes], bool]


def _has_prods_pieces(body: bytes) -> bool:
    try:
        return bool(json.loads(body)["qty"] == PIECES["prod"])
    except (ValueError, KeyError, TypeError):
        return False


ORDERS = tuple(Probe(f"/orders/{order}", _has_prods_pieces) for order in ORDER_IDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    One request.

    Attributes:
        sent: Seconds since the traffic began.
        ended: When its answer was there, on the same clock.
        status: 0 when there was no answer at all.
    """

    sent: float
    ended: float
    status: int
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """
    What prod saw of one mistake.

    Attributes:
        samples: All requests, from before the mistake to after it was undone.
        mistake: When the operator began to make it, in seconds since the traffic began.
        made: When they had made it.
        undo: When they began to undo it.
        is_recovered: Whether prod was well again in the end.
    """

    samples: Sequence[Sample]
    mistake: float
    made: float
    undo: float
    is_recovered: bool

    @property
    def hurt(self) -> list[Sample]:
        """Requests since the mistake that did not get what they should."""
        return [one for one in self.samples if one.ended >= self.mistake and one.verdict is not Verdict.GOOD]

    @property
    def failed_statuses(self) -> frozenset[int]:
        """Of requests that failed."""
        return frozenset(one.status for one in self.hurt if one.verdict is Verdict.FAILED)

    @property
    def share(self) -> float:
        """Of the requests sent while the mistake was in force, how many were hurt; from 0 to 1."""
        during = [one for one in self.samples if one.sent >= self.made and one.ended <= self.undo]
        return sum(one.verdict is not Verdict.GOOD for one in during) / len(during) if during else 0.0

    def count(self, verdict: Verdict) -> int:
        """How many requests since the mistake came to *verdict*."""
        return sum(one.ended >= self.mistake and one.verdict is verdict for one in self.samples)

    @property
    def first_failure_after(self) -> float | None:
        """Seconds from the mistake to the first hurt request; None when none was."""
        return min((one.ended - self.mistake for one in self.hurt), default=None)

    @property
    def recovered_after(self) -> float | None:
        """Seconds from the undo to the last hurt request's end; None when none was hurt, or prod did not recover."""
        if not self.hurt or not self.is_recovered:
            return None
        return max(0.0, max(one.ended for one in self.hurt) - self.undo)


class Traffic:
    """
    Asks an environment, one request after the other, in a thread of its own.

    Args:
        port: The proxy's.
        path: Where it serves the environment.
        seed: Decides on the order of the probes.
        cancelled: Asked while waiting; raises to stop.
    """

    def __init__(
        self,
        *,
        port: int,
        path: str,
        probes: Sequence[Probe],
        seed: str,
        cancelled: Callable[[], None] = lambda: None,
    ) -> None:
        self._port = port
        self._path = path
        self._probes = probes
        self._cancelled = cancelled
        self._random = random.Random(seed)  # noqa: S311 (repeatable, not secret)
        self._samples: list[Sample] = []
        self._ended = threading.Event()
        self._more = threading.Condition()
        self._began = time.monotonic()

    @contextlib.contextmanager
    def flowing(self) -> Iterator[Traffic]:
        """Let it flow for as long as this lasts."""
        self._began = time.monotonic()
        thread = threading.Thread(target=self._flow, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join(_PATIENCE)

    def now(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    @property
    def samples(self) -> list[Sample]:
        """All requests that have ended."""
        with self._more:
            return list(self._samples)

    def wait_for(self, is_enough: Callable[[Sequence[Sample]], bool], *, since: float, within: float) -> bool:
        """Wait until the requests that were sent after *since* are enough; False if they aren't *within* seconds."""
        deadline = time.monotonic() + within
        while not is_enough([one for one in self.samples if one.sent >= since]):
            self._cancelled()
            if time.monotonic() >= deadline:
                return False
            with self._more:
                self._more.wait(_INTERVAL)
        return True

    def _flow(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)
        try:
            while not self._ended.is_set():
                sample = self._ask(connection, self._random.choice(self._probes))
                with self._more:
                    self._samples.append(sample)
                    self._more.notify_all()
                self._ended.wait(max(0.0, sample.sent + _INTERVAL - self.now()))
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, probe: Probe) -> Sample:
        sent = self.now()
        try:
            connection.request("GET", self._path + probe.path)
            response = connection.getresponse()
            body, status = response.read(), response.status
        except (OSError, http.client.HTTPException):
            connection.close()
            body, status = b"", 0
        verdict = Verdict.FAILED
        if status == 200:
            verdict = Verdict.GOOD if probe.is_right(body) else Verdict.WRONG
        return Sample(sent=sent, ended=self.now(), status=status, verdict=verdict)


def enough(count: int) -> Callable[[Sequence[Sample]], bool]:
    """So many requests."""
    return lambda samples: len(samples) >= count


def well(count: int) -> Callable[[Sequence[Sample]], bool]:
    """The last so many requests were good."""
    return lambda samples: (
        len(samples) >= count and all(one.verdict is Verdict.GOOD for one in samples[len(samples) - count :])
    )
