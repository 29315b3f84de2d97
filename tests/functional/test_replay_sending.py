"""The connection that a replay sends over, against servers that answer as they like."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence

import pytest

from emulator.model import HttpRequest
from emulator.replay.sending import NoAnswerError, Sender

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.contextmanager
def server(*connections: Sequence[bytes | None]) -> Iterator[tuple[str, list[bytes]]]:
    """
    Gives each connection its answers, one per request; None closes it in place of one.

    Yields its URL, and the requests it got.
    """
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            for answers in connections:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(10)
                    for answer in answers:
                        got.append(connection.recv(65536))
                        if answer is None:
                            break
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", got
        thread.join(10)


@contextlib.contextmanager
def sender(url: str, *, timeout: float = 5.0, extra: Sequence[tuple[str, str]] = ()) -> Iterator[Sender]:
    """Closed afterwards."""
    one = Sender(url, timeout=timeout, most=10, extra=extra)
    yield one
    one.close()


def request(method: str = "GET", *, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> HttpRequest:
    """One of a corpus."""
    return HttpRequest(method=method, target="/a?b", headers=headers, body=body, body_length=len(body))


def test_a_request_says_what_it_is_and_whom_it_is_for() -> None:
    """So that the inspector tells replays from clients; without what the recording took out."""
    headers = [("Accept", "a"), ("Authorization", "Bearer [redacted]"), ("Host", "old"), ("X-A", "old")]
    with server([OK]) as (url, got), sender(url, extra=[("X-A", "new")]) as one:
        answer = one.send(request("POST", body=b"{}", headers=headers), "staging")
    assert (answer.status, answer.body) == (200, b"ok")
    lines = got[0].split(b"\r\n")
    assert lines[0] == b"POST /a?b HTTP/1.1"
    assert sorted(lines[1:-2]) == sorted(
        [
            b"Accept: a",
            b"X-A: new",
            b"Content-Length: 2",
            f"Host: {url.removeprefix('http://')}".encode(),
            b"X-Multistack-Source: replay",
            b"X-Multistack-Environment: staging",
        ]
    )
    assert lines[-1] == b"{}"


def test_one_connection_serves_many_requests() -> None:
    """Whatever their framing; of a long body only its beginning is kept."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"
    with server([OK, chunked, OK]) as (url, _), sender(url) as one:
        answers = [one.send(request(), "test") for _ in range(3)]
    assert [(answer.body, answer.body_length) for answer in answers] == [(b"ok", 2), (b"x" * 10, 20), (b"ok", 2)]


def test_a_connection_closed_while_idle_is_opened_anew() -> None:
    """A replay with pauses goes on."""
    with server([OK], [OK]) as (url, _), sender(url) as one:
        assert [one.send(request(), "test").status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param([None], "closed connection", id="none"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", None], "IncompleteRead", id="cut"),
        pytest.param([b"hello\r\n\r\n"], "hello", id="no HTTP"),
    ],
)
def test_a_broken_answer_is_none(answers: Sequence[bytes | None], said: str) -> None:
    """Never passed off as whole."""
    cut = answers[:1]
    with server(cut) as (url, _), sender(url) as one, pytest.raises(NoAnswerError, match=said):
        one.send(request(), "test")


def test_a_write_on_a_closed_connection_is_not_repeated() -> None:
    """It may have been done."""
    with server([OK, None]) as (url, got), sender(url) as one:
        one.send(request(), "test")
        with pytest.raises(NoAnswerError):
            one.send(request("POST"), "test")
    assert len(got) == 2


def test_a_server_that_never_answers_is_given_up() -> None:
    """After the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with sender(url, timeout=0.1) as one, pytest.raises(NoAnswerError, match="timed out"):
            one.send(request(), "test")


def test_the_proxys_own_answer_is_told_from_a_services() -> None:
    """By its type; a service may use problem details too."""

    def problem(kind: str) -> bytes:
        body = b'{"type": "%b"}' % kind.encode()
        head = "HTTP/1.1 503 X\r\nContent-Type: application/problem+json\r\nContent-Length: "
        return f"{head}{len(body)}\r\n\r\n".encode() + body

    with server([problem("urn:multistack:problem:down"), problem("about:blank")]) as (url, _):
        one = Sender(url, timeout=5.0, most=1000)
        assert [one.send(request(), "test").problem for _ in range(2)] == ["down", None]
        one.close()
