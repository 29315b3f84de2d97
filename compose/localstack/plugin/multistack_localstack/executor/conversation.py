"""
Lambda's Runtime API for one child, answered by whoever waits for the child.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Mapping

from multistack_localstack.executor.child import Child
from multistack_localstack.executor.log_lines import LogEvent, LogLines
from multistack_localstack.executor.wire import Broken, Connection, Request

_VERSION = "/2018-06-01/runtime"
NEXT = f"{_VERSION}/invocation/next"
INIT_ERROR = f"{_VERSION}/init/error"
_JSON = {"Content-Type": "application/json"}


class ChildEnded(Exception):
    """The child's process is gone."""


class OutOfTime(Exception):
    """The deadline passed."""


class Conversation:
    """
    Requests of one child, and its log, as they come.

    Attributes:
        address: ``host:port`` for ``AWS_LAMBDA_RUNTIME_API``.
    """

    def __init__(self, *, on_log: Callable[[LogEvent], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._on_log = on_log
        self._clock = clock
        self._lines = LogLines()
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(8)
        self._listener.setblocking(False)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._connections: dict[int, Connection] = {}
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)
        self._child: Child | None = None

    def attach(self, child: Child) -> None:
        """From now on watch *child*."""
        self._child = child
        self._poll.register(child.fate, select.POLLIN)
        self._poll.register(child.log, select.POLLIN)

    def next_request(self, deadline: float) -> Request:
        """
        Wait for the child's next request; what it logs meanwhile goes to ``on_log``.

        Args:
            deadline: On the conversation's clock, in seconds.

        Raises:
            ChildEnded: Its process is gone.
            OutOfTime: Nothing came until *deadline*.
        """
        child = self._child
        if child is None:
            raise ChildEnded
        while True:
            left = deadline - self._clock()
            if left <= 0:
                raise OutOfTime
            ready = [number for number, _ in self._poll.poll(left * 1000)]
            if child.log in ready:
                self._read_log(child)
            speaking = False
            for number in ready:
                if number == self._listener.fileno():
                    speaking = True
                    self._accept()
                elif (connection := self._connections.get(number)) is not None:
                    speaking = True
                    request = self._receive(connection)
                    if request is not None:
                        return request
            if child.fate in ready and not speaking:  # what it said last counts
                raise ChildEnded

    def drain_log(self) -> None:
        """Read what the child has written so far; an unfinished line counts as one."""
        if self._child is not None:
            self._read_log(self._child)
            for event in self._lines.flush():
                self._on_log(event)

    def close(self) -> None:
        """Hang up and listen no more."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        with contextlib.suppress(OSError):
            self._listener.close()

    def _read_log(self, child: Child) -> None:
        while data := child.read_log():
            for event in self._lines.feed(data):
                self._on_log(event)
        if child.has_closed_log:  # poll would report it for ever
            with contextlib.suppress(KeyError, OSError):
                self._poll.unregister(child.log)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            accepted, _ = self._listener.accept()
            accepted.setblocking(False)
            connection = Connection(accepted)
            self._connections[connection.fileno()] = connection
            self._poll.register(connection.fileno(), select.POLLIN)

    def _receive(self, connection: Connection) -> Request | None:
        number = connection.fileno()
        try:
            request = connection.receive()
        except Broken:
            connection.close()
            request = None
        if connection.is_closed:
            self._poll.unregister(number)
            self._connections.pop(number, None)
        return request


def give_event(request: Request, event: bytes, headers: Mapping[str, str]) -> None:
    """Answer the child's request for work."""
    request.connection.answer(200, event, {**_JSON, **headers})


def accept(request: Request) -> None:
    """Answer the child's request with which it delivered something."""
    request.connection.answer(202, b'{"status":"OK"}', _JSON)
