"""Answers and clients that strain the proxy: it holds none of them in memory, mixes none up, and goes on."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.process import read_record
from tests.functional.raw_proxy import (
    CloseConnection,
    Exchange,
    Proxy,
    Upstream,
    wait_until,
)

pytestmark = pytest.mark.embedded("no environment is started")

MEGABYTE = 1 << 20
BLOCK = os.urandom(MEGABYTE)
# More than the proxy may grow by while something large passes: a part of it, and what Python keeps for later.
ALLOWED = 16 * MEGABYTE
NOW = struct.pack("ii", 1, 0)


@pytest.fixture
def proxy(running_proxy: Proxy, upstream: Upstream) -> Iterator[Proxy]:
    """Leads to the upstream as environment test."""
    running_proxy.publish(upstream.url)
    yield running_proxy
    assert running_proxy.ask("/_multistack/health")[0].status == 200


class Memory:
    """What the proxy's process has at its most, from now on."""

    def __init__(self, proxy: Proxy) -> None:
        record = read_record(proxy.log.parent)
        assert record is not None
        self._folder = Path(f"/proc/{record.process.pid}")
        (self._folder / "clear_refs").write_text("5")
        self._before = self._most()

    @property
    def growth(self) -> int:
        """Bytes more than at the start, at its most."""
        return self._most() - self._before

    def _most(self) -> int:
        status = (self._folder / "status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_fifty_megabytes_pass_whole_and_are_held_by_nobody(proxy: Proxy, upstream: Upstream) -> None:
    """With a length or in chunks."""

    def answer(exchange: Exchange) -> None:
        chunked = exchange.target.endswith("chunked")
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {50 * MEGABYTE}"
        exchange.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        for _ in range(50):
            exchange.send(b"%x\r\n" % MEGABYTE + BLOCK + b"\r\n" if chunked else BLOCK)
        exchange.send(b"0\r\n\r\n" if chunked else b"")

    upstream.script = answer
    proxy.ask("/test/chunked")  # what Python takes for the first of them, it keeps
    memory = Memory(proxy)
    expected = hashlib.sha256(BLOCK * 50).hexdigest()
    for target in ("/test/length", "/test/chunked"):
        assert hashlib.sha256(proxy.ask(target)[1]).hexdigest() == expected
    assert memory.growth < ALLOWED


def test_an_endless_stream_fills_nothing_and_ends_with_its_client(proxy: Proxy, upstream: Upstream) -> None:
    """The upstream is held back by a client that reads slowly; others are served meanwhile."""
    gone = threading.Event()
    sent = 0

    def stream(exchange: Exchange) -> None:
        nonlocal sent
        if exchange.target.endswith("other"):
            exchange.answer(b"other")
            return
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        try:
            while True:
                exchange.send(BLOCK)
                sent += MEGABYTE
        except OSError:
            gone.set()
            raise

    upstream.script = stream
    memory = Memory(proxy)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)) as connection:
        connection.request("GET", "/test/stream")
        response = connection.getresponse()
        for _ in range(20):
            assert len(response.read(MEGABYTE)) == MEGABYTE
        assert proxy.ask("/test/other")[1] == b"other"
        assert memory.growth < ALLOWED
        assert sent < 60 * MEGABYTE
        response.close()
    assert gone.wait(20)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"X-Large: " + b"x" * 100_000 + b"\r\n", id="one"),
        pytest.param(b"X-Small: 1234567890123456789012345678901\r\n" * 2_500, id="many"),
    ],
)
def test_headers_of_100_kilobytes_are_refused_both_ways(proxy: Proxy, upstream: Upstream, lines: bytes) -> None:
    """A request's with 431; an answer's is the environment's fault."""
    received = b""
    # Unread bytes may reset the connection behind the answer.
    with proxy.connect() as sock, contextlib.suppress(ConnectionError):
        sock.sendall(b"GET /test/a HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n")
        while part := sock.recv(65536):
            received += part
    assert received.startswith(b"HTTP/1.1 431 ")
    assert upstream.exchanges == []

    upstream.script = lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 2\r\n\r\nok")
    problem = proxy.problem("/test/a")
    assert (problem["status"], problem["environment"]) == (502, "test")


def test_a_header_of_60_kilobytes_passes_both_ways(proxy: Proxy, upstream: Upstream) -> None:
    """A large token or cookie is no attack."""
    value = "x" * 60_000
    upstream.script = lambda exchange: exchange.answer(headers=(f"X-Large: {exchange.values('x-large')[0]}",))
    response, _ = proxy.ask("/test/a", headers={"X-Large": value})
    assert response.getheader("X-Large") == value


def test_length_and_chunks_at_once_are_chunks(proxy: Proxy, upstream: Upstream) -> None:
    """The length is not passed on, so nobody behind can read the answer otherwise."""
    upstream.script = lambda exchange: exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    )
    for _ in range(2):
        response, body = proxy.ask("/test/a")
        assert (body, response.getheader("Content-Length")) == (b"abcde", None)


@pytest.mark.parametrize("size", [b"-1", b"ffffffffffffffffffff", b""], ids=["negative", "huge", "none"])
def test_a_chunk_without_a_valid_size_breaks_the_answer(proxy: Proxy, upstream: Upstream, size: bytes) -> None:
    """What comes after it is never passed off as the end of the body."""

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + size + b"\r\n0\r\n\r\n")
        raise CloseConnection

    upstream.script = answer
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        proxy.ask("/test/a")


def test_bytes_behind_an_answer_are_not_the_next_one(proxy: Proxy, upstream: Upstream) -> None:
    """A connection on which the upstream says what nobody asked is given up."""
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    upstream.script = lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + forged)
    for _ in range(3):
        assert proxy.ask("/test/a")[1] == b"ok"


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
def test_a_client_that_leaves_before_the_answer_mixes_nothing_up(
    proxy: Proxy, upstream: Upstream, resets: bool
) -> None:
    """Its answer, which nobody takes, never reaches the next client."""
    go_on = threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.target.endswith("slow"):
            go_on.wait(10)
            exchange.answer(b"for who left " * 20_000)
        else:
            exchange.answer(b"for who came")

    upstream.script = answer
    with proxy.connect() as sock:
        sock.sendall(b"GET /test/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: bool(upstream.exchanges))
        if resets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
    go_on.set()
    for _ in range(5):
        assert proxy.ask("/test/next")[1] == b"for who came"


def test_a_client_that_leaves_within_a_chunk_breaks_the_upstream_s_request(proxy: Proxy, upstream: Upstream) -> None:
    """Half a body in chunks is never passed off as a whole one either."""
    outcome: list[bytes] = []
    upstream.script = lambda exchange: outcome.append(exchange.reader.read())
    with proxy.connect() as sock:
        sock.sendall(b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc")
        wait_until(lambda: bool(upstream.exchanges))
    wait_until(lambda: bool(outcome))
    assert not outcome[0].endswith(b"0\r\n\r\n")


def test_many_clients_that_leave_leave_nothing_behind(proxy: Proxy, upstream: Upstream) -> None:
    """No worker, no connection, no file stays with them."""
    record = read_record(proxy.log.parent)
    assert record is not None
    files = Path(f"/proc/{record.process.pid}/fd")
    upstream.script = lambda exchange: exchange.answer(BLOCK)
    before = len(list(files.iterdir()))
    for _ in range(100):
        with proxy.connect() as sock:
            sock.sendall(b"GET /test/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(1000)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
    wait_until(lambda: len(list(files.iterdir())) <= before + 2)
