"""Sends requests of a corpus to environments, over connections that stay open."""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from emulator.inspector.redaction import MARK
from emulator.model import HttpAnswer, HttpRequest
from emulator.replay.headers import request_headers

_BLOCK = 64 * 1024
_MARKS = b"X-Multistack-Source: replay\r\nX-Multistack-Environment: "
_UNREPEATABLE = frozenset({"POST", "PATCH"})


# See emulator.proxy.problems.
_PROBLEM = "application/problem+json"
_TYPE = "urn:multistack:problem:"
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})


class NoAnswerError(Exception):
    """The proxy, or what should have answered through it, gave no answer at all."""


class Sender:
    """
    One connection to the proxy; used by one thread at a time.

    Written on sockets, as http.client takes a third of the time that a small answer needs.

    Args:
        url: Of the proxy.
        timeout: Seconds to wait for each part of an answer.
        most: Bytes of a body that are kept.
        extra: Headers that replace those of the same name in every request.
    """

    def __init__(self, url: str, *, timeout: float, most: int, extra: Sequence[tuple[str, str]] = ()) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._host = parts.netloc.encode()
        self._timeout = timeout
        self._most = most
        self._extra = list(extra)
        self._replaced = {name.lower() for name, _ in extra}
        self._socket: socket.socket | None = None

    def send(self, request: HttpRequest, environment: str) -> HttpAnswer:
        """
        What *environment* answers.

        Raises:
            NoAnswerError: Nothing, or it broke off.
        """
        message = self._render(request, environment)
        is_reused = self._socket is not None
        while True:
            started = time.perf_counter()
            try:
                return self._exchange(message, request.method, started)
            except ConnectionError as error:
                self.close()
                # The proxy may have closed an idle connection just then.
                if not is_reused or request.method in _UNREPEATABLE:
                    raise NoAnswerError(f"the connection broke: {error.strerror or error}") from error
                is_reused = False
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise NoAnswerError(str(error) or type(error).__name__) from error
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _render(self, request: HttpRequest, environment: str) -> bytes:
        headers = [pair for pair in request_headers(request.headers) if pair[0].lower() not in self._replaced]
        lines = [f"{request.method} {request.target} HTTP/1.1\r\n"]
        lines += [
            f"{name}: {value}\r\n" for name, value in [*headers, *self._extra] if MARK not in value
        ]  # nobody knows what was there
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(request.body)}\r\n")
        head = "".join(lines).encode("latin-1", "replace")
        return b"%bHost: %b\r\n%b%b\r\n\r\n%b" % (head, self._host, _MARKS, environment.encode(), request.body)

    def _exchange(self, message: bytes, method: str, started: float) -> HttpAnswer:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(message)
        response = http.client.HTTPResponse(_Once(self._socket), method=method)  # type: ignore[arg-type]
        try:
            response.begin()
            body, length = self._read(response)
            if response.will_close:
                self.close()
        finally:
            response.close()
        seconds = time.perf_counter() - started
        headers = response.getheaders()
        return HttpAnswer(
            status=response.status,
            headers=[pair for pair in headers if pair[0].lower() not in _FRAMING],
            body=body,
            body_length=length,
            seconds=seconds,
            problem=_problem(headers, body),
        )

    def _read(self, response: http.client.HTTPResponse) -> tuple[bytes, int]:
        parts: list[bytes] = []
        kept = length = 0
        while part := response.read1(_BLOCK):
            length += len(part)
            if kept < self._most:
                parts.append(part[: self._most - kept])
                kept += len(parts[-1])
        if response.length:
            raise http.client.IncompleteRead(b"".join(parts), response.length)
        return b"".join(parts), length


class _Once:
    """What http.client takes for a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(socket.SocketIO(self._socket, "r"), _BLOCK)


def _problem(headers: Sequence[tuple[str, str]], body: bytes) -> str | None:
    """What the proxy answered with in place of the environment."""
    if ("Content-Type", _PROBLEM) not in headers:
        return None
    try:
        kind = str(json.loads(body)["type"])
    except (ValueError, KeyError, TypeError):
        return None
    return kind.removeprefix(_TYPE) if kind.startswith(_TYPE) else None
