"""What an upstream answered: its head, and its body as it arrives."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from emulator.model import Invocation
from emulator.proxy.request import Request
from emulator.proxy.resolve import Destination
from emulator.proxy.upstream import Connection, Upstreams
from emulator.proxy.wire import BrokenAnswerError

_BLOCK = 64 * 1024


class Parts(Protocol):
    """A body as it arrives; an empty part says that the next one isn't there yet."""

    def __iter__(self) -> Iterator[bytes]:
        """The parts themselves."""

    def __next__(self) -> bytes:
        """The next part."""

    def close(self) -> None:
        """Let go of what the body comes from; whoever wraps a body closes it as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    An upstream's answer.

    Attributes:
        status_line: Code and phrase, e.g. ``200 OK``.
        body: To be closed, read to its end or not.
        invocations: The functions that made it, as far as the emulator told.
        upstream_seconds: From reaching for the emulator to the head of its answer.
    """

    status_line: str
    headers: list[tuple[str, str]]
    body: Parts
    invocations: Sequence[Invocation] = ()
    upstream_seconds: float | None = None


# What passes a request on, or stands around what does; raises a Problem where there is no answer.
Forward = Callable[[Request, Destination], Answer]


class Body:
    """
    The parts of an answer's body as they arrive; an empty part says that the next one isn't there yet.

    Raises:
        BrokenAnswerError: The upstream broke off; what came before was not the whole body.
    """

    def __init__(
        self, response: http.client.HTTPResponse, connection: Connection, upstreams: Upstreams, name: str
    ) -> None:
        self._response = response
        self._connection = connection
        self._upstreams = upstreams
        self._name = name
        self._has_started = False
        self._is_open = True
        if response.length == 0 and not response.chunked:
            self._finish()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._is_open:
            raise StopIteration
        if not self._has_started:
            self._has_started = True
            if not self._has_arrived():
                return b""
        try:
            part = self._response.read1(_BLOCK)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._broken(str(error) or type(error).__name__) from error
        if not part:
            if self._response.length:
                raise self._broken(f"{self._response.length} bytes short of its Content-Length")
            self._finish()
            raise StopIteration
        if self._response.length == 0 and not self._response.chunked:
            self._finish()
        return part

    def close(self) -> None:
        """Let go of the connection; one with an unread rest can't serve again."""
        if self._is_open:
            self._is_open = False
            self._response.close()
            self._connection.socket.close()

    def _finish(self) -> None:
        if self._response.will_close:
            self.close()
            return
        self._is_open = False
        self._response.close()
        self._upstreams.give_back(self._connection)

    def _has_arrived(self) -> bool:
        """Whether a read wouldn't wait: headers must not wait for a body that comes later."""
        sock = self._connection.socket
        timeout = sock.gettimeout()
        sock.settimeout(0)
        try:
            return bool(self._response.fp.peek(1))
        except OSError:
            return True  # the read will say what it is
        finally:
            sock.settimeout(timeout)

    def _broken(self, reason: str) -> BrokenAnswerError:
        self.close()
        return BrokenAnswerError(f"environment {self._name} broke off its answer: {reason}")


def is_framed(response: http.client.HTTPResponse) -> bool:
    """Whether it is beyond doubt where the body ends: http.client reads on past a length it can't understand."""
    lengths = {value.strip() for value in response.headers.get_all("content-length", ())}
    return response.chunked or not lengths or (len(lengths) == 1 and next(iter(lengths)).isdigit())


def framed_headers(response: http.client.HTTPResponse) -> list[tuple[str, str]]:
    """The answer's headers with just the length that holds for it."""
    headers, has_length = [], False
    for name, value in response.getheaders():
        if name.lower() == "content-length":
            if has_length or response.chunked or response.status == 204:
                continue
            has_length = True
        headers.append((name, " ".join(value.split("\r\n")) if "\n" in value else value))
    if response.status == 205 and not has_length:
        headers.append(("Content-Length", "0"))
    return headers
