"""Small servers of tests: what else may listen where an emulator is expected, and ways that lead to one."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class _Local(ThreadingHTTPServer):
    """On some port of 127.0.0.1."""

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def web_server(*, status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"") -> Iterator[WebServer]:
    """A server on 127.0.0.1 that gives one answer to everything."""
    server = WebServer(status, headers or {}, body)
    with _serving(server):
        yield server


class WebServer(_Local):
    """Remembers which paths were asked for."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(_Quiet):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_HEAD = do_GET  # noqa: N815 (the names that http.server asks for)

        super().__init__(("127.0.0.1", 0), Handler)


@contextlib.contextmanager
def ending_server(port: int, *, after: int) -> Iterator[EndingServer]:
    """Passes *after* requests on to *port*, and no others, as a server that ends midway."""
    server = EndingServer(port, after)
    with _serving(server):
        yield server


class EndingServer(_Local):
    """Counts the requests that it didn't pass on."""

    def __init__(self, port: int, after: int) -> None:
        self.refused = 0
        left, lock, this = iter(range(after)), threading.Lock(), self

        class Handler(_Quiet):
            def do_POST(self) -> None:
                with lock:
                    if next(left, None) is None:
                        this.refused += 1
                        self.close_connection = True
                        return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                with contextlib.closing(connection):
                    connection.request(self.command, self.path, body, dict(self.headers.items()))
                    answer = connection.getresponse()
                    content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST  # noqa: N815 (the names that http.server asks for)

        super().__init__(("127.0.0.1", 0), Handler)


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """The URL of a server that accepts connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def way_to(port: int, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port of *host* whose connections end at *port* of 127.0.0.1, under TLS if asked for."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with _serving(_way(family, host, _carrier(port, tls))) as server:
        yield server.server_address[1]


def _way(family: socket.AddressFamily, host: str, carry: Callable[[socket.socket], None]) -> socketserver.TCPServer:
    class Way(socketserver.ThreadingTCPServer):
        address_family = family
        daemon_threads = True
        block_on_close = False

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                carry(self.request)

    return Way((host, 0), Handler)


def _carrier(port: int, tls: ssl.SSLContext | None) -> Callable[[socket.socket], None]:
    def carry(near: socket.socket) -> None:
        if tls is not None:
            near = tls.wrap_socket(near, server_side=True)
        with near, socket.create_connection(("127.0.0.1", port)) as far:
            back = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
            back.start()
            _pass_on(near, far)
            back.join()

    return carry


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[socketserver.TCPServer]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 127.0.0.1, and the file that makes clients trust it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, cert = folder / "key.pem", folder / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert
