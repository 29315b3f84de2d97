"""Requests of a replay, on their way to servers that answer as they like."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from emulator.differences.json_paths import first_value
from emulator.inspector.redaction import Redaction
from emulator.model import Api, ComparisonRules, HttpRequest, Route
from emulator.proxy.forward import Forwarder
from emulator.proxy.upstream import Upstreams
from emulator.replay import sending
from emulator.replay.carrying import Carried
from emulator.replay.corpus import Corpus, Entry
from emulator.replay.judging import Judge
from emulator.replay.running import Plan, Runner
from emulator.replay.sending import NoAnswerError, Sender

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.contextmanager
def upstream(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """
    Gives one connection these answers, one per request, and closes it.

    Yields its URL, and the requests it got.
    """
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                for answer in answers:
                    got.append(connection.recv(65536))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", got
        thread.join(10)


@contextlib.contextmanager
def sender(url: str | None, *, extra: Sequence[tuple[str, str]] = (), timeout: float = 30.0) -> Iterator[Sender]:
    """To one environment at *url*; its connections are closed afterwards."""
    route = Route(
        environment="test",
        account_id="111111111111",
        region="eu-west-1",
        driver="embedded",
        url=url,
        process=None,
        release="r1",
        digest="d1",
        apis=[Api(logical_id="Api", stage="Prod", path="/api")],
        default_api="Api",
    )
    upstreams = Upstreams(timeout=timeout)
    forwarder = Forwarder(upstreams, timeout=timeout, max_body=100)
    yield Sender(forwarder.forward, {"test": route}, host="127.0.0.1:8080", most=10, timeout=timeout, extra=extra)
    upstreams.keep_only([])


def request(method: str = "GET", *, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> HttpRequest:
    """One of a corpus."""
    return HttpRequest(method=method, target="/a?b", headers=headers, body=body, body_length=len(body))


def test_an_environment_gets_what_the_proxy_would_send_it() -> None:
    """Without what the recording took out, and with what the command line adds."""
    headers = [("Accept", "a"), ("Authorization", "Bearer [redacted]"), ("Host", "old"), ("X-A", "old")]
    with upstream(OK) as (url, got), sender(url, extra=[("x-a", "new")]) as one:
        answer = one.send(request("POST", body=b"{}", headers=headers), "test")
    assert (answer.status, answer.body, answer.problem) == (200, b"ok", None)
    head, _, body = got[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert (first, body) == ("POST /api/a?b HTTP/1.1", b"{}")
    assert sorted(lines) == sorted(
        [
            f"Host: {url.removeprefix('http://')}",
            "Accept: a",
            "x-a: new",
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Host: 127.0.0.1:8080",
            "X-Forwarded-Proto: http",
            "Content-Length: 2",
        ]
    )


def test_an_answer_is_what_a_client_of_the_proxy_would_get() -> None:
    """Its location is the client's; of a long body only the beginning is kept."""
    head = b"HTTP/1.1 201 Created\r\nLocation: /api/orders/1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with upstream(head + b"14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n", OK) as (url, _), sender(url) as one:
        answer = one.send(request(), "test")
        assert one.send(request(), "test").body == b"ok"  # over the same connection
    assert (answer.status, answer.body, answer.body_length) == (201, b"x" * 10, 20)
    assert ("Location", "/orders/1") in answer.headers


def test_a_broken_answer_is_none() -> None:
    """Never passed off as whole."""
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"
    with upstream(cut) as (url, _), sender(url) as one, pytest.raises(NoAnswerError, match="broke off its answer"):
        one.send(request(), "test")


def test_where_no_answer_is_the_proxys_problem_is() -> None:
    """As a client gets it."""
    with sender(None) as one:
        assert one.send(request(), "test").problem == "stopped"
        assert one.send(request(), "nowhere").problem == "unknown-environment"
    with upstream(b"hello\r\n\r\n") as (url, _), sender(url) as one:
        assert one.send(request(), "test").problem == "bad-answer"
    with sender("http://127.0.0.1:9") as one:
        assert one.send(request("POST", body=b"x" * 101), "test").problem == "body-too-large"


def test_a_server_that_never_answers_is_given_up() -> None:
    """After the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with sender(url, timeout=0.1) as one:
            assert one.send(request(), "test").problem == "timeout"


@contextlib.contextmanager
def endless(part: bytes, pause: float) -> Iterator[str]:
    """A server whose answer goes on until nobody reads it any more; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(10)
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    connection.sendall(part)
                    time.sleep(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def test_an_answer_that_never_ends_is_given_up() -> None:
    """After the timeout, though each part comes in time: a promotion would wait for it for ever."""
    said = pytest.raises(NoAnswerError, match=re.escape("the answer takes more than 0.3 s: the rest was not read"))
    with endless(b"x", 0.02) as url, sender(url, timeout=0.3) as one, said:
        one.send(request(), "test")


def test_an_answer_of_more_than_anybody_compares_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast it comes."""
    monkeypatch.setattr(sending, "_LONGEST", 2**20)
    said = pytest.raises(NoAnswerError, match="the answer has more than 1 MiB")
    with endless(b"x" * 2**16, 0) as url, sender(url, timeout=30) as one, said:
        one.send(request(), "test")


def test_an_interrupted_replay_reads_no_answer_to_its_end() -> None:
    """Ctrl-C ends a replay that waits for one."""
    entry = Entry(line=2, request=request(), answer=None)
    plan = Plan(corpus=Corpus(name="a", environment=None, entries=[entry]), environment="test", concurrency=1)
    rules = Judge(rules=ComparisonRules(), redaction=Redaction(), between=("test", "test"), is_recorded=True)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with endless(b"x", 0.02) as url, sender(url, timeout=60) as one:
        runner = Runner(plan, sender=one, carried=lambda: Carried((), find=first_value), judge=rules, check=interrupt)
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            runner.run()
        assert time.monotonic() - started < 30
