"""
HTTP/1.1 as a Lambda runtime speaks it, as a server without threads.

One child talks to one server, a request at a time, and whoever waits for the child reads its requests. A web server
would add a thread and two context switches to each call of a function.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass

MAX_HEAD = 2 * 1024 * 1024  # a runtime puts the description of an error into a header of up to 1 MB
MAX_BODY = 64 * 1024 * 1024  # far over the 6 MB of an answer: that one is refused in AWS's words, not here
_CHUNK = 256 * 1024
_SEND_TIMEOUT = 10.0


class Broken(Exception):
    """The other side does not speak HTTP, or sent more than is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One request of a runtime.

    Attributes:
        headers: Names in lower case.
        connection: Where the answer goes.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: Connection


class Connection:
    """A child's connection: bytes come in whenever it has some, and whole requests go out."""

    def __init__(self, accepted: socket.socket) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = accepted
        self._received = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self.is_closed = False

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def receive(self) -> Request | None:
        """
        Read what is there; returns a request once it is whole.

        Raises:
            Broken: It isn't HTTP.
        """
        try:
            found = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return self._whole()
        except OSError:
            found = b""
        if not found:
            self.close()
            return None
        self._received += found
        return self._whole()

    def _whole(self) -> Request | None:
        if self._head is None:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                if len(self._received) > MAX_HEAD:
                    raise Broken("the head of a request has no end")
                return None
            self._head = _parse_head(bytes(self._received[:end]))
            del self._received[: end + 4]
            if "expect" in self._head[2]:
                self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, path, headers = self._head
        body = self._body(headers)
        if body is None:
            return None
        self._head = None
        return Request(method=method, path=path, headers=headers, body=body, connection=self)

    def _body(self, headers: Mapping[str, str]) -> bytes | None:
        """The body, once all of it is there."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunked()
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            raise Broken(f"Content-Length: {length}")
        if len(self._received) < int(length):
            return None
        body = bytes(self._received[: int(length)])
        del self._received[: int(length)]
        return body

    def _chunked(self) -> bytes | None:
        body = bytearray()
        position = 0
        while True:
            end = self._received.find(b"\r\n", position)
            if end < 0:
                return None
            try:
                size = int(bytes(self._received[position:end]).partition(b";")[0], 16)
            except ValueError as error:
                raise Broken("the size of a chunk is no number") from error
            start = end + 2
            if len(self._received) < start + size + 2:
                return None
            body += self._received[start : start + size]
            position = start + size + 2
            if size == 0:
                del self._received[:position]
                return bytes(body)
            if len(body) > MAX_BODY:
                raise Broken("a body has no end")

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send an answer; one that can't be sent means that the child is gone, which shows otherwise."""
        lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Accepted'}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._send("\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(_SEND_TIMEOUT)
            self._socket.sendall(data)
            self._socket.setblocking(False)
        except OSError:
            self.close()

    def close(self) -> None:
        """Hang up."""
        self.is_closed = True
        with contextlib.suppress(OSError):
            self._socket.close()


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    try:
        method, path, _ = first.split(" ")
    except ValueError as error:
        raise Broken(f"not a request: {first[:80]}") from error
    headers = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return method, path, headers
