"""Faults as somebody writes them, as data, and as the file that the proxy reads."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.errors import ConfigError
from emulator.faults.fault import Effects, Fault, Latency, standing
from emulator.faults.file import add_fault, load_faults, remove_faults, watch_faults
from emulator.faults.reading import read_effects, read_latency, read_route, read_share_option
from emulator.faults.words import read_bandwidth, read_rate, read_seconds, read_share, read_size, show_bandwidth
from emulator.model import ProcessId

PROXY = ProcessId(pid=7, started=1.5)
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
FAULT = Fault(id=0, environment="prod", effects=Effects(error=503), seed=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the proxy reads its faults."""
    return tmp_path / "faults.json"


@pytest.mark.parametrize(
    ("route", "request_line", "concerns"),
    [
        ("/**", "GET /", True),
        ("/orders", "GET /orders", True),
        ("/orders", "GET /orders?page=2", True),
        ("/orders", "GET /orders/7", False),
        ("/orders/*", "GET /orders/7", True),
        ("/orders/*", "GET /orders/7/items", False),
        ("/orders/*/items", "GET /orders/7/items", True),
        ("/orders/**", "GET /orders/7/items", True),
        ("/orders/**", "GET /orders", False),
        ("POST /orders", "POST /orders", True),
        ("post /orders", "POST /orders", True),
        ("POST /orders", "GET /orders", False),
        ("/a.b", "GET /axb", False),
        ("/a(b", "GET /a(b", True),
        ("/a%2Fb", "GET /a%2Fb", True),
    ],
)
def test_a_route_is_a_method_and_a_path_with_wildcards(route: str, request_line: str, concerns: bool) -> None:
    """One star stays within a segment, two do not; the query doesn't count, and nothing else is a pattern."""
    method, path = read_route(route)
    asked, target = request_line.split(" ")
    fault = replace(FAULT, method=method, path=path)
    assert fault.concerns("prod", asked, target) is concerns
    assert not fault.concerns("test", asked, target)


@pytest.mark.parametrize("text", ["", "orders", "/a b", "GET", "GET  ", "/a?b=1", "G-T /a", "/a\n"])
def test_what_is_no_route_is_refused(text: str) -> None:
    """The message shows what it could be."""
    with pytest.raises(ConfigError, match="--route must be"):
        read_route(text)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("300ms", {0.0: 0.3, 0.5: 0.3, 1.0: 0.3}),
        ("100ms..2.1s", {0.0: 0.1, 0.5: 1.1, 1.0: 2.1}),
        ("p50=20ms,p95=400ms", {0.0: 0.0, 0.25: 0.01, 0.5: 0.02, 0.95: 0.4, 0.99: 0.4, 1.0: 0.4}),
        ("p99.9=1s", {0.999: 1.0}),
    ],
)
def test_a_latency_is_a_time_a_range_or_percentiles(text: str, shares: dict[float, float]) -> None:
    """All are one distribution, and are shown as they were written."""
    latency = read_latency(text)
    assert {share: pytest.approx(latency.at(share)) for share in shares} == shares
    assert str(latency) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "300",
        "-1s",
        "61s",
        "2s..1s",
        "1s..",
        "p50",
        "p50=",
        "p0=1s",
        "p100=1s",
        "p99=1s,p50=2s",
        "p50=2s,p99=1s",
        "1h",
    ],
)
def test_what_is_no_latency_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigError, match="--latency must be"):
        read_effects(latency=text)


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        pytest.param(read_seconds, {"0ms": 0, "1.5s": 1.5, "60s": 60}, ["60.1s", "1", "1m", "1e3s"], id="seconds"),
        pytest.param(read_share, {"100%": 1, "0.5%": 0.005}, ["0%", "101%", "10", "-1%", "%"], id="share"),
        pytest.param(read_rate, {"20/s": 20, "30/m": 0.5}, ["0/s", "20", "20/h", "/s"], id="rate"),
        pytest.param(
            read_size,
            {"0": 0, "512": 512, "512B": 512, "16kB": 16_000, "16 KB": 16_000, "1.5MiB": 1_572_864},
            ["", "-1", "1GB", "kB", "1i", "99999999MB"],
            id="size",
        ),
        pytest.param(read_bandwidth, {"20kB/s": 20_000, "1B/s": 1}, ["0B/s", "20kB", "20/m", "/s"], id="bandwidth"),
    ],
)
def test_numbers_carry_their_unit(read, good, bad) -> None:  # type: ignore[no-untyped-def]
    """A number that could mean several things is refused, with what it should be."""
    assert {text: read(text) for text in good} == pytest.approx(good)
    for text in bad:
        with pytest.raises(ValueError, match=r"such as|up to"):
            read(text)


@pytest.mark.parametrize("size", [1, 999, 1000, 1024, 1_500_000, 2**20, 10**6])
def test_a_size_is_shown_so_that_it_can_be_read_again(size: int) -> None:
    """What `fault list` shows can be typed."""
    assert read_bandwidth(show_bandwidth(size)) == size


def test_effects_are_shown_as_options() -> None:
    """A person who knows how to set a fault can read one."""
    effects = read_effects(latency="300ms", throttle="30/m", bandwidth="20kB/s", cut="512")
    assert str(effects) == "latency 300ms, throttle 30/m, bandwidth 20kB/s, cut 512B"
    assert str(replace(FAULT, share=0.1)) == "error 503 for 10%"
    assert str(read_effects(drop=True)) == "drop"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "without an effect"),
        ({"error": 503, "drop": True}, "--drop has no effect beside --error"),
        ({"error": 503, "cut": "1kB"}, "--cut has no effect beside --error"),
        ({"drop": True, "bandwidth": "1kB/s"}, "--bandwidth has no effect beside --drop"),
    ],
)
def test_effects_that_can_not_be_are_refused(options: dict[str, object], words: str) -> None:
    """A fault that does nothing, or whose one half hides the other, is a mistake."""
    with pytest.raises(ConfigError, match=words):
        read_effects(**options)  # type: ignore[arg-type]


def test_a_share_is_all_unless_it_is_given() -> None:
    """A fault that is set hits."""
    assert (read_share_option(None), read_share_option("5%")) == (1.0, 0.05)
    with pytest.raises(ConfigError, match="--share must be"):
        read_share_option("5")


def test_a_seed_decides_all_that_is_drawn() -> None:
    """The same seed, the same requests, the same faults; another seed, others; and the share holds in the long run."""
    fault = replace(FAULT, share=0.3)
    hits = [fault.draw(number).hits for number in range(2000)]
    assert hits == [replace(fault, id=9).draw(number).hits for number in range(2000)]
    assert hits != [replace(fault, seed=2).draw(number).hits for number in range(2000)]
    assert 0.25 < sum(hits) / len(hits) < 0.35


def test_a_fault_ends_with_its_time() -> None:
    """At that moment, not after it."""
    fault = replace(FAULT, expires=NOW)
    assert standing([fault, FAULT], NOW) == [FAULT]
    assert standing([fault, FAULT], NOW - timedelta(seconds=1)) == [fault, FAULT]


def test_what_is_set_is_loaded_again(file: Path) -> None:
    """Every part of it; numbers grow, and are not given twice."""
    whole = Fault(
        id=0,
        environment="test",
        method="POST",
        path="/orders/*",
        share=0.25,
        seed=5,
        effects=Effects(latency=Latency(((0.0, 0.1), (1.0, 0.3))), throttle=2.5, bandwidth=10, cut=7),
        expires=NOW,
    )
    assert load_faults(file, PROXY) == ()
    assert add_fault(file, PROXY, whole).id == 1
    second = add_fault(file, PROXY, FAULT)
    assert load_faults(file, PROXY) == (replace(whole, id=1), replace(FAULT, id=2))
    assert remove_faults(file, PROXY, lambda fault: fault.id == 2) == [second]
    assert add_fault(file, PROXY, FAULT).id == 3


def test_another_proxy_has_no_faults(file: Path) -> None:
    """They end with the process they were set in, even when that was killed; a recycled pid is another process."""
    add_fault(file, PROXY, FAULT)
    for other in (ProcessId(pid=8, started=1.5), ProcessId(pid=7, started=2.5)):
        assert load_faults(file, other) == ()
        assert remove_faults(file, other, lambda _: True) == []
    add_fault(file, ProcessId(pid=8, started=1.5), replace(FAULT, environment="test"))
    assert load_faults(file, PROXY) == ()


def test_faults_that_are_set_at_once_are_all_there(file: Path) -> None:
    """Nobody overwrites what another command sets."""
    threads = [threading.Thread(target=add_fault, args=(file, PROXY, FAULT)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [fault.id for fault in load_faults(file, PROXY)] == list(range(1, 21))


def test_the_table_follows_the_file(file: Path) -> None:
    """It is read when it changed, and empty when it is gone."""
    table = watch_faults(file, PROXY)
    assert table.current() == ()
    add_fault(file, PROXY, FAULT)
    first = table.current()
    assert [fault.id for fault in first] == [1]
    assert table.current() is first
    file.unlink()
    assert table.current() == ()
