"""Faults between real sockets, together with what else stands in a request's way: records, fan-out, credentials."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from emulator.faults.fault import Fault
from emulator.faults.file import FAULTS_FILE, add_fault
from emulator.faults.reading import read_effects
from emulator.inspector.finding import Filter, Requests
from emulator.model import Exchange
from emulator.process import read_record
from tests.functional.raw_proxy import Proxy, Upstream, wait_until

pytestmark = pytest.mark.embedded("no environment is started")


@pytest.fixture
def proxy(running_proxy: Proxy, upstream: Upstream) -> Proxy:
    """Leads to the upstream as environment test; no fault is set."""
    running_proxy.publish(upstream.url)
    (running_proxy.log.parent / FAULTS_FILE).unlink(missing_ok=True)
    return running_proxy


def kept(proxy: Proxy) -> Requests:
    """What the inspector keeps."""
    return Requests(proxy.log.parent / "requests.sqlite")


def record_of(proxy: Proxy, target: str) -> Exchange:
    """The exchange with a target of one test's own, as soon as it is kept: those of earlier tests may come late."""
    found: list[Exchange] = []

    def is_kept() -> bool:
        found.extend(one for one in kept(proxy).find_whole(Filter()) if one.request.target == target)
        return bool(found)

    wait_until(is_kept)
    return found[0]


def disturb(proxy: Proxy, path: str = "/**", **options: Any) -> None:
    """Set a fault of environment test, with the effects of ``fault set``'s options."""
    record = read_record(proxy.log.parent)
    assert record is not None
    fault = Fault(id=0, environment="test", path=path, effects=read_effects(**options))
    add_fault(proxy.log.parent / FAULTS_FILE, record.process, fault)


def test_a_record_names_the_faults_of_its_request(proxy: Proxy) -> None:
    """With the answer that the client got."""
    disturb(proxy, latency="10ms")
    disturb(proxy, error=503)
    assert proxy.ask("/test/recorded")[0].status == 503
    exchange = record_of(proxy, "/recorded")
    assert exchange.answer.status == 503
    assert list(exchange.faults) == ["latency 10ms; fault=1", "error 503; fault=2"]


def test_a_dropped_request_is_recorded_as_one_without_an_answer(proxy: Proxy, upstream: Upstream) -> None:
    """The client got none, and the environment never saw it."""
    disturb(proxy, drop=True)
    with pytest.raises(ConnectionError):
        proxy.ask("/test/dropped")
    exchange = record_of(proxy, "/dropped")
    assert (exchange.answer.status, exchange.answer.is_complete) == (0, False)
    assert list(exchange.faults) == ["drop; fault=1"]
    assert upstream.exchanges == []


def test_a_dropped_upload_is_dropped_as_well(proxy: Proxy) -> None:
    """A body that nobody reads changes nothing."""
    disturb(proxy, drop=True)
    with pytest.raises(ConnectionError):
        proxy.ask("/test/a", method="POST", body=b"x" * 150_000)


def test_a_cut_answer_is_recorded_as_far_as_it_went(proxy: Proxy, upstream: Upstream) -> None:
    """And its upstream's connection, with the rest of it, is given up."""
    content = b"0123456789" * 50_000
    disturb(proxy, cut="4")
    upstream.script = lambda exchange: exchange.answer(content)
    head, _, body = proxy.send(b"GET /test/cut HTTP/1.1\r\nHost: localhost\r\n\r\n").partition(b"\r\n\r\n")
    assert b"X-Multistack-Fault: cut 4B; fault=1" in head
    assert body == b"0123"
    exchange = record_of(proxy, "/cut")
    assert (exchange.answer.body, exchange.answer.is_complete) == (b"0123", False)
    (proxy.log.parent / FAULTS_FILE).unlink()
    assert proxy.ask("/test/cut")[1] == content
    assert upstream.connections == 2


def test_a_cut_answer_is_a_reset_for_http_1_0(proxy: Proxy, upstream: Upstream) -> None:
    """Where the end of the connection is the end of the body, an orderly end would hide the cut."""
    disturb(proxy, cut="2")
    upstream.script = lambda exchange: exchange.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    with pytest.raises(ConnectionResetError):
        proxy.send(b"GET /test/a HTTP/1.0\r\nHost: localhost\r\n\r\n")


@pytest.mark.parametrize(
    ("options", "status", "problem"),
    [({"error": 500}, 500, "fault"), ({"drop": True}, 0, "broken-answer"), ({"latency": "10ms"}, 200, None)],
    ids=["error", "drop", "latency"],
)
def test_faults_hold_where_several_environments_are_asked(
    proxy: Proxy, options: dict[str, Any], status: int, problem: str | None
) -> None:
    """Their answer shows what a client would have met, and why."""
    disturb(proxy, **options)
    entry = json.loads(proxy.ask("/_all/a")[1])["environments"]["test"]
    assert entry["status"] == status
    assert (entry.get("problem") or {}).get("type") == (problem and f"urn:multistack:problem:{problem}")
    assert any(name == "X-Multistack-Fault" for name, _ in entry["headers"])


def test_a_slow_environment_keeps_no_other_request_waiting(proxy: Proxy) -> None:
    """Held back requests have workers of their own; others are answered meanwhile, and all go on when it is cleared."""
    disturb(proxy, path="/slow", latency="60s")
    threads = [threading.Thread(target=proxy.ask, args=("/test/slow",)) for _ in range(10)]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    assert proxy.ask("/test/fast")[0].status == 200
    assert time.monotonic() - started < 10
    (proxy.log.parent / FAULTS_FILE).unlink()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


def test_credentials_are_not_recorded(proxy: Proxy, upstream: Upstream) -> None:
    """What is meant for a proxy that asks for a password reaches no file and no environment, asked for or not."""
    headers = {"X-Multistack-Password": "correct-horse-7", "Cookie": "a=1; multistack_session=1.2"}
    proxy.ask("/test/credentials", headers=headers)
    names = {name.lower() for name, _ in record_of(proxy, "/credentials").request.headers}
    assert "x-multistack-password" not in names
    assert upstream.last.values("x-multistack-password") == []
    assert upstream.last.values("cookie") == ["a=1"]
