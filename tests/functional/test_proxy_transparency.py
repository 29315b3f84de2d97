"""What the proxy changes of a request and its answer: the documented headers, and not a byte beside them."""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.functional.raw_proxy import (
    BASE,
    CloseConnection,
    Exchange,
    Proxy,
    Upstream,
    read_head,
    start_proxy,
)

pytestmark = pytest.mark.embedded("no environment is started")

# docs/architecture.md, "What a request and its answer lose and gain".
REQUEST_HEADERS = {"host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix"}
REQUEST_HEADERS |= {"content-length", "transfer-encoding", "x-multistack-trace"}
ANSWER_HEADERS = {"connection", "content-length", "transfer-encoding", "date", "server"}
ANSWER_HEADERS |= {"x-multistack-environment", "x-multistack-release"}

BATCH, BATCHES = 25, 400
BODILESS = (204, 304)

TOKEN = "!#$%&'*+-.^_`|~09azAZ"
VALUE = "".join(map(chr, [9, *range(32, 127), *range(128, 256), 1, 11, 12, 28, 29, 30, 31]))
TARGET = "".join(map(chr, [*range(0x21, 0x23), *range(0x24, 0x7F), *range(0x80, 0x100)]))

names = st.one_of(
    st.sampled_from(["Accept", "Authorization", "Cookie", "Content-Type", "If-None-Match", "Range", "User-Agent"]),
    st.text(TOKEN, min_size=1, max_size=6).map("X-H".__add__),
)
values = st.text(VALUE, max_size=12).map(lambda text: text.strip(" \t"))
bodies = st.builds(
    lambda part, times: part * times, st.binary(max_size=5), st.sampled_from([1] * 12 + [3] * 4 + [200] * 3 + [40_000])
)


@dataclass(frozen=True)
class Asked:
    """
    A random request, and how its answer is to be made.

    Attributes:
        chunk: Bytes of each chunk of the body; None for a body with its length.
        framing: Of the answer: ``length``, ``chunked`` or ``close``.
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)
    chunk: int | None
    status: int
    framing: str

    def render(self, prefix: str) -> bytes:
        """The request as bytes, its path below *prefix*."""
        headers = [*self.headers, ("Host", "localhost"), ("X-Answer", f"{self.status} {self.framing}")]
        if self.chunk:
            headers.append(("Transfer-Encoding", "chunked"))
        elif self.body or self.method in {"POST", "PUT"}:
            headers.append(("Content-Length", str(len(self.body))))
        lines = [f"{self.method} {prefix}{self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head + (chunked(self.body, self.chunk) if self.chunk else self.body)


requests = st.builds(
    Asked,
    method=st.sampled_from(["GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X-m.1"]),
    target=st.text(TARGET, max_size=15).map("/".__add__).filter(lambda target: not target.startswith("/_api/")),
    headers=st.lists(st.tuples(names, values), max_size=4),
    body=bodies,
    chunk=st.sampled_from([None, None, 1000, 65_536]),
    status=st.sampled_from([200, 200, 200, 201, 404, 418, 500, 599, *BODILESS]),
    framing=st.sampled_from(["length"] * 6 + ["chunked"] * 3 + ["close"]),
)


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks of *size* bytes."""
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def mirror(exchange: Exchange) -> None:
    """Answer with all that arrived, in the headers and in the body, but for what the proxy may change."""
    body = exchange.read_body()
    headers = [(name, value) for name, value in exchange.headers if name.lower() not in REQUEST_HEADERS]
    status, framing = exchange.values("x-answer")[0].split()
    method, _, rest = exchange.head.partition(b" ")
    content = b"\0".join([method, rest.partition(b" ")[0], repr(headers).encode(), body])
    back = [f"{name}: {value}" for name, value in headers if name.startswith("X-H")]
    if framing != "close":
        framed = chunked(content, 1 + len(content) // 3) if framing == "chunked" else content
        back.append("Transfer-Encoding: chunked" if framing == "chunked" else f"Content-Length: {len(content)}")
    else:
        framed = content
        back.append("Connection: close")
    if int(status) in BODILESS:
        back.pop()
    head = "\r\n".join([f"HTTP/1.1 {status} As asked", *back, "", ""]).encode("latin-1")
    exchange.send(head, b"" if method == b"HEAD" or int(status) in BODILESS else framed)
    if framing == "close" and int(status) not in BODILESS:
        raise CloseConnection


@dataclass
class Client:
    """A connection that is kept as long as the server keeps it."""

    port: int
    _socket: socket.socket | None = field(default=None, init=False)
    _reader: Any = field(default=None, init=False)

    def ask(self, raw: bytes, method: str) -> tuple[bytes, list[tuple[str, str]], bytes]:
        """Status line, headers and body of the answer."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._reader = self._socket.makefile("rb")
        self._socket.sendall(raw)
        head = read_head(self._reader)
        assert head, "closed without an answer"
        line, *lines = head.split(b"\r\n")[:-2]
        pairs = [one.decode("latin-1").partition(":") for one in lines]
        headers = [(name, value.strip(" \t")) for name, _, value in pairs]
        body = self._read_body(method, int(line.split()[1]), {name.lower(): value for name, value in headers})
        return line, headers, body

    def _read_body(self, method: str, status: int, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status in BODILESS:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._reader.readline(), 16):
                body += self._reader.read(size)
                assert self._reader.readline() == b"\r\n"
            assert self._reader.readline() == b"\r\n"
        elif "content-length" in headers:
            body = self._reader.read(int(headers["content-length"]))
            assert len(body) == int(headers["content-length"])
        else:
            body = self._reader.read()
        if headers.get("connection", "").lower() == "close":
            self.close()
        return bytes(body)

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            self._reader.close()
            self._socket.close()
            self._socket = None


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """Mirrors what it gets."""
    with contextlib.closing(Upstream(mirror)) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Proxy]:
    """Leads to it as environment test."""
    with start_proxy(tmp_path_factory.mktemp("proxy")) as proxy:
        proxy.publish(upstream.url)
        yield proxy
        log = proxy.log.read_text()
    assert log == ""


# Where schemathesis ran before in the same process, hypothesis writes every example down.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_ten_thousand_random_requests_are_answered_as_without_the_proxy(proxy: Proxy, upstream: Upstream) -> None:
    """Any method, target, header and body, framed in any way: to the byte, but for the documented headers."""
    counted = 0
    direct, through = Client(upstream.port), Client(proxy.port)

    @settings(
        max_examples=BATCHES,
        database=None,
        phases=[Phase.generate],  # what differs is in the message; to shrink it takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(batch=st.lists(requests, min_size=BATCH, max_size=BATCH))
    def compare(batch: list[Asked]) -> None:
        nonlocal counted
        for asked in batch:
            expected = direct.ask(asked.render(BASE), asked.method)
            found = through.ask(asked.render("/test"), asked.method)
            assert (found[0], without(found[1])) == (expected[0], without(expected[1])), asked
            assert hashlib.sha256(found[2]).digest() == hashlib.sha256(expected[2]).digest(), asked
            counted += 1
        upstream.exchanges.clear()

    try:
        compare()
    finally:
        direct.close()
        through.close()
    assert counted >= BATCH * BATCHES


def without(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers but for those that the proxy may change."""
    return [(name, value) for name, value in headers if name.lower() not in ANSWER_HEADERS]
