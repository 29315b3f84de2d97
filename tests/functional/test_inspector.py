"""The proxy's own process keeps what passes it: whole, timed, redacted, and never in the way."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path

import pytest

from emulator.front import Front
from emulator.inspector.finding import Filter, Requests
from emulator.inspector.redaction import MARK
from emulator.model import Exchange, InspectorSettings, Invocation, Project, Rules, Source
from emulator.replay.corpus import read_corpus
from emulator.replay.recording import RECORDING_FILE, Recording, write_recording
from emulator.rules import publish_rules
from tests.functional.raw_proxy import Proxy, Upstream, echo, start_proxy, wait_until

pytestmark = pytest.mark.embedded("no environment is started")


@pytest.fixture
def proxy(running_proxy: Proxy, upstream: Upstream) -> Proxy:
    """The module's proxy, leading to this test's upstream as environment test; nothing is kept yet."""
    running_proxy.publish(upstream.url)
    publish_rules(folder_of(running_proxy) / "rules.json", Rules())
    requests_of(running_proxy).clear(Filter())
    return running_proxy


def folder_of(proxy: Proxy) -> Path:
    return proxy.log.parent


def requests_of(proxy: Proxy) -> Requests:
    return Requests(folder_of(proxy) / "requests.sqlite")


def kept(proxy: Proxy, count: int = 1) -> list[Exchange]:
    """The last exchanges, as soon as so many are kept; newest first."""
    wait_until(lambda: len(requests_of(proxy).find(Filter())) >= count)
    return list(requests_of(proxy).find_whole(Filter()))


def test_a_request_is_kept_whole(proxy: Proxy, upstream: Upstream) -> None:
    """Target within the environment, headers and bodies of both ways, who answered, and how long it took."""
    upstream.script = lambda exchange: (exchange.read_body(), exchange.answer(b"yes", headers=("X-A: 1",)))[1]
    proxy.ask("/test/orders?a=%2F", method="POST", body=b'{"password": "x"}', headers={"X-B": "2"})
    exchange = kept(proxy)[0]
    assert (exchange.environment, exchange.release, exchange.client) == ("test", "ce9d3706731f", "127.0.0.1")
    assert (exchange.request.method, exchange.request.target) == ("POST", "/orders?a=%2F")
    assert exchange.request.body == f'{{"password": "{MARK}"}}'.encode()
    assert ("X-B", "2") in exchange.request.headers
    assert (exchange.answer.status, exchange.answer.body, exchange.answer.is_complete) == (200, b"yes", True)
    assert ("X-A", "1") in exchange.answer.headers
    assert exchange.upstream_seconds is not None
    assert 0 < exchange.upstream_seconds < exchange.answer.seconds < 5


def test_secrets_never_reach_the_disk(proxy: Proxy) -> None:
    """Not in the file, and not in what lies beside it."""
    secret = "do-not-write-me"
    proxy.ask(
        f"/test/a?api_key={secret}", method="POST", headers={"Authorization": f"Bearer {secret}"}, body=secret[:3]
    )
    proxy.ask("/test/b", headers={"Cookie": f"sid={secret}"})
    proxy.ask(f"/prod/c?token={secret}")
    kept(proxy, 2)
    for path in folder_of(proxy).iterdir():
        assert secret.encode() not in path.read_bytes(), path


def test_invocations_are_kept_and_told_to_nobody(proxy: Proxy, upstream: Upstream) -> None:
    """The emulator's word on the functions it called ends at the proxy."""
    told = ("X-Multistack-Invocation: Web;r-1;1.5", "x-multistack-invocation: B;r-2;x", "X-Multistack-Invocation: no")
    upstream.script = lambda exchange: exchange.answer(b"", headers=told)
    response, _ = proxy.ask("/test/a", headers={"X-Multistack-Trace": "mine"})
    assert not [name for name, _ in response.getheaders() if "invocation" in name.lower()]
    assert upstream.last.values("x-multistack-trace") == ["1"]
    assert kept(proxy)[0].invocations == (
        Invocation(function="Web", request_id="r-1", seconds=0.0015),
        Invocation(function="B", request_id="r-2", seconds=None),
    )


def test_an_external_emulator_is_asked_nothing(proxy: Proxy, upstream: Upstream) -> None:
    """It would hand the question to the function."""
    proxy.publish(upstream.url, driver="external")
    proxy.ask("/test/a")
    assert upstream.last.values("x-multistack-trace") == []
    kept(proxy)  # else the next test finds it


@pytest.mark.parametrize(
    ("changes", "target", "status", "problem"),
    [
        pytest.param({"url": None}, "/a", 503, "stopped", id="stopped"),
        pytest.param({"apis": (), "digest": None}, "/a?b", 503, "nothing-deployed", id="nothing deployed"),
        pytest.param({"url": "http://127.0.0.1:9"}, "/a", 503, "down", id="down"),
    ],
)
def test_what_the_proxy_answers_itself_is_kept(
    proxy: Proxy, changes: dict[str, object], target: str, status: int, problem: str
) -> None:
    """A request that no environment answered is one that somebody will look for."""
    proxy.publish(**{"url": "http://127.0.0.1:9", **changes})  # type: ignore[arg-type]
    proxy.ask(f"/test{target}")
    exchange = kept(proxy)[0]
    assert (exchange.answer.status, exchange.answer.problem) == (status, problem)
    assert exchange.request.target == target
    assert exchange.upstream_seconds is None
    assert b"urn:multistack:problem" in exchange.answer.body


def test_an_unknown_environment_is_none_of_ours(proxy: Proxy) -> None:
    """There is no environment that it would belong to."""
    proxy.ask("/nowhere/a")
    proxy.ask("/test/a")
    assert [exchange.request.target for exchange in kept(proxy)] == ["/a"]


def test_an_answer_that_breaks_off_is_kept_as_such(proxy: Proxy, upstream: Upstream) -> None:
    """What arrived is there, and that it was not all."""
    upstream.script = lambda exchange: (
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        exchange.socket.shutdown(socket.SHUT_RDWR),
    )[0]
    with pytest.raises(http.client.IncompleteRead):
        proxy.ask("/test/a")
    exchange = kept(proxy)[0]
    assert (exchange.answer.body, exchange.answer.is_complete) == (b"half", False)


def test_a_client_that_leaves_is_noticed(proxy: Proxy, upstream: Upstream) -> None:
    """It got only a part, so only a part is on record."""
    upstream.script = lambda exchange: exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n", *[bytes(1_000_000)] * 50
    )
    with proxy.connect() as sock:
        sock.sendall(b"GET /test/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sock.recv(1000)
    exchange = kept(proxy)[0]
    assert not exchange.answer.is_complete
    assert len(exchange.answer.body) <= InspectorSettings().max_body


def test_a_large_answer_is_kept_in_part(proxy: Proxy, upstream: Upstream) -> None:
    """50 MB pass, 64 KiB stay."""
    size = 50_000_000
    upstream.script = lambda exchange: exchange.answer(bytes(size))
    _, body = proxy.ask("/test/a")
    assert len(body) == size
    answer = kept(proxy)[0].answer
    assert (len(answer.body), answer.body_length, answer.is_complete) == (64 * 1024, size, True)


def test_rules_count_at_once(proxy: Proxy) -> None:
    """Switching off and further names to redact need no restart."""
    publish_rules(folder_of(proxy) / "rules.json", Rules(inspector=InspectorSettings(enabled=False)))
    proxy.ask("/test/off")
    publish_rules(folder_of(proxy) / "rules.json", Rules(inspector=InspectorSettings(redact=("x-b",))))
    proxy.ask("/test/on", headers={"X-B": "2"})
    (exchange,) = kept(proxy)
    assert exchange.request.target == "/on"
    assert ("X-B", MARK) in exchange.request.headers


def test_no_client_keeps_itself_out_of_recordings(proxy: Proxy) -> None:
    """By a header that would say on whose behalf it asks."""
    proxy.ask("/test/a", headers={"X-Multistack-Source": "replay"})
    assert kept(proxy)[0].source is Source.CLIENT


def test_a_full_disk_stops_no_request(upstream: Upstream, tmp_path: Path) -> None:
    """Recording pauses and says so, in the log and to whoever asks; what it costs is the recording."""
    (tmp_path / "proxy").mkdir()
    (tmp_path / "proxy" / "requests.sqlite").symlink_to("/dev/full")
    upstream.script = echo
    with start_proxy(tmp_path) as proxy:
        proxy.publish(upstream.url)
        for number in range(20):
            _, body = proxy.ask("/test/a", method="POST", body=str(number))
            assert body == str(number).encode()
        wait_until(lambda: "requests are not recorded" in proxy.log.read_text())
        _, body = proxy.ask("/test/a", method="POST", body="still")
        assert body == b"still"
        _, health = proxy.ask("/_multistack/health")
        assert "requests are not recorded" in json.loads(health)["recording"]


def test_what_was_answered_can_be_waited_for(upstream: Upstream, tmp_path: Path) -> None:
    """Whoever ends a recording waits as long as it takes and no longer, and finds everything in the corpus."""
    project = Project(
        file=tmp_path / "multistack.toml", service="s", template=tmp_path / "template.yaml", environments=()
    )
    front = Front(project, environ={}, emit=lambda _event: None)
    assert not front.await_exchanges(timeout=0)
    project.state.mkdir()
    corpus = tmp_path / "orders.jsonl"
    upstream.script = echo
    with start_proxy(project.state) as proxy:
        proxy.publish(upstream.url)
        write_recording(front.folder / RECORDING_FILE, Recording(name="orders", path=corpus, environment="test"))
        for _ in range(30):
            proxy.ask("/test/a", method="POST", body="x" * 200_000)
        assert front.await_exchanges(timeout=60)
        assert len(read_corpus(corpus, shown="orders").entries) == 30
