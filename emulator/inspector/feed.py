"""The way of exchanges from the proxy's workers to whoever keeps them: a worker never waits for a disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, Protocol

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

P = ParamSpec("P")


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

    def lost(self, count: int) -> None:
        """Know that *count* exchanges, of whichever environment, will never come: what is kept is not everything."""


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far the feed is; what was offered by a moment has arrived when as many are done as were offered then.

    Attributes:
        offered: Exchanges since the proxy started, with those that were lost, and those whose client has the answer.
        done: Those of them that sinks were given, or told of as lost, and had time to write.
    """

    offered: int
    done: int


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
        self._untold = 0
        self._offered = 0
        self._given = 0
        self._done = 0
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    @property
    def body_limit(self) -> int | None:
        """Bytes of bodies that some sink wants; None when none wants exchanges."""
        limits = [limit for sink in self._sinks if (limit := sink.body_limit) is not None]
        return max(limits) if limits else None

    def announce(self) -> None:
        """An exchange will be offered in a moment: its client may look for it before that."""
        with self._lock:
            self._offered += 1
            self._is_idle.clear()

    def offer(self, exchange: Exchange, *, is_announced: bool = False) -> None:
        """Take an exchange on its way, or lose it because too many wait."""
        size = _size(exchange)
        with self._lock:
            self._offered += not is_announced
            self._is_idle.clear()
            if len(self._waiting) >= _MAX_WAITING or self._bytes + size > _MAX_WAITING_BYTES:
                self.lost += 1
                self._untold += 1
            else:
                self._waiting.append(exchange)
                self._bytes += size
        if not self._has_work.is_set():
            self._has_work.set()

    def progress(self) -> Progress:
        """How far it is, for whoever waits without holding a thread."""
        with self._lock:
            return Progress(self._offered, self._done)

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
            is_last = self._is_closed
            if not is_last:
                time.sleep(_PAUSE)
            self._hand_over()
            if is_last:
                return

    def _hand_over(self) -> None:
        """What waits now, and no more: others may keep coming, and these are not done before they are written."""
        turn = 0
        for _ in range(len(self._waiting) + 1):  # one for those that were lost
            size = self._give_next()
            if size is None:
                break
            turn += size
            if turn >= _TURN:
                turn = 0
                time.sleep(0)
        for sink in self._sinks:
            self._attempt(sink.flush)
        with self._lock:
            self._done = self._given
            if self._offered == self._done:
                self._is_idle.set()

    def _give_next(self) -> int | None:
        """The bytes of what was handed over; None when nothing waits."""
        with self._lock:
            untold, self._untold = self._untold, 0
            exchange = self._waiting.popleft() if self._waiting else None
            size = _size(exchange) if exchange else 0
            self._bytes -= size
        if untold:
            self._tell_lost(self._sinks, untold)
        if exchange:
            self._give(exchange)
        self._given += untold + (exchange is not None)
        return size if exchange or untold else None

    def _give(self, exchange: Exchange) -> None:
        try:
            redacted = self._redact(exchange)
        except Exception:  # of any kind: what can't be redacted must not be kept, and others can
            _log.exception("an exchange could not be kept")
            self._tell_lost(self._sinks, 1)
            return
        for sink in self._sinks:
            if sink.body_limit is not None and not self._attempt(sink.accept, redacted):
                self._tell_lost([sink], 1)

    def _tell_lost(self, sinks: Sequence[Sink], count: int) -> None:
        for sink in sinks:
            self._attempt(sink.lost, count)

    def _attempt(self, action: Callable[P, None], *arguments: P.args, **named: P.kwargs) -> bool:
        try:
            action(*arguments, **named)
        except Exception:  # whatever one sink stumbles over is not the others' concern
            _log.exception("an exchange could not be kept")
            return False
        return True


def _size(exchange: Exchange) -> int:
    messages = (exchange.request, exchange.answer)
    heads = sum(len(name) + len(value) for message in messages for name, value in message.headers)
    return 2_000 + len(exchange.request.target) + heads + sum(len(message.body) for message in messages)
