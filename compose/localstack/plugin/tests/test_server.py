"""The web server, with an application of its own behind it."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from localstack.config import HostAndPort
from multistack_localstack.server.bodies import body_of
from multistack_localstack.server.requests import BadRequest, Reader, path_and_query
from multistack_localstack.server.threaded import ThreadedServer
from werkzeug.wrappers import Request


class Gateway:
    """Answers with what it was sent."""

    def process(self, request: Any, response: Any) -> None:
        """Fill *response*."""
        if request.path == "/stream":
            response.response = iter([b"a" * 10, b"", b"b" * 100_000])
            response.headers.pop("Content-Length", None)
            return
        if request.path == "/short":
            response.response = iter([b"abc"])
            response.headers["Content-Length"] = "10"
            return
        if request.path == "/nothing":
            response.status_code = 204
            return
        names = ",".join(name for name, _ in request.headers if name.lower().startswith("x-"))
        response.headers["X-Names"] = names
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2")
        response.set_response(request.path.encode("utf-8") + b"?" + request.query_string + b"|" + request.get_data())


@pytest.fixture
def port() -> Iterator[int]:
    """Where a server listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    server = ThreadedServer()
    server.register(Gateway(), [HostAndPort("127.0.0.1", number)])  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run)
    thread.start()
    yield number
    server.shutdown()
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_a_body_that_was_read_as_a_form_stays_what_it_was() -> None:
    """Clients call JSON a form unless they are told otherwise."""
    body = b'{"item": "a=b&c"}'
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    request = Request(environ)
    assert request.form
    assert body_of(request) == body


def raw(port: int, data: bytes) -> bytes:
    """What the server says to *data*, until it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def test_requests_use_one_connection(port: int) -> None:
    """A connection stays open; each request gets its own answer, repeated headers and their spelling are kept."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for number in range(3):
        connection.request("POST", f"/p%20q/{number}?a=b%26", body=b"x" * number, headers={"X-Odd_name": "1"})
        answer = connection.getresponse()
        assert answer.read() == f"/p q/{number}?a=b%26|".encode() + b"x" * number
        assert answer.getheader("X-Names") == "X-Odd_name"
        assert [value for name, value in answer.getheaders() if name == "Set-Cookie"] == ["a=1", "b=2"]
    connection.close()


def test_large_bodies_go_both_ways(port: int) -> None:
    """A body larger than what is kept in memory arrives whole, plain and in chunks."""
    body = bytes(range(256)) * 40_000
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for sent in (body, iter([body[:1000], body[1000:]])):
        connection.request("PUT", "/x", body=sent)
        assert connection.getresponse().read() == b"/x?|" + body
    connection.close()


def test_answer_of_unknown_length_is_streamed(port: int) -> None:
    """It goes out in chunks, or until the connection closes for a client that knows none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert answer.getheader("Transfer-Encoding") == "chunked"
    assert len(answer.read()) == 100_010
    connection.request("GET", "/after")
    assert connection.getresponse().read() == b"/after?|"
    connection.close()
    assert raw(port, b"GET /stream HTTP/1.0\r\n\r\n").endswith(b"a" * 10 + b"b" * 100_000)


def test_body_that_breaks_off_breaks_the_connection(port: int) -> None:
    """A client isn't left waiting for bytes that never come."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/short")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()


def test_answers_without_a_body_have_none(port: int) -> None:
    """HEAD and 204 leave the connection usable."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("HEAD", "/x")
    assert connection.getresponse().read() == b""
    connection.request("GET", "/nothing")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (204, b"")
    connection.request("GET", "/x")
    assert connection.getresponse().read() == b"/x?|"
    connection.close()


def test_client_that_waits_for_100_gets_it(port: int) -> None:
    """A body that is announced with Expect is asked for."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n"],
    ids=["no request", "length", "version"],
)
def test_what_is_no_http_is_refused(port: int, sent: bytes) -> None:
    """One line says why, and the connection closes."""
    assert raw(port, sent).startswith(b"HTTP/1.1 400 ")


def test_many_connections_at_once(port: int) -> None:
    """More connections than requests that run are no trouble."""

    def several(number: int) -> list[bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        found = []
        for _ in range(5):
            connection.request("GET", f"/{number}")
            found.append(connection.getresponse().read())
        connection.close()
        return found

    with ThreadPoolExecutor(32) as pool:
        for number, found in enumerate(pool.map(several, range(64))):
            assert found == [f"/{number}?|".encode()] * 5


def test_stop_does_not_wait_for_silent_connections(port: int) -> None:
    """Clients that keep their connection open don't hold up a stop; see the fixture."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/x")
    assert connection.getresponse().read() == b"/x?|"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a%20b?c=%20", ("/a b", "c=%20")),
        ("http://host/x?y", ("/x", "y")),
        ("/%C3%BC", ("/\xc3\xbc", "")),
        ("*", ("*", "")),
    ],
)
def test_target_becomes_path_and_query(target: str, expected: tuple[str, str]) -> None:
    """The path is decoded as WSGI wants it, the query is left alone."""
    assert path_and_query(target) == expected


def test_second_request_before_an_answer_is_refused() -> None:
    """No client of AWS sends requests ahead."""
    with pytest.raises(BadRequest):
        Reader().feed(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
