"""The proxy's own process between real sockets: what a client sends, what an upstream gets, and the way back."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from emulator.model import ProcessId
from emulator.process import LOG_FILE, is_running, read_record, spawn
from tests.functional.raw_proxy import (
    ADMIN,
    API,
    BASE,
    IMPATIENT,
    MAX_BODY,
    CloseConnection,
    Exchange,
    Proxy,
    Upstream,
    echo,
    receive_until,
    start_proxy,
    wait_until,
)

pytestmark = pytest.mark.embedded("no environment is started")


@pytest.mark.parametrize(
    "rest",
    [
        "/a/../b//c%2f",
        "/caf%C3%A9/%2F%2f/%41",
        "//a//",
        "/./a/..",
        "/a?",
        "/?a=1&a=2&b=+%20&&c",
        "/a;v=1?q=%00%ff#"[:-1],
        "/a?u=http://x/y?z",
        "/",
        "/a|b\\c{}\"<>'^`",
    ],
)
def test_path_and_query_arrive_to_the_byte(proxy, upstream, rest):
    """Nothing is decoded, encoded or normalised, whichever way the environment was named."""
    for line, host in ((f"/test{rest}", "localhost"), (rest, "test.localhost")):
        proxy.send(f"GET {line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())

        assert upstream.last.target == BASE + rest


def test_raw_bytes_in_a_path_arrive(proxy, upstream):
    """Even bytes that no URL should have go on as they are."""
    proxy.send(b"GET /test/caf\xc3\xa9\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    assert upstream.last.head.startswith(b"GET " + BASE.encode() + b"/caf\xc3\xa9\xff HTTP/1.1\r\n")


def test_absolute_target_is_understood(proxy, upstream):
    """A client that takes the proxy for an HTTP proxy reaches the environment of the URL's host."""
    answer = proxy.send(b"GET http://test.localhost/a?b HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert upstream.last.target == f"{BASE}/a?b"


def test_prefix_alone_is_the_root(proxy, upstream):
    """`/test` reaches the same as `/test/`."""
    assert proxy.ask("/test")[0].status == 200
    assert upstream.last.target == f"{BASE}/"


def test_headers_arrive_as_they_were_sent(proxy, upstream):
    """Repeats, order, case and underscores are kept; what speaks of the connection is not."""
    proxy.send(
        b"GET /test/a HTTP/1.1\r\nHost: LocalHost:1\r\nX-A: 1\r\nCookie: a=1\r\nx-a: 2\r\nX_A: \xe9\r\nCookie: b=2\r\n"
        b"Connection: close, X-Private\r\nX-Private: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nAuthorization: Bearer a.b\r\n"
        b"Accept-Encoding: br\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nEmpty:\r\n\r\n"
    )

    assert upstream.last.headers == [
        ("Host", f"127.0.0.1:{upstream.port}"),
        ("X-A", "1"),
        ("Cookie", "a=1"),
        ("x-a", "2"),
        ("X_A", "\xe9"),
        ("Cookie", "b=2"),
        ("Authorization", "Bearer a.b"),
        ("Accept-Encoding", "br"),
        ("Empty", ""),
        ("X-Forwarded-For", "10.0.0.1, 127.0.0.1"),
        ("X-Forwarded-Host", "LocalHost:1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Prefix", "/test"),
        ("X-Multistack-Trace", "1"),
    ]


def test_no_header_is_made_up(proxy, upstream):
    """A bare request stays bare: no User-Agent, no Accept-Encoding, no length."""
    proxy.send(b"POST /a HTTP/1.1\r\nHost: test.localhost\r\nConnection: close\r\n\r\n")

    assert [name for name, _ in upstream.last.headers] == [
        "Host",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Multistack-Trace",
    ]


def test_answer_arrives_as_it_was_sent(proxy, upstream):
    """Status, phrase, repeated headers and binary content are kept; the answering environment is named."""
    content = gzip.compress(b"x" * 1000) + bytes(range(256))
    upstream.script = lambda exchange: exchange.answer(
        content,
        status="418 I'm a teapot",
        headers=(
            "Set-Cookie: a=1; Path=/",
            "Set-Cookie: b=2",
            "Content-Encoding: gzip",
            "Connection: X-Private",
            "X-Private: 1",
            "X-Multistack-Environment: prod",
            "X-Multistack-Fault: none of ours",
            "Date: Wed, 25 Nov 2026 14:00:00 GMT",
            "Server: up",
            "X-Latin: \xe9",
        ),
    )

    response, body = proxy.ask("/test/a")

    assert (response.status, response.reason, body) == (418, "I'm a teapot", content)
    assert response.getheaders() == [
        ("Set-Cookie", "a=1; Path=/test/"),
        ("Set-Cookie", "b=2"),
        ("Content-Encoding", "gzip"),
        ("Date", "Wed, 25 Nov 2026 14:00:00 GMT"),
        ("Server", "up"),
        ("X-Latin", "\xe9"),
        ("Content-Length", str(len(content))),
        ("X-Multistack-Environment", "test"),
        ("X-Multistack-Release", "ce9d3706731f"),
    ]


@pytest.mark.parametrize(
    ("given", "target", "host", "expected"),
    [
        ("{url}" + BASE + "/b", "/test/a", "localhost", "/test/b"),
        ("/b", "/test/a", "localhost", "/test/b"),
        ("/b", "/a", "test.localhost", "/b"),
        ("{url}/b", "/a", "test.localhost", "/b"),
        ("https://example.com/b", "/test/a", "localhost", "https://example.com/b"),
        ("/b", "/test/_api/Api/a", "localhost", "/test/_api/Api/b"),
    ],
    ids=["url", "path", "path-by-host", "url-by-host", "elsewhere", "named-api"],
)
def test_redirect_leads_back_through_the_proxy(proxy, upstream, *, given, target, host, expected):
    """A redirect is passed on, not followed, and names a URL that the client can reach."""
    location = given.format(url=upstream.url)
    upstream.script = lambda exchange: exchange.answer(status="302 Found", headers=(f"Location: {location}",))

    response, _ = proxy.ask(target, headers={"Host": host})

    assert (response.status, response.getheader("Location")) == (302, expected)
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "PROPFIND"])
def test_body_with_length_arrives(proxy, upstream, method):
    """Any method may have a body; its length stays."""
    content = bytes(range(256)) * 700

    _, body = proxy.ask("/test/a", method=method, body=content)

    assert body == content
    assert upstream.last.values("content-length") == [str(len(content))]
    assert upstream.last.values("transfer-encoding") == []


def test_chunked_body_arrives_chunked(proxy, upstream):
    """A body of unknown length is passed on as such, trailers aside, and the connection stays in step."""
    with proxy.connect() as sock:
        for _ in range(2):
            sock.sendall(
                b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
            )
            assert receive_until(sock, b"abcde").startswith(b"HTTP/1.1 200 ")

    assert upstream.last.values("transfer-encoding") == ["chunked"]
    assert upstream.last.values("content-length") == []


@pytest.mark.parametrize("framing", ["Content-Length: 6", "Transfer-Encoding: chunked"])
def test_request_body_is_passed_on_as_it_arrives(proxy, upstream, framing):
    """The upstream has the first bytes before the client has sent the last."""
    arrived: queue.Queue[bytes] = queue.Queue()
    chunked = "chunked" in framing

    def read_slowly(exchange: Exchange) -> None:
        for _ in range(2):
            if chunked:
                exchange.reader.readline()
            arrived.put(exchange.reader.read(3))
            if chunked:
                exchange.reader.readline()
        if chunked:
            exchange.reader.readline()
            exchange.reader.readline()
        exchange.answer(b"done")

    upstream.script = read_slowly
    with proxy.connect() as sock:
        sock.sendall(f"POST /test/a HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode())
        sock.sendall(b"3\r\nabc\r\n" if chunked else b"abc")
        assert arrived.get(timeout=60) == b"abc"
        sock.sendall(b"3\r\ndef\r\n0\r\n\r\n" if chunked else b"def")
        assert arrived.get(timeout=60) == b"def"
        receive_until(sock, b"done")


@pytest.mark.parametrize("framing", ["Content-Length: 6", "Transfer-Encoding: chunked", "Connection: close"])
def test_answer_is_passed_on_as_it_arrives(proxy, upstream, framing):
    """The client has the headers before the first byte of the body exists, and each part before the next."""
    go_on = threading.Semaphore(0)
    chunked = "chunked" in framing

    def answer_slowly(exchange: Exchange) -> None:
        exchange.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        for part in (b"abc", b"def"):
            go_on.acquire(timeout=60)
            exchange.send(b"3\r\n" + part + b"\r\n" if chunked else part)
        exchange.send(b"0\r\n\r\n" if chunked else b"")
        if "close" in framing:
            raise CloseConnection

    upstream.script = answer_slowly
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)) as connection:
        connection.request("GET", "/test/a")
        response = connection.getresponse()
        go_on.release()
        assert response.read1(100) == b"abc"
        go_on.release()
        assert response.read() == b"def"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "205 Reset Content"])
def test_bodiless_answer_keeps_the_connection(proxy, upstream, status):
    """No body, no wait, and the next request goes over the same connection."""
    length = "Content-Length: 0\r\n" if status.startswith("205") else ""
    upstream.script = lambda exchange: exchange.send(f"HTTP/1.1 {status}\r\n{length}ETag: x\r\n\r\n".encode())
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)) as connection:
        for _ in range(2):
            connection.request("GET", "/test/a")
            response = connection.getresponse()
            assert (f"{response.status} {response.reason}", response.read()) == (status, b"")
            assert response.getheader("Transfer-Encoding") is None
            assert not response.will_close
    assert upstream.connections == 1


def test_a_header_that_only_looks_like_the_length_is_none(proxy, upstream):
    """A body of which only a part is announced would be followed by a request of the client's making."""
    answer = proxy.send(
        b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\nContent_Length: 2\r\n"
        b"Connection: close\r\n\r\nabcdef"
    )
    assert answer.endswith(b"abcdef")
    assert upstream.last.values("content-length") == ["6"]


def test_head_keeps_the_length(proxy, upstream):
    """HEAD tells the length of a body that doesn't come."""
    upstream.script = lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)) as connection:
        for _ in range(2):
            connection.request("HEAD", "/test/a")
            response = connection.getresponse()
            assert (response.getheader("Content-Length"), response.read()) == ("1234", b"")


def test_interim_answers_are_skipped(proxy, upstream):
    """100 and 103 come before the answer, and aren't it."""
    upstream.script = lambda exchange: exchange.send(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )

    response, body = proxy.ask("/test/a")

    assert (response.status, body, response.getheader("Link")) == (200, b"ok", None)


def test_large_answer_is_whole(proxy, upstream):
    """Megabytes pass through unchanged."""
    content = os.urandom(1 << 20) * 8
    upstream.script = lambda exchange: exchange.answer(content)

    assert proxy.ask("/test/a")[1] == content


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", id="short-of-its-length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", id="no-body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", id="no-last-chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", id="within-a-chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", id="bad-chunk"),
    ],
)
def test_answer_that_breaks_off_breaks_the_connection(proxy, upstream, sent):
    """A part is never passed off as the whole."""

    def break_off(exchange: Exchange) -> None:
        exchange.send(sent)
        raise CloseConnection

    upstream.script = break_off

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        proxy.ask("/test/a")
    wait_until(lambda: "environment test broke off its answer" in proxy.log.read_text())


def test_answer_that_stalls_breaks_the_connection(impatient_proxy, upstream):
    """An upstream that stops in the middle is not waited for longer than the timeout."""
    impatient_proxy.publish(upstream.url)
    upstream.script = lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    with pytest.raises(http.client.IncompleteRead):
        impatient_proxy.ask("/test/a")


def test_broken_answer_is_a_reset_for_http_1_0(proxy, upstream):
    """Where the end of the connection is the end of the body, an orderly end would be a lie."""

    def break_off(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        raise CloseConnection

    upstream.script = break_off

    with pytest.raises(ConnectionResetError):
        proxy.send(b"GET /test/a HTTP/1.0\r\nHost: localhost\r\n\r\n")


def test_http_1_0_client_gets_a_plain_body(proxy, upstream):
    """A client that knows no chunks gets none."""
    upstream.script = lambda exchange: exchange.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )

    head, _, body = proxy.send(b"GET /test/a HTTP/1.0\r\nHost: localhost\r\n\r\n").partition(b"\r\n\r\n")

    assert body == b"abc"
    assert b"chunked" not in head


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200", id="half-a-line"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n", id="half-a-head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B", id="half-a-header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 2\r\n\r\nok", id="no-header"),
        pytest.param(b"garbage\r\n\r\n", id="garbage"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc", id="bad-length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 3\r\n\r\nabc", id="two-lengths"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", id="upgrade-nobody-asked-for"),
    ],
)
def test_no_valid_answer_is_502(proxy, upstream, sent):
    """What isn't HTTP, or breaks off before its headers end, is the upstream's fault."""

    def break_off(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(sent)
        raise CloseConnection

    upstream.script = break_off
    problem = proxy.problem("/test/a", method="POST", body=b"x")

    assert (problem["status"], problem["environment"], problem["next"]) == (502, "test", "multistack logs test")
    assert len(upstream.exchanges) == 1


def test_no_answer_in_time_is_504(impatient_proxy, upstream):
    """The timeout is the project's, and is named."""
    impatient_proxy.publish(upstream.url)
    finished = threading.Event()
    upstream.script = lambda exchange: finished.wait(120) and None
    started = time.monotonic()

    problem = impatient_proxy.problem("/test/a")
    finished.set()

    assert problem["status"] == 504
    assert f"{IMPATIENT:g} second" in problem["detail"]
    assert IMPATIENT <= time.monotonic() - started < 60


def test_refused_connection_is_503(proxy):
    """Nobody listens where the route leads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free_port = listener.getsockname()[1]
    proxy.publish(f"http://127.0.0.1:{free_port}")

    problem = proxy.problem("/test/a")

    assert (problem["status"], problem["next"]) == (503, "multistack up test")


def test_stranger_on_the_port_is_never_reached(proxy, upstream):
    """When the emulator's process is gone, whoever listens on its port gets nothing."""
    proxy.publish(upstream.url, process=ProcessId(pid=os.getpid(), started=-1.0))

    assert proxy.problem("/test/a")["status"] == 503
    assert upstream.exchanges == []


@pytest.mark.parametrize(
    ("changes", "target", "status", "words"),
    [
        pytest.param({"url": None}, "/test/a", 503, "stopped", id="stopped"),
        pytest.param({"apis": (), "digest": None}, "/test/a", 503, "multistack deploy test", id="nothing-deployed"),
        pytest.param({"apis": (API, ADMIN), "default_api": None}, "/test/a", 404, 'api = "Api"', id="several-apis"),
        pytest.param({}, "/test/_api/Other/a", 404, "Api", id="unknown-api"),
        pytest.param({}, "/prod/a", 404, "there are: test", id="unknown-environment"),
    ],
)
def test_what_cannot_be_reached_says_why(proxy, upstream, *, changes, target, status, words):
    """Every state has its problem, and nothing reaches another environment."""
    proxy.publish(**{"url": upstream.url, **changes})

    problem = proxy.problem(target)

    assert problem["status"] == status
    assert words in json.dumps(problem, ensure_ascii=False).replace('\\"', '"')
    assert upstream.exchanges == []


def test_named_api_is_reached(proxy, upstream):
    """Every API of a service has a path of its own."""
    proxy.publish(upstream.url, apis=(API, ADMIN), default_api="Api")

    proxy.ask("/test/_api/Admin/a?b")
    assert upstream.last.target == f"{ADMIN.path}/a?b"
    assert upstream.last.values("x-forwarded-prefix") == ["/test/_api/Admin"]
    proxy.ask("/test/a?b")
    assert upstream.last.target == f"{BASE}/a?b"


def test_header_names_the_environment(proxy, upstream):
    """Clients that can't choose a host or path send a header; the upstream doesn't see it."""
    response, _ = proxy.ask("/a", headers={"X-Multistack-Environment": "test"})

    assert response.getheader("X-Multistack-Environment") == "test"
    assert upstream.last.target == f"{BASE}/a"
    assert upstream.last.values("x-multistack-environment") == []
    assert upstream.last.values("x-forwarded-prefix") == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example"}, 403),
        ({"Host": "test.localhost", "X-Multistack-Environment": "prod"}, 400),
        ({"Connection": "Upgrade", "Upgrade": "websocket"}, 501),
    ],
    ids=["foreign-host", "contradiction", "websocket"],
)
def test_request_that_is_not_passed_on(proxy, upstream, headers, status):
    """Foreign hosts, contradictions and WebSockets end at the proxy."""
    assert proxy.problem("/test/a", headers=headers)["status"] == status
    assert upstream.exchanges == []


def test_missing_host_is_403(proxy, upstream):
    """No Host header, no answer from an environment."""
    assert proxy.send(b"GET /test/a HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    assert upstream.exchanges == []


def test_new_routes_hold_for_the_next_request(proxy, upstream):
    """A publication needs no restart, and old connections are given up."""
    proxy.ask("/test/a")
    with contextlib.closing(Upstream()) as other:
        proxy.publish(other.url)
        proxy.ask("/test/b")

        assert other.last.target == f"{BASE}/b"
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("waits", [False, True], ids=["at-once", "waits-for-100"])
def test_announced_body_that_is_too_large_is_413(proxy, upstream, waits):
    """The length alone decides; the client isn't asked to send it, and reads the answer undisturbed."""
    expectation = "Expect: 100-continue\r\n" if waits else ""
    head = f"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY + 1}\r\n{expectation}\r\n"

    answer = proxy.send(head.encode() + (b"" if waits else b"x" * (MAX_BODY + 1)))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["environment"] == "test"
    assert upstream.exchanges == []


def test_body_of_unknown_length_is_counted(proxy, upstream):
    """A chunked body is cut off at the limit, and the upstream never takes it for whole."""
    outcome: queue.Queue[str] = queue.Queue()

    def read(exchange: Exchange) -> None:
        try:
            exchange.read_body()
            outcome.put("whole")
        except (ValueError, AssertionError, OSError):
            outcome.put("broken")
        raise CloseConnection

    upstream.script = read

    def parts() -> Iterator[bytes]:
        for _ in range(MAX_BODY // 50_000 + 1):
            yield b"x" * 50_000

    assert proxy.problem("/test/a", method="POST", body=parts())["status"] == 413
    assert outcome.get(timeout=60) == "broken"


def test_largest_allowed_body_passes(proxy):
    """The limit itself is within the limit, with a length or without."""
    content = b"x" * MAX_BODY

    assert proxy.ask("/test/a", method="POST", body=content)[1] == content
    assert proxy.ask("/test/a", method="POST", body=iter([content]))[1] == content


def test_client_that_waits_is_invited(proxy, upstream):
    """`Expect: 100-continue` is answered when the body is wanted, and ends at the proxy."""
    with proxy.connect() as sock:
        sock.sendall(b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert receive_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert receive_until(sock, b"abc").startswith(b"HTTP/1.1 200 ")
    assert upstream.last.values("expect") == []


def test_client_that_breaks_off_breaks_the_upstream_s_request(proxy, upstream):
    """Half a body is never passed off as a whole one."""
    outcome: queue.Queue[bytes] = queue.Queue()

    def read(exchange: Exchange) -> None:
        outcome.put(exchange.reader.read())

    upstream.script = read
    with proxy.connect() as sock:
        sock.sendall(b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
        wait_until(lambda: bool(upstream.exchanges))

    assert outcome.get(timeout=60) == b"abc"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"GET /test/a\r\n\r\n", 400, id="no-version"),
        pytest.param(b"G\x00T /test/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="bad-method"),
        pytest.param(b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, id="bad-url"),
        pytest.param(b"GET /test/\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="control-character"),
        pytest.param(b"GET /test/a HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, id="version"),
        pytest.param(b"GET /test/a HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400, id="two-hosts"),
        pytest.param(b"GET /test/a HTTP/1.1\r\nHost: localhost\r\nX-A : 1\r\n\r\n", 400, id="space-before-colon"),
        pytest.param(b"GET /test/a HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n X-B: 2\r\n\r\n", 400, id="folded"),
        pytest.param(b"GET /test/a HTTP/1.1\r\nHost: localhost\r\nX-A: 1\rX-B: 2\r\n\r\n", 400, id="bare-return"),
        pytest.param(b"GET /test/a HTTP/1.1\nHost: localhost\n\n", 400, id="bare-line-feeds"),
        pytest.param(b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\nabc", 400, id="signed"),
        pytest.param(b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400, id="negative"),
        pytest.param(
            b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            400,
            id="two-lengths",
        ),
        pytest.param(
            b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\n",
            400,
            id="length-with-chunks",
        ),
        pytest.param(
            b"POST /test/a HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            id="1.0-chunks",
        ),
        pytest.param(
            b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, id="coding"
        ),
        pytest.param(
            b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
            400,
            id="bad-chunk",
        ),
        pytest.param(b"GET /test/a HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431, id="huge"),
        pytest.param(b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414, id="long-target"),
        pytest.param(b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="connect"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="asterisk"),
    ],
)
def test_malformed_request_is_a_problem(proxy, upstream, raw, status):
    """What could be read in two ways is refused, in the form of every other problem, and the connection ends."""
    with proxy.connect() as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        received = b""
        # Unread bytes may reset the connection behind the answer.
        with contextlib.suppress(ConnectionResetError):
            while part := sock.recv(65536):
                received += part

    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status
    assert [exchange for exchange in upstream.exchanges if exchange.values("content-length")] == []


def test_equal_lengths_are_one(proxy, upstream):
    """The same length twice is still one length."""
    proxy.send(
        b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 3\r\n"
        b"Connection: close\r\n\r\nabc"
    )

    assert upstream.last.values("content-length") == ["3"]


def test_connections_are_kept_on_both_sides(proxy, upstream):
    """Requests in a row share the client's connection and the upstream's, pipelined or not."""
    with proxy.connect() as sock:
        for _ in range(3):
            sock.sendall(b"POST /test/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
            receive_until(sock, b"abc")
        sock.sendall(b"GET /test/1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /test/2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: len(upstream.exchanges) == 5)

    assert upstream.connections == 1
    assert upstream.last.target == f"{BASE}/2"


def test_connection_that_the_upstream_closed_is_replaced(proxy, upstream):
    """A connection that was dropped while idle is noticed before a body is lost on it."""
    for _ in range(3):
        assert proxy.ask("/test/a", method="POST", body=b"abc")[1] == b"abc"
        upstream.drop_connections()

    assert upstream.connections == 3


def test_request_without_side_effects_is_sent_again(proxy, upstream):
    """An upstream that closes a reused connection on arrival gets a GET once more, over a new one."""
    proxy.ask("/test/a")

    def close_once(exchange: Exchange) -> None:
        upstream.script = echo
        raise CloseConnection

    upstream.script = close_once
    assert proxy.ask("/test/b")[0].status == 200
    assert upstream.connections == 2

    upstream.script = close_once
    assert proxy.ask("/test/b", method="POST")[0].status == 502
    assert upstream.connections == 2


def test_fresh_connection_is_not_tried_twice(proxy, upstream):
    """An upstream that closes every connection is asked once per request."""

    def close(exchange: Exchange) -> None:
        raise CloseConnection

    upstream.script = close

    assert proxy.ask("/test/a")[0].status == 502
    assert len(upstream.exchanges) == 1


def test_answer_before_the_body_was_read_is_passed_on(proxy, upstream):
    """An upstream that refuses early is heard, though it didn't take the whole request."""

    def refuse(exchange: Exchange) -> None:
        exchange.answer(b"too much", status="413 Content Too Large")
        exchange.reader.read(1000)
        raise CloseConnection

    upstream.script = refuse
    response, body = proxy.ask("/test/a", method="POST", body=b"x" * 1000)

    assert (response.status, body) == (413, b"too much")


def test_client_that_leaves_ends_the_upstream_s_answer(proxy, upstream):
    """Nobody reads on: the upstream's connection is closed, not drained."""
    gone = threading.Event()

    def answer_forever(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                exchange.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        except OSError:
            gone.set()
            raise

    upstream.script = answer_forever
    with proxy.connect() as sock:
        sock.sendall(b"GET /test/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sock.recv(100)

    assert gone.wait(10)


def test_idle_clients_hold_no_worker(proxy):
    """Browsers open connections in advance; more of them than workers keep nobody out."""
    with contextlib.ExitStack() as stack:
        for _ in range(80):
            stack.enter_context(proxy.connect())
        assert proxy.ask("/test/a")[0].status == 200


def test_many_clients_at_once(proxy, upstream):
    """Answers never get mixed up between connections."""

    def ask(number: int) -> bool:
        content = f"{number}".encode() * 200
        return all(proxy.ask(f"/test/{number}", method="POST", body=content)[1] == content for _ in range(5))

    with ThreadPoolExecutor(24) as executor:
        assert all(executor.map(ask, range(24)))


def test_own_pages_answer(proxy):
    """Health and the home page come from the proxy itself."""
    response, body = proxy.ask("/_multistack/health")
    assert (response.status, json.loads(body)["status"]) == (200, "ok")

    response, body = proxy.ask("/", headers={"Accept": "application/json"})
    assert json.loads(body)["environments"][0]["environment"] == "test"
    assert response.getheader("Server") == "multistack"


def test_process_says_who_it_is_and_stops_in_good_order(tmp_path):
    """The record is there with its settings, nothing is logged per request, and SIGTERM ends it with 0."""
    routes = tmp_path / "routes.json"
    folder = tmp_path / "proxy"
    arguments = ["--routes", str(routes), "--timeout", "30.0", "--max-body", "1000"]
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        port = listener.getsockname()[1]
        process = spawn(
            "emulator.proxy", folder=folder, listener=listener, arguments=arguments, environ=dict(os.environ)
        )
    try:
        proxy = Proxy(port, routes, folder / LOG_FILE)
        # Nothing was published: the problem says what comes first.
        problem = proxy.problem("/test/a")
        assert (problem["status"], problem["next"]) == (503, "multistack deploy test")
        record = read_record(folder)
        assert record is not None
        assert (record.process.pid, record.port) == (process.pid, port)
        told = {"routes": str(routes), "timeout": "30.0", "max_body": "1000"}
        assert record.settings == {
            **told,
            "host": "127.0.0.1",
            "allow_remote": "no",
            "ca_file": "",
            "project": "",
            "waking": "",
            "password_file": "",
            "domains": "",
            "trusted": "",
            "store": "",
            "store_project": "",
        }

        with proxy.connect() as idle:
            idle.sendall(b"GET /_multistack/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            receive_until(idle, b"}\n")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
            assert idle.recv(1) == b""
        assert not is_running(folder)
        assert proxy.log.read_text() == ""
    finally:
        process.kill()
        process.wait()


def test_request_under_way_is_finished_before_the_process_ends(tmp_path, upstream):
    """SIGTERM waits for answers that are about to come."""
    go_on = threading.Event()

    def answer_later(exchange: Exchange) -> None:
        go_on.wait(10)
        exchange.answer(b"done")

    upstream.script = answer_later
    with start_proxy(tmp_path) as proxy, ThreadPoolExecutor(1) as executor:
        proxy.publish(upstream.url)
        future = executor.submit(proxy.ask, "/test/a")
        wait_until(lambda: bool(upstream.exchanges))
        record = read_record(tmp_path / "proxy")
        assert record is not None
        os.kill(record.process.pid, signal.SIGTERM)
        wait_until(lambda: not accepts(proxy))
        go_on.set()

        assert future.result(timeout=10)[1] == b"done"


def accepts(proxy: Proxy) -> bool:
    try:
        proxy.connect().close()
    except OSError:
        return False
    return True
