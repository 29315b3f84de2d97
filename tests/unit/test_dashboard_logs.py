"""The log lines that pages show."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.dashboard.jobs import Command
from emulator.dashboard.log_feed import LogFeed

LINE = '{"at": "2026-01-01T00:00:00.000+00:00", "environment": "%s", "source": "Api", "message": "%s"}'


@pytest.fixture
def feed_of(tmp_path: Path) -> Iterator[Callable[[str], LogFeed]]:
    feeds: list[LogFeed] = []

    def make(program: str) -> LogFeed:
        command = Command(program=(sys.executable, "-c", program), file=tmp_path / "multistack.toml", environ=dict)
        feeds.append(LogFeed(command))
        return feeds[-1]

    yield make
    for feed in feeds:
        feed.close()


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_lines_are_numbered_and_filtered(feed_of):
    """By environment and by what is in them, in any case."""
    lines = [LINE % ("test", "One"), LINE % ("prod", "two"), LINE % ("test", "three")]
    feed = feed_of(f"import time\nfor line in {lines!r}: print(line, flush=True)\ntime.sleep(60)")
    wait(lambda: feed.revision() == 3)
    assert [(one.id, one.environment, one.message) for one in feed.lines()] == [
        (1, "test", "One"),
        (2, "prod", "two"),
        (3, "test", "three"),
    ]
    assert [one.message for one in feed.lines("test", text="one")] == ["One"]
    assert [one.message for one in feed.lines(last=1)] == ["three"]


def test_a_command_that_fails_is_not_tried_all_the_time(feed_of, tmp_path):
    """And what it said is told."""
    mark = tmp_path / "mark"
    feed = feed_of(f"open({str(mark)!r}, 'a').write('x'); print('error: no project'); raise SystemExit(2)")
    assert feed.lines() == []
    wait(lambda: feed.problem != "")
    for _ in range(5):
        feed.revision()
    assert feed.problem == "error: no project"
    assert mark.read_text() == "x"


def test_without_a_project_there_are_no_lines():
    """Nothing is started."""
    assert LogFeed(None).lines() == []
