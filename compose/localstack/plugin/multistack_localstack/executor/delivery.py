"""Brings what functions wrote to CloudWatch Logs, in few requests and off the path of their calls."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from multistack_localstack.executor.log_lines import LogEvent

LOG = logging.getLogger(__name__)

# Seconds that lines wait for more of them; who reads a log gets all at once, see LogDelivery.flush.
PAUSE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The log stream of one execution environment."""

    account_id: str
    region: str
    group: str
    stream: str


Put = Callable[[Stream, Sequence[Mapping[str, object]]], None]


class LogDelivery:
    """
    Lines on their way.

    Args:
        put: Puts events into a stream.
    """

    def __init__(self, put: Put, *, pause: float = PAUSE) -> None:
        self._put = put
        self._pause = pause
        self._pending: dict[Stream, list[LogEvent]] = {}
        self._lock = threading.Lock()
        # Held while lines are put, so that who flushes returns only when the lines of another flush are there too.
        self._putting = threading.Lock()
        self._has_some = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, stream: Stream, events: Sequence[LogEvent]) -> None:
        """Deliver *events* soon."""
        with self._lock:
            self._pending.setdefault(stream, []).extend(events)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="function-logs", daemon=True)
                self._thread.start()
        self._has_some.set()

    def flush(self) -> None:
        """Deliver now all that was added before."""
        with self._putting:
            with self._lock:
                pending, self._pending = self._pending, {}
            for stream, events in pending.items():
                try:
                    self._put(stream, list(_in_order(events)))
                except Exception as error:  # of any kind: the thread delivers what other streams get
                    LOG.warning("log lines of %s are lost: %s", stream.group, error)

    def _run(self) -> None:
        waited = threading.Event()
        while True:
            self._has_some.wait()
            waited.wait(self._pause)
            self._has_some.clear()
            self.flush()


def _in_order(events: Sequence[LogEvent]) -> Iterator[dict[str, object]]:
    """
    As CloudWatch takes them: in the order of their times.

    A line has the time at which it was read, a record its own, which is a little earlier: the order of writing counts.
    """
    latest = 0
    for event in events:
        latest = max(latest, int(event.at * 1000))
        yield {"timestamp": latest, "message": event.text}


def put_events(stream: Stream, events: Sequence[Mapping[str, object]]) -> None:
    """Put *events* into CloudWatch Logs, making group and stream when they aren't there."""
    from localstack.aws.connect import connect_to

    client = connect_to(aws_access_key_id=stream.account_id, region_name=stream.region).logs
    names = {"logGroupName": stream.group, "logStreamName": stream.stream}
    try:
        client.put_log_events(**names, logEvents=events)
        return
    except client.exceptions.ResourceNotFoundException:
        pass
    for create in (
        lambda: client.create_log_group(logGroupName=stream.group),
        lambda: client.create_log_stream(**names),
    ):
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            create()
    client.put_log_events(**names, logEvents=events)


DELIVERY = LogDelivery(put_events)
