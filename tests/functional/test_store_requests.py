"""Requests of several proxies in one store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from emulator.inspector.finding import Filter, Requests
from emulator.inspector.shared_finding import fetch_shared
from emulator.inspector.shared_ring import SharedRing
from emulator.model import InspectorSettings, Invocation, StoreSettings
from emulator.store.store import Store
from tests.postgres import Postgres
from tests.unit.exchanges import make_exchange

PATIENCE = 60.0


class Bench:
    """Two proxies of project shop, and whoever looks at what they kept."""

    def __init__(self, url: str, folder: Path) -> None:
        self.settings = InspectorSettings()
        self.now = make_exchange("/").at.timestamp()  # what is too old goes
        self.store = Store(StoreSettings(url=url), patience=0)
        self._folder = folder
        self._looks = 0
        self.rings = [
            SharedRing(self.store, "shop", proxy, lambda: self.settings, now=lambda: self.now)
            for proxy in ("desk", "laptop")
        ]

    def requests(self) -> Requests:
        self._looks += 1
        return fetch_shared(self.store, "shop", self._folder / f"{self._looks}.sqlite")

    def targets(self, **wanted: object) -> list[str]:
        """What is kept, the oldest first."""
        found = self.requests().find(Filter(**wanted))  # type: ignore[arg-type]
        return [one.request.target for one in found][::-1]

    def await_targets(self, *expected: str) -> None:
        """Until just these are kept."""
        until = time.monotonic() + PATIENCE
        while sorted(found := self.targets()) != sorted(expected):
            assert time.monotonic() < until, found
            time.sleep(0.05)


@pytest.fixture
def bench(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """An empty store, and all the time that a busy machine needs to end in good order."""
    monkeypatch.setattr("emulator.inspector.shared_ring._GRACE", PATIENCE)
    bench = Bench(store_url, tmp_path)
    yield bench
    for ring in bench.rings:
        ring.close()
    bench.store.close()


def test_requests_of_all_proxies_are_found_as_in_a_file(bench: Bench) -> None:
    """Everything that is known of them, to the byte but for what PostgreSQL can't hold, by the same filters."""
    first, second = bench.rings
    exchange = make_exchange(
        "/a?b=%2F",
        method="POST",
        headers=[("X-A", "1"), ("X-A", "ü\xff")],
        body=b"\x00\xff",
        answer=b'{"name": "Ada"}',
        invocations=(Invocation(function="Web", request_id="r-1", seconds=0.002),),
        faults=("latency",),
        problem="do\0wn",
        is_complete=False,
    )
    first.accept(exchange)
    first.flush()
    bench.await_targets("/a?b=%2F")
    second.accept(make_exchange("/b"))
    second.flush()
    bench.await_targets("/a?b=%2F", "/b")
    found = bench.requests()
    (whole,) = found.find_whole(Filter(methods=["POST"]))
    assert whole == replace(
        exchange,
        id=whole.id,
        request=replace(exchange.request, headers=tuple(exchange.request.headers)),
        answer=replace(
            exchange.answer, headers=tuple(exchange.answer.headers), problem="do\N{REPLACEMENT CHARACTER}wn"
        ),
    )
    assert bench.targets(text="ada") == ["/a?b=%2F"]
    assert bench.targets(after=whole.id) == ["/b"]
    assert found.get(whole.id) == whole


def test_only_the_newest_of_a_project_stay(bench: Bench) -> None:
    """Over all its proxies, by number and by age; those of another project are its own matter."""
    other = SharedRing(bench.store, "library", "desk", InspectorSettings, now=lambda: bench.now)
    other.accept(make_exchange("/of-the-library"))
    other.close()
    bench.settings = InspectorSettings(max_requests=3)
    for number in range(5):
        bench.rings[number % 2].accept(make_exchange(f"/{number}"))
    for ring in bench.rings:
        ring.flush()
    until = time.monotonic() + PATIENCE
    while len(bench.targets()) != 3:
        assert time.monotonic() < until, bench.targets()
        bench.now += 60
        for ring in bench.rings:
            ring.flush()
        time.sleep(0.05)
    bench.now += timedelta(days=2).total_seconds()
    bench.rings[0].flush()
    bench.await_targets()
    count = "SELECT count(*) FROM requests WHERE project = 'library'"
    with bench.store.transaction() as connection:
        assert connection.exec_driver_sql(count).scalar_one() == 1


def test_what_comes_while_the_store_is_away_waits_and_what_is_too_much_is_counted(
    bench: Bench, stoppable_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who hands over a request waits; it is said that something is lost, and how much."""
    ring = bench.rings[0]
    ring.accept(make_exchange("/before"))
    ring.flush()
    bench.await_targets("/before")
    stoppable_postgres.stop()
    monkeypatch.setattr("emulator.inspector.shared_ring._MOST", 2)
    for number in range(5):
        ring.accept(make_exchange(f"/{number}"))
        ring.flush()
    assert ring.dropped == 3
    wait_for(lambda: ring.problem is not None)
    assert ring.problem == "requests are not kept in the store: the proxy's log says why"
    stoppable_postgres.start()
    bench.await_targets("/before", "/0", "/1")
    wait_for(lambda: ring.problem is None)
    assert ring.dropped == 3


def test_a_proxy_that_ends_writes_what_waits(bench: Bench) -> None:
    """In good order, where the store is there."""
    bench.rings[0].accept(make_exchange("/last"))
    bench.rings[0].close()
    assert bench.targets() == ["/last"]


def test_nothing_is_wanted_while_the_inspector_is_off(bench: Bench) -> None:
    """As with the file."""
    assert bench.rings[0].body_limit == bench.settings.max_body
    bench.settings = InspectorSettings(enabled=False)
    assert bench.rings[0].body_limit is None


def wait_for(is_so: Callable[[], bool]) -> None:
    """Until something is so."""
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)
