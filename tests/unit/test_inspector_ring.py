"""The file of kept exchanges: its bounds, what happens when it can't be written, and how it is searched."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.inspector.finding import Filter, Requests, read_statuses
from emulator.inspector.ring import Ring
from emulator.model import InspectorSettings, Invocation, Source
from tests.unit.exchanges import make_exchange

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


class Bench:
    """A ring whose settings and clock a test moves, and a reader of its file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "requests.sqlite"
        self.settings = InspectorSettings()
        self.now = NOON.timestamp()
        self.ring = Ring(self.path, lambda: self.settings, now=lambda: self.now)
        self.requests = Requests(self.path)

    def keep(self, *targets: str, **given: Any) -> None:
        for target in targets:
            self.ring.accept(make_exchange(target, **given))
        self.ring.flush()

    def targets(self, **wanted: Any) -> list[str]:
        return [exchange.request.target for exchange in self.requests.find(Filter(**wanted))]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.ring.close()


def test_an_exchange_comes_back_as_it_was(bench: Bench) -> None:
    """Everything that is known of it, to the byte."""
    exchange = make_exchange(
        "/a?b=%2F",
        method="POST",
        headers=[("X-A", "1"), ("X-A", "ü\xff")],
        body=b"\x00\xff",
        answer=b"{}",
        answer_headers=[("Content-Type", "application/json")],
        status=201,
        source=Source.COMPARISON,
        invocations=(Invocation(function="Web", request_id="r-1", seconds=0.002),),
        faults=("latency",),
        problem="down",
        is_complete=False,
    )
    bench.ring.accept(exchange)
    bench.ring.flush()
    found = bench.requests.get(1)
    assert found is not None
    expected = replace(
        exchange,
        id=1,
        request=replace(exchange.request, headers=tuple(exchange.request.headers)),
        answer=replace(exchange.answer, headers=tuple(exchange.answer.headers)),
    )
    assert found == expected


def test_the_file_is_its_owners_only(bench: Bench) -> None:
    """What people send is nobody else's business."""
    bench.keep("/a")
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o600


def test_only_the_newest_are_kept(bench: Bench) -> None:
    """The oldest go when there are too many."""
    bench.settings = InspectorSettings(max_requests=3)
    for number in range(10):
        bench.keep(f"/{number}")
    assert bench.targets() == ["/9", "/8", "/7"]


def test_a_batch_larger_than_the_ring(bench: Bench) -> None:
    """However they come, no more are there afterwards than may be."""
    bench.settings = InspectorSettings(max_requests=3)
    bench.keep("/a")
    bench.keep(*(f"/{number}" for number in range(100)))
    assert bench.targets() == ["/99", "/98", "/97"]


@pytest.mark.parametrize("size", [10, 3_000, 60_000])
def test_the_file_stays_within_its_size(bench: Bench, size: int) -> None:
    """Neither the file nor what lies beside it grows beyond the bound, and the newest are there."""
    bench.settings = InspectorSettings(max_bytes=2**20)
    for number in range(40):
        bench.keep(*[f"/{number}"] * 20, answer=bytes(size))
        assert sum(path.stat().st_size for path in bench.path.parent.iterdir()) <= 2**20
    assert bench.targets()[0] == "/39"


def test_a_lower_bound_shrinks_the_file(bench: Bench) -> None:
    """A change of the setting counts at the next request."""
    bench.keep(*["/a"] * 100, answer=bytes(60_000))
    assert bench.path.stat().st_size > 5 * 2**20
    bench.settings = InspectorSettings(max_bytes=2**20)
    bench.keep("/b")
    assert bench.path.stat().st_size <= 2**20


def test_what_is_too_old_goes(bench: Bench) -> None:
    """Without a new request too: the feed asks from time to time."""
    bench.keep("/old")
    bench.now += timedelta(hours=25).total_seconds()
    bench.ring.flush()
    assert bench.targets() == []


def test_a_body_is_kept_up_to_its_limit(bench: Bench) -> None:
    """Its length tells that there was more."""
    bench.settings = InspectorSettings(max_body=10)
    bench.keep("/a", answer=bytes(100), body=bytes(100))
    found = bench.requests.get(1)
    assert found is not None
    assert (len(found.answer.body), found.answer.body_length) == (10, 100)
    assert (len(found.request.body), found.request.body_length) == (10, 100)


def test_switched_off(bench: Bench) -> None:
    """The ring wants nothing then."""
    bench.settings = InspectorSettings(enabled=False)
    assert bench.ring.body_limit is None


def test_a_full_disk_pauses_and_says_so(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised, it is said once, and recording goes on when there is room again."""
    bench.keep("/a")
    full = bench.path.parent / "away"
    bench.ring.close()
    bench.path.rename(full)
    bench.path.symlink_to("/dev/full")
    bench.keep("/b")
    bench.keep("/c")
    assert "not recorded" in (bench.ring.problem or "")
    assert len(caplog.records) == 1
    bench.path.unlink()
    full.rename(bench.path)
    bench.now += 60
    bench.keep("/d")
    assert bench.ring.problem is None
    assert bench.targets() == ["/d", "/a"]


def test_sqlite_without_room_pauses(bench: Bench) -> None:
    """What SQLite itself can't write is dropped as well, and the file stays good."""
    bench.keep("/a")
    assert bench.ring._connection is not None
    bench.ring._connection.execute("PRAGMA max_page_count=1")
    bench.keep("/b", answer=bytes(60_000))
    assert "full" in (bench.ring.problem or "")
    bench.now += 60
    bench.keep("/c")
    assert bench.targets() == ["/c", "/a"]


@pytest.mark.parametrize("content", [b"no database at all" * 400, b"SQLite format 3\x00" + bytes(4000)])
def test_a_damaged_file_is_begun_anew(bench: Bench, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Old requests are not worth more than new ones."""
    bench.path.write_bytes(content)
    bench.keep("/a")
    bench.now += 60
    bench.keep("/b")
    assert bench.targets()[0] == "/b"
    assert caplog.records


def test_a_file_of_another_version_is_begun_anew(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """There is no need to bring requests of yesterday along."""
    with closing(sqlite3.connect(bench.path)) as connection:
        connection.execute("PRAGMA user_version=99")
    bench.keep("/a")
    assert bench.targets() == ["/a"]
    assert "format" in caplog.text


def test_a_file_that_was_removed_is_made_again(bench: Bench) -> None:
    """`rm` is a way to clear as well."""
    bench.keep("/a")
    bench.path.unlink()
    bench.keep("/b")
    assert bench.targets() == ["/b"]


def test_reading_meets_no_file(bench: Bench) -> None:
    """Nothing was ever kept: that is no error."""
    assert bench.requests.find(Filter()) == []
    assert bench.requests.get(1) is None
    assert bench.requests.newest() == 0
    assert bench.requests.clear(Filter()) == 0


def test_reading_meets_a_file_that_is_just_being_made(bench: Bench) -> None:
    """It is there before its tables are."""
    bench.path.touch()
    assert bench.requests.find(Filter()) == []
    assert bench.requests.newest() == 0


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"environments": ["prod"]}, ["/prod"]),
        ({"methods": ["post", "PUT"]}, ["/p%st"]),
        ({"path": "/p"}, ["/p%st", "/prod"]),
        ({"path": "/a*"}, ["/a/b?x=needle", "/a[1]"]),
        ({"path": "/a[1]*"}, ["/a[1]"]),
        ({"path": "*/b"}, ["/a/b?x=needle"]),
        ({"statuses": (500, 599)}, ["/prod"]),
        ({"text": "NEEDLE"}, ["/body", "/a/b?x=needle"]),
        ({"text": "%s"}, ["/p%st"]),
        ({"after": 3}, ["/body", "/p%st"]),
        ({"before": 2}, ["/a[1]"]),
        ({"since": NOON + timedelta(hours=1)}, []),
        ({"source": Source.COMPARISON}, []),
        ({"environments": ["prod"], "methods": ["POST"]}, []),
    ],
)
def test_filters(bench: Bench, wanted: dict[str, Any], expected: list[str]) -> None:
    """Each leaves out what it doesn't mean; signs that SQL gives a meaning have none."""
    bench.keep("/a[1]")
    bench.keep("/a/b?x=needle")
    bench.keep("/prod", environment="prod", status=502)
    bench.keep("/p%st", method="POST")
    bench.keep("/body", answer=b"a Needle in a haystack")
    assert bench.targets(**wanted) == expected


def test_clear_gives_the_room_back(bench: Bench) -> None:
    """Only what is meant goes."""
    bench.keep(*["/a"] * 50, answer=bytes(60_000))
    bench.keep("/b", environment="prod")
    size = bench.path.stat().st_size
    assert bench.requests.clear(Filter(environments=["test"])) == 50
    assert bench.targets() == ["/b"]
    assert bench.path.stat().st_size < size / 10
    bench.keep("/c")
    assert bench.targets() == ["/c", "/b"]


@pytest.mark.parametrize(("text", "expected"), [("404", (404, 404)), ("5XX", (500, 599)), ("400-499", (400, 499))])
def test_statuses(text: str, expected: tuple[int, int]) -> None:
    """One, a class, or a span."""
    assert read_statuses(text) == expected


@pytest.mark.parametrize("text", ["", "6xx", "4xx-500", "ok", "4-"])
def test_statuses_refused(text: str) -> None:
    """The message shows how it is written."""
    with pytest.raises(ValueError, match="404, 5xx or 400-499"):
        read_statuses(text)
