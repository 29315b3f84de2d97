"""Accepts connections, gives each that has something to say to a thread, and watches the others."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from localstack.config import GATEWAY_WORKER_COUNT, HostAndPort
from localstack.runtime.server.core import RuntimeServer
from rolo.gateway import Gateway
from rolo.gateway.wsgi import WsgiGateway

from multistack_localstack.server.connection import Connection

_BACKLOG = 512
# Seconds that a connection may be silent.
_IDLE = 120.0
# Seconds that requests may take to end when the server stops.
_LAST_ANSWERS = 3.0


class ThreadedServer(RuntimeServer):
    """LocalStack's ``RuntimeServer`` on threads."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._pool = ThreadPoolExecutor(max_workers=GATEWAY_WORKER_COUNT, thread_name_prefix="http")
        self._applications: dict[int, tuple[socket.socket, WsgiGateway, Callable[[], ssl.SSLContext]]] = {}
        self._waiting: dict[Connection, float] = {}
        self._all: set[Connection] = set()
        self._returned: list[Connection] = []
        self._lock = threading.Lock()
        self._is_stopping = False
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, "wake")

    def register(self, gateway: Gateway, listen: list[HostAndPort], ssl_creds: tuple[str, str] | None = None) -> None:
        """
        Serve *gateway* on each address of *listen*.

        Raises:
            OSError: Somebody else has one.
        """
        application = WsgiGateway(gateway)
        tls = _tls_context(ssl_creds)
        for address in listen:
            listener = socket.create_server((address.host, address.port), backlog=_BACKLOG, reuse_port=False)
            listener.setblocking(False)
            self._applications[listener.fileno()] = (listener, application, tls)
            self._selector.register(listener, selectors.EVENT_READ, "listener")

    def run(self) -> None:
        """Serve until :meth:`shutdown`."""
        while not self._is_stopping:
            for key, _ in self._selector.select(timeout=5.0):
                if key.data == "listener":
                    self._accept(key.fd)
                elif key.data == "wake":
                    self._watch_returned()
                else:
                    self._wake_up(key.data)
            self._close_silent()
        self._end()

    def shutdown(self) -> None:
        """End :meth:`run`; from any thread."""
        self._is_stopping = True
        self._wake()

    def _accept(self, number: int) -> None:
        listener, application, tls = self._applications[number]
        while True:
            try:
                accepted, peer = listener.accept()
            except OSError:
                return
            connection = Connection(accepted, peer[:2], application, tls)
            with self._lock:
                self._all.add(connection)
            self._pool.submit(self._serve, connection)

    def _serve(self, connection: Connection) -> None:
        is_open = False
        try:
            is_open = connection.serve()
        finally:
            with self._lock:
                if is_open:
                    self._returned.append(connection)
                else:
                    self._all.discard(connection)
            if is_open:
                self._wake()
            else:
                connection.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"x")

    def _watch_returned(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_reader.recv(4096)
        with self._lock:
            returned, self._returned = self._returned, []
        for connection in returned:
            self._waiting[connection] = time.monotonic()
            self._selector.register(connection, selectors.EVENT_READ, connection)

    def _wake_up(self, connection: Connection) -> None:
        self._selector.unregister(connection)
        del self._waiting[connection]
        self._pool.submit(self._serve, connection)

    def _close_silent(self) -> None:
        now = time.monotonic()
        for connection in [one for one, since in self._waiting.items() if now - since > _IDLE]:
            self._selector.unregister(connection)
            del self._waiting[connection]
            with self._lock:
                self._all.discard(connection)
            connection.close()

    def _end(self) -> None:
        """Accept no more, let go of silent connections, and give requests that run a moment."""
        for listener, _, _ in self._applications.values():
            listener.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + _LAST_ANSWERS
        while (left := self._close_unless_answering()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for connection in left:
            connection.close()

    def _close_unless_answering(self) -> list[Connection]:
        with self._lock:
            open_ones = list(self._all)
        answering = [connection for connection in open_ones if connection.is_answering]
        for connection in open_ones:
            if connection not in answering:
                connection.close()
        return answering


def _tls_context(ssl_creds: tuple[str, str] | None) -> Callable[[], ssl.SSLContext]:
    made: list[ssl.SSLContext] = []

    def context() -> ssl.SSLContext:
        if ssl_creds is None:
            raise ssl.SSLError("there is no certificate")
        if not made:
            fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            fresh.load_cert_chain(*ssl_creds)
            made.append(fresh)
        return made[0]

    return context
