"""A proxy's process between raw sockets: upstreams that a test scripts to the byte, and clients that send anything."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.model import Api, ProcessId, Route
from emulator.process import LOG_FILE, spawn, start_time, stop
from emulator.routes import publish_routes

# Seconds. So long that a busy machine makes no test run out of them, and so short that a test can wait for it.
TIMEOUT, IMPATIENT = 30.0, 1.0
MAX_BODY = 200_000
BASE = "/_aws/execute-api/00bea1dc/live"
API = Api(logical_id="Api", path=BASE, stage="live")
ADMIN = Api(logical_id="Admin", path="/_aws/execute-api/11aa22bb/live", stage="live")


@dataclass
class Exchange:
    """One request as the upstream sees it: the head to the byte, and the connection."""

    head: bytes
    reader: Any
    socket: socket.socket

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def read_body(self) -> bytes:
        """The body as it was framed; a chunked one with its framing removed. Fails when it breaks off."""
        if self.values("transfer-encoding"):
            body = b""
            while size := int(self.reader.readline(), 16):
                body += self.reader.read(size)
                assert self.reader.readline() == b"\r\n"
            assert self.reader.readline() == b"\r\n"
            return body
        length = int((self.values("content-length") or ["0"])[0])
        body = self.reader.read(length)
        assert len(body) == length
        return bytes(body)

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def answer(self, body: bytes = b"", *, status: str = "200 OK", headers: tuple[str, ...] = ()) -> None:
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
        self.send("\r\n".join(lines).encode("latin-1"), body)


def echo(exchange: Exchange) -> None:
    """Answer with what arrived."""
    body = exchange.read_body()
    exchange.answer(b"" if exchange.head.startswith(b"HEAD ") else body)


class CloseConnection(Exception):
    """Raised by a script to end the connection after what it sent."""


@dataclass
class Upstream:
    """A scripted server: keeps what it got, and lets a test write every byte of the answer."""

    script: Callable[[Exchange], None] = echo
    exchanges: list[Exchange] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def last(self) -> Exchange:
        return self.exchanges[-1]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self.listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join()

    def drop_connections(self) -> None:
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=[connection])
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError, CloseConnection):
            while head := read_head(reader):
                exchange = Exchange(head, reader, connection)
                self.exchanges.append(exchange)
                self.script(exchange)


def read_head(reader: Any) -> bytes:
    head = b""
    while line := reader.readline():
        head += line
        if line == b"\r\n":
            return head
    return b""


def own_process() -> ProcessId:
    started = start_time(os.getpid())
    assert started is not None
    return ProcessId(pid=os.getpid(), started=started)


@dataclass
class Proxy:
    """A running proxy, and the routes it follows."""

    port: int
    routes: Path
    log: Path

    def publish(self, url: str | None, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "environment": "test",
            "account_id": "000000000001",
            "region": "eu-central-1",
            "driver": "embedded",
            "url": url,
            "process": own_process(),
            "release": "ce9d3706731f",
            "digest": "ab" * 32,
            "apis": (API,),
            "default_api": "Api",
        }
        publish_routes(self.routes, [Route(**{**fields, **changes})])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def send(self, raw: bytes) -> bytes:
        """Everything that comes back until the proxy closes."""
        with self.connect() as sock:
            sock.sendall(raw)
            return receive_all(sock)

    def ask(
        self, target: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: Any = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request over a connection of its own."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, target, headers=headers or {}, body=body)
            response = connection.getresponse()
            return response, response.read()

    def problem(self, target: str, **options: Any) -> dict[str, Any]:
        """The problem that a request is answered with; checks its form."""
        response, body = self.ask(target, **options)
        content = json.loads(body)
        assert response.getheader("Content-Type") == "application/problem+json"
        assert content["status"] == response.status
        assert content["instance"] == target
        assert {"type", "title", "detail", "environment", "next"} <= set(content)
        return dict(content)


def receive_all(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


def receive_until(sock: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        part = sock.recv(65536)
        assert part, f"closed after {received!r}"
        received += part
    return received


def wait_until(condition: Callable[[], bool], *, timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@contextlib.contextmanager
def start_proxy(folder: Path, *more: str, timeout: float = TIMEOUT) -> Iterator[Proxy]:
    """Without a project; *more* arguments of its own."""
    routes = folder / "routes.json"
    arguments = ["--routes", str(routes), "--timeout", str(timeout), "--max-body", str(MAX_BODY), *more]
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        process = spawn(
            "emulator.proxy", folder=folder / "proxy", listener=listener, arguments=arguments, environ=dict(os.environ)
        )
    try:
        yield Proxy(port, routes, folder / "proxy" / LOG_FILE)
    finally:
        stop(folder / "proxy", grace=8.0)
        process.wait(timeout=10)
