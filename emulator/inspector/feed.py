"""The way of exchanges from the proxy's workers to whoever keeps them: a worker never waits for a disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from emulator.model import Exchange

# What may wait for the sinks. Beyond that exchanges are lost, and counted.
_MAX_WAITING = 2_000
_MAX_WAITING_BYTES = 16 * 1024 * 1024
# Seconds that exchanges are gathered, so that a sink writes many at once.
_PAUSE = 0.1
# Bytes of exchanges after which a request that waits for the interpreter goes first.
_TURN = 16_000
# Seconds without any, after which sinks are asked to look after what they keep.
_IDLE = 60.0

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """
    Whoever keeps exchanges. Called from one thread, never from a request's.

    A sink copes with its own failures, a full disk for one; what it raises is logged as a bug.
    """

    @property
    def body_limit(self) -> int | None:
        """Bytes it wants of a request's and of an answer's body; None while it wants no exchanges. Asked often."""

    def accept(self, exchange: Exchange) -> None:
        """Take one more; what is secret in it is redacted."""

    def flush(self) -> None:
        """No other one follows at once: write what was taken."""


class Feed:
    """
    Hands exchanges to sinks, in a thread of its own.

    Args:
        redact: Takes out what is secret; the only thing between an exchange as it was and the sinks.
    """

    def __init__(self, sinks: Sequence[Sink], *, redact: Callable[[Exchange], Exchange]) -> None:
        self._sinks = sinks
        self._redact = redact
        self._waiting: deque[Exchange] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._has_work = threading.Event()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._is_closed = False
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    @property
    def body_limit(self) -> int | None:
        """Bytes of bodies that some sink wants; None when none wants exchanges."""
        limits = [limit for sink in self._sinks if (limit := sink.body_limit) is not None]
        return max(limits) if limits else None

    def offer(self, exchange: Exchange) -> None:
        """Take an exchange on its way, or lose it because too many wait."""
        size = _size(exchange)
        with self._lock:
            if len(self._waiting) >= _MAX_WAITING or self._bytes + size > _MAX_WAITING_BYTES:
                self.lost += 1
                return
            self._waiting.append(exchange)
            self._bytes += size
            self._is_idle.clear()
        if not self._has_work.is_set():
            self._has_work.set()

    def wait_until_idle(self, timeout: float) -> bool:
        """Whether everything offered before has reached the sinks within *timeout* seconds."""
        return self._is_idle.wait(timeout)

    def close(self) -> None:
        """Hand over what waits, and end."""
        self._is_closed = True
        self._has_work.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while True:
            self._has_work.wait(_IDLE)
            self._has_work.clear()
            if not self._is_closed:
                time.sleep(_PAUSE)
            self._hand_over()
            if self._is_closed:
                return

    def _hand_over(self) -> None:
        done = 0
        while True:
            with self._lock:
                if not self._waiting:
                    break
                exchange = self._waiting.popleft()
                size = _size(exchange)
                self._bytes -= size
            self._attempt(self._give, exchange)
            done += size
            if done >= _TURN:
                done = 0
                time.sleep(0)
        for sink in self._sinks:
            self._attempt(sink.flush)
        with self._lock:
            if not self._waiting:
                self._is_idle.set()

    def _give(self, exchange: Exchange) -> None:
        redacted = self._redact(exchange)
        for sink in self._sinks:
            if sink.body_limit is not None:
                self._attempt(sink.accept, redacted)

    def _attempt(self, action: Callable[..., None], *arguments: Exchange) -> None:
        try:
            action(*arguments)
        except Exception:
            _log.exception("an exchange could not be kept")


def _size(exchange: Exchange) -> int:
    return 2_000 + len(exchange.request.body) + len(exchange.answer.body)
