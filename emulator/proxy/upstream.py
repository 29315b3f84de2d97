"""Connections to the emulators: kept open between requests, and never trusted to be still there."""

from __future__ import annotations

import functools
import http.client
import io
import select
import socket
import ssl
import threading
from collections.abc import Collection
from dataclasses import dataclass

from emulator.addresses import origin_of, refuse_foreign

_MAX_IDLE = 64
_BUFFER = 64 * 1024


@dataclass(slots=True, kw_only=True)
class Connection:
    """
    One connection to an upstream.

    Attributes:
        is_reused: It has served a request before, so the upstream may have closed it in the meantime.
    """

    url: str
    socket: socket.socket
    is_reused: bool = False

    def receive(self, method: str) -> http.client.HTTPResponse:
        """
        The head of the answer, its body still to be read.

        Raises:
            OSError, http.client.HTTPException: No valid answer arrived.
        """
        head = _Head(self.socket)
        response = http.client.HTTPResponse(head, method=method)  # type: ignore[arg-type]
        try:
            response.begin()
            while 100 <= response.status < 200 and response.status != 101:
                # begin() skips 100 only; the final answer comes after the others, e.g. 103.
                del response.headers
                response.headers = response.msg = None  # type: ignore[assignment]
                response.begin()
            if not head.is_complete or response.headers.defects:
                raise http.client.HTTPException("the headers break off, or aren't headers")
        except BaseException:
            response.close()
            raise
        return response


class _Lines(io.BufferedReader):
    last = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last = super().readline(size)
        return self.last


class _Head:
    """What http.client takes for a socket; it tells whether the headers ended, which http.client doesn't look at."""

    def __init__(self, sock: socket.socket) -> None:
        self._lines = _Lines(socket.SocketIO(sock, "r"), _BUFFER)

    def makefile(self, _mode: str) -> _Lines:
        return self._lines

    @property
    def is_complete(self) -> bool:
        return self._lines.last in {b"\r\n", b"\n"}


class Upstreams:
    """
    Idle connections per upstream.

    The standard library's response reader on a socket of our own: half the cost of `http.client` and a third of
    urllib3 (54, 91 and 181 µs above bare sockets), and the target leaves as it came - both normalise or refuse some.

    Args:
        timeout: Seconds to wait for a connection, and for every read and write on it.
        allow_remote: See :func:`emulator.addresses.refuse_foreign`.
        ca_file: Certificates of authorities to trust; None for those of the system.
    """

    def __init__(self, *, timeout: float, allow_remote: bool = False, ca_file: str | None = None) -> None:
        self._timeout = timeout
        self._allow_remote = allow_remote
        self._ca_file = ca_file
        self._idle: dict[str, list[Connection]] = {}
        self._lock = threading.Lock()

    def connect(self, url: str, *, fresh: bool = False) -> Connection:
        """
        A connection to *url*, reused if one is idle and still open.

        Raises:
            OSError: Nothing listens, or nothing answers.
        """
        while not fresh and (connection := self._pop(url)):
            if not _is_readable(connection.socket):
                connection.is_reused = True
                return connection
            connection.socket.close()  # readable while idle: closed by the upstream, or saying what nobody asked
        # Looked at each time: where a name leads may have changed since the routes were published.
        if problem := refuse_foreign(url, allow_remote=self._allow_remote):
            raise OSError(problem)
        origin = origin_of(url)
        sock = socket.create_connection((origin.host, origin.port), timeout=self._timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.scheme == "https":
            sock = self._tls.wrap_socket(sock, server_hostname=origin.host)
        return Connection(url=url, socket=sock)

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._ca_file)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end."""
        with self._lock:
            idle = self._idle.setdefault(connection.url, [])
            if len(idle) < _MAX_IDLE:
                idle.append(connection)
                return
        connection.socket.close()

    def keep_only(self, urls: Collection[str | None]) -> None:
        """Close what leads to upstreams that are no more."""
        with self._lock:
            gone = [connection for url in set(self._idle) - set(urls) for connection in self._idle.pop(url)]
        for connection in gone:
            connection.socket.close()

    def _pop(self, url: str) -> Connection | None:
        with self._lock:
            idle = self._idle.get(url)
            return idle.pop() if idle else None


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
