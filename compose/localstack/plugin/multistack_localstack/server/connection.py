"""A client's connection: requests in, answers out, by one thread at a time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any

from multistack_localstack.server.requests import BadRequest, Reader, Request, path_and_query

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

_CHUNK = 64 * 1024
# Seconds that a thread waits for the next request; then the connection waits without one.
LINGER = 2.0
_SLOW = 60.0
_TLS_HANDSHAKE = 0x16


class Connection:
    """
    One accepted socket, plain or TLS: which one its first byte tells.

    Attributes:
        is_answering: A request is being worked on.
    """

    def __init__(
        self,
        accepted: socket.socket,
        peer: tuple[str, int],
        application: Application,
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        self._socket = accepted
        self._peer = peer
        self._application = application
        self._tls = tls
        self._is_new = True
        self._is_over = False
        self._scheme = "http"
        self._reader = Reader()
        self.is_answering = False

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def serve(self) -> bool:
        """Answer requests until none comes for a while; returns whether the connection is still open."""
        try:
            if self._is_new:
                self._is_new = False
                self._begin()
            while True:
                request = self._next()
                if request is None:
                    return not self._is_over
                if not self._answer(request):
                    break
        except (OSError, ssl.SSLError):
            pass  # the client went away
        except BadRequest as error:
            self._refuse(str(error))
        self.close()
        return False

    def close(self) -> None:
        """Hang up; from any thread, and a thread that reads wakes."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._socket.close()

    def _begin(self) -> None:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(_SLOW)
        first = self._socket.recv(1, socket.MSG_PEEK)
        if first and first[0] == _TLS_HANDSHAKE:
            self._socket = self._tls().wrap_socket(self._socket, server_side=True)
            self._scheme = "https"

    def _next(self) -> Request | None:
        """The next request; None when none has begun for a while, or the client has hung up."""
        request = None
        self._socket.settimeout(LINGER)
        while request is None:
            try:
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                if self._reader.has_begun:
                    raise
                return None
            if not data:
                self._is_over = True
                self.close()
                return None
            request = self._feed(data)
            if request is None:
                self._socket.settimeout(_SLOW)
        self._socket.settimeout(_SLOW)
        return request

    def _feed(self, data: bytes) -> Request | None:
        request = self._reader.feed(data)
        if request is None and self._reader.wants_continue:
            self._reader.wants_continue = False
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return request

    def _answer(self, request: Request) -> bool:
        """Have the application answer; returns whether the connection can be used again."""
        answer = _Answer(self._socket, request)
        self.is_answering = True
        body: Iterable[bytes] = ()
        try:
            body = self._application(self._environ(request), answer.start)
            for part in body:
                answer.write(part)
            return answer.finish()
        finally:
            self.is_answering = False
            request.body.close()
            if (close := getattr(body, "close", None)) is not None:
                close()

    def _environ(self, request: Request) -> dict[str, Any]:
        path, query = path_and_query(request.target)
        host, _, port = (request.header(b"host") or b"localhost").decode("latin-1").rpartition(":")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_URI": request.target,
            "RAW_URI": request.target,
            "SERVER_NAME": host or port,
            "SERVER_PORT": port if host and port.isdecimal() else "4566",
            "SERVER_PROTOCOL": f"HTTP/{request.version}",
            "REMOTE_ADDR": self._peer[0],
            "REMOTE_PORT": str(self._peer[1]),
            "CONTENT_TYPE": "",
            "CONTENT_LENGTH": "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self._scheme,
            "wsgi.input": request.body,
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "rolo.headers": request.headers,
        }
        for name, value in request.headers:
            key = name.decode("latin-1").upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if environ.get(key) else text
        return environ

    def _refuse(self, reason: str) -> None:
        body = f"{reason}\n".encode()
        head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        with contextlib.suppress(OSError):
            self._socket.sendall(head + body)


class _Answer:
    """Writes one answer; a body of unknown length goes out in chunks."""

    def __init__(self, client: socket.socket, request: Request) -> None:
        self._client = client
        self._request = request
        self._head = b""
        self._has_body = True
        self._is_chunked = False
        self._keeps_alive = request.keeps_alive
        self._left: int | None = None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:
        """WSGI's ``start_response``."""
        names = {name.lower(): value for name, value in headers}
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        if "date" not in names:
            lines.append(f"Date: {_date()}")
        code = status[:3]
        self._has_body = self._request.method != "HEAD" and code not in ("204", "304") and not code.startswith("1")
        if self._has_body and "content-length" not in names and "transfer-encoding" not in names:
            if self._request.version == "1.1":
                self._is_chunked = True
                lines.append("Transfer-Encoding: chunked")
            else:
                self._keeps_alive = False
        length = names.get("content-length", "")
        self._left = int(length) if self._has_body and length.isdecimal() else None
        if names.get("connection", "").lower() == "close":
            self._keeps_alive = False
        elif not self._keeps_alive:
            lines.append("Connection: close")
        self._head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        return self.write

    def write(self, data: bytes) -> None:
        """Send a part of the body, the head before the first."""
        if not data or not self._has_body:
            return
        head, self._head = self._head, b""
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        if self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._client.sendall(head + data if len(data) < _CHUNK else head)
        if len(data) >= _CHUNK:
            self._client.sendall(data)

    def finish(self) -> bool:
        """Send what is left; returns whether another request may come: not after a body that breaks off."""
        end = b"0\r\n\r\n" if self._is_chunked and self._has_body else b""
        if self._head or end:
            self._client.sendall(self._head + end)
            self._head = b""
        return self._keeps_alive and not self._left


_today: tuple[int, str] = (0, "")


def _date() -> str:
    """Now as HTTP writes it, made once a second."""
    global _today  # noqa: PLW0603 - one value of all connections
    now = int(time.time())
    if _today[0] != now:
        _today = (now, formatdate(now, usegmt=True))
    return _today[1]
