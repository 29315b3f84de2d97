"""Send a request upstream and stream the answer back; neither is ever held as a whole, or cut without a sign."""

from __future__ import annotations

import contextlib
import http.client
import time
from urllib.parse import urlsplit

from emulator.process import is_alive
from emulator.proxy.answer import Answer, Body, framed_headers, is_framed
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy.resolve import Destination, check_alive, not_ready
from emulator.proxy.rewrite import invocations_of, request_headers, response_headers
from emulator.proxy.upstream import Connection, Upstreams
from emulator.proxy.whereabouts import MOVABLE, away

_BLOCK = 64 * 1024
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Forwarder:
    """
    Passes requests on.

    Args:
        max_body: Bytes a request's body may have.
    """

    def __init__(self, upstreams: Upstreams, *, timeout: float, max_body: int) -> None:
        self._upstreams = upstreams
        self._timeout = timeout
        self._max_body = max_body

    def forward(self, request: Request, destination: Destination) -> Answer:
        """
        The upstream's answer, its body still to be read.

        Raises:
            Problem: There is none.
        """
        name = destination.route.environment
        if (request.length or 0) > self._max_body:
            raise self._too_large(name)
        head = _render_head(request, destination)
        started = time.perf_counter()
        connection, response = self._exchange(request, destination, head)
        if response.status == 101 or not is_framed(response):
            response.close()
            connection.socket.close()
            raise _bad_gateway(name, "its answer is malformed")
        told = framed_headers(response)
        return Answer(
            status_line=f"{response.status} {response.reason}",
            headers=response_headers(told, destination),
            body=Body(response, connection, self._upstreams, name),
            invocations=invocations_of(told),
            upstream_seconds=time.perf_counter() - started,
        )

    def _exchange(
        self, request: Request, destination: Destination, head: bytes
    ) -> tuple[Connection, http.client.HTTPResponse]:
        name = destination.route.environment
        connection = self._connect(destination)
        while True:
            try:
                self._send(connection, request, head, name)
                return connection, connection.receive(request.method)
            except TimeoutError as error:
                connection.socket.close()
                raise self._no_answer(name) from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.socket.close()
                check_alive(destination.route, is_alive)  # a killed emulator is down, not wrong
                if not (_went_stale(connection, error) and request.body is None and request.method in _REPEATABLE):
                    raise _bad_gateway(name, _reason(error)) from error
                connection = self._connect(destination, fresh=True)
            except BaseException:
                connection.socket.close()
                raise

    def _connect(self, destination: Destination, *, fresh: bool = False) -> Connection:
        name = destination.route.environment
        try:
            return self._upstreams.connect(destination.url, fresh=fresh)
        except TimeoutError as error:
            if destination.route.driver in MOVABLE:
                raise away(destination.route) from error
            raise self._no_answer(name) from error
        except OSError as error:
            if destination.route.driver in MOVABLE:
                raise away(destination.route) from error
            raise not_ready(
                destination.route,
                f"environment {name} is not reachable at {destination.url}: {error.strerror or error}",
                kind="down",
            ) from error

    def _send(self, connection: Connection, request: Request, head: bytes, name: str) -> None:
        if request.body is None:
            connection.socket.sendall(head)
            return
        sent = 0
        # The head waits for the first bytes of the body, and leaves in one packet with them.
        while part := request.body.read(_BLOCK):
            sent += len(part)
            if sent > self._max_body:
                raise self._too_large(name)
            framed = part if request.length is not None else b"%x\r\n%b\r\n" % (len(part), part)
            try:
                connection.socket.sendall(head + framed)
            except (BrokenPipeError, ConnectionResetError):
                return  # it may have answered before it had read everything, e.g. 413
            head = b""
        end = head if request.length is not None else head + b"0\r\n\r\n"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.socket.sendall(end)

    def _no_answer(self, name: str) -> Problem:
        return Problem(
            504,
            "timeout",
            "No answer in time",
            f"environment {name} did not answer within {self._timeout:g} seconds",
            environment=name,
            next_command=f"multistack logs {name}",
        )

    def _too_large(self, name: str) -> Problem:
        return Problem(
            413,
            "body-too-large",
            "Request body too large",
            f"a request's body may have {self._max_body} bytes",
            environment=name,
        )


def _render_head(request: Request, destination: Destination) -> bytes:
    headers = request_headers(request, destination)
    if request.length is None:
        headers.append(("Transfer-Encoding", "chunked"))
    elif request.length or request.values("content-length"):
        headers.append(("Content-Length", str(request.length)))
    path = urlsplit(destination.url).path.rstrip("/") + destination.api.path + destination.target
    lines = [f"{request.method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _went_stale(connection: Connection, error: Exception) -> bool:
    """Whether the upstream closed an idle connection just when it was used again."""
    return connection.is_reused and isinstance(error, ConnectionError)


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    if isinstance(error, OSError):
        return f"the connection broke: {error.strerror or error}"
    return f"its answer is malformed: {type(error).__name__}"


def _bad_gateway(name: str, reason: str) -> Problem:
    return Problem(
        502,
        "bad-answer",
        "No valid answer",
        f"environment {name} gave no valid answer: {reason}",
        environment=name,
        next_command=f"multistack logs {name}",
    )
