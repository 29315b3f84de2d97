"""
Server-sent events: what changed, told to every open page.

An event says that something is new, and pages ask for what they show. Facts are looked at once a second, however many
listen, and not at all while nobody does.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from emulator.proxy.problems import Problem

# Each stream takes one of the server's 64 threads.
MOST_STREAMS = 24
PERIOD = 1.0
# Seconds between two signs of life: so long a page that was left keeps its place.
_HEARTBEAT = 5.0

_log = logging.getLogger(__name__)


class Stream:
    """
    The events of all topics.

    Args:
        topics: What each topic's state is now, as JSON can hold it; an event is sent when it became another one.
        most: How many may listen at once.
    """

    def __init__(
        self,
        topics: Mapping[str, Callable[[], object]],
        *,
        most: int = MOST_STREAMS,
        period: float = PERIOD,
        heartbeat: float = _HEARTBEAT,
    ) -> None:
        self._topics = topics
        self._most = most
        self._period = period
        self.heartbeat = heartbeat
        self.changed = threading.Condition()
        self.is_closed = False
        self._listeners: list[Listener] = []
        self._last: dict[str, str] = {}
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()

    @property
    def topics(self) -> Sequence[str]:
        """All that can be listened to."""
        return list(self._topics)

    def touch(self) -> None:
        """Look at once: something is known to have changed."""
        self._hurry.set()

    def listen(self, topics: Sequence[str]) -> Listener:
        """
        A new stream; it begins with the state of its topics.

        Raises:
            Problem: 503, too many listen already.
        """
        with self.changed:
            if len(self._listeners) >= self._most or self.is_closed:
                detail = f"{self._most} pages are live already; close one, or reload this one by hand"
                raise Problem(503, "too-many-streams", "Too many live pages", detail)
            known = {topic: self._last[topic] for topic in topics if topic in self._last}
            listener = Listener(self, topics, known)
            self._listeners.append(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="stream", daemon=True)
                self._thread.start()
        self.touch()
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a stream that ended."""
        with self.changed:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def close(self) -> None:
        """End all streams."""
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()
        self.touch()

    def _watch(self) -> None:
        while True:
            self._hurry.wait(self._period)
            with self.changed:
                if self.is_closed or not self._listeners:
                    self._thread = None
                    self._last.clear()
                    return
                wanted = {topic for listener in self._listeners for topic in listener.topics}
            self._hurry.clear()
            for topic in sorted(wanted):
                self._look(topic)
            time.sleep(self._period / 4)  # the most that hurrying gains

    def _look(self, topic: str) -> None:
        try:
            text = json.dumps(self._topics[topic](), default=str)
        except Exception:  # of any kind: the thread tells of the other topics, and of this one later
            _log.exception("the state of %s can't be told", topic)
            return
        with self.changed:
            if self._last.get(topic) == text:
                return
            self._last[topic] = text
            for listener in self._listeners:
                if topic in listener.topics:
                    listener.events[topic] = text
            self.changed.notify_all()


class Listener:
    """
    The bytes of one stream, until the server ends; to be closed.

    Args:
        events: Of each topic the last event that it was not told yet.
    """

    def __init__(self, stream: Stream, topics: Sequence[str], events: dict[str, str]) -> None:
        self.topics = topics
        self.events = events
        self._stream = stream
        self._has_begun = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        stream = self._stream
        if not self._has_begun:
            self._has_begun = True
            return b"retry: 3000\n\n"
        with stream.changed:
            stream.changed.wait_for(lambda: self.events or stream.is_closed, timeout=stream.heartbeat)
            if stream.is_closed:
                raise StopIteration
            events, self.events = self.events, {}
        # A comment finds out whether anybody is still there.
        told = "".join(f"event: {topic}\ndata: {text}\n\n" for topic, text in events.items())
        return told.encode() or b": still here\n\n"

    def close(self) -> None:
        """Leave."""
        self._stream.leave(self)
