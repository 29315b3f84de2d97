"""Log lines are parsed, merged and followed without losing or repeating one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import logs
from emulator.errors import ConfigError
from emulator.log_file import LogFile
from emulator.logs import LogEntry, LogGroup, LogParser, filter_events, follow, group_sources, merge, parse_duration
from emulator.parallel import Cancellation

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class Events:
    """A log group that answers as MiniStack 1.5.33 does: oldest first, cut at the limit, without a token."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def put(self, at: int, message: str, stream: str = "s") -> None:
        self.events.append({"timestamp": at, "message": message, "logStreamName": stream})

    def filter_log_events(self, **arguments: Any) -> Mapping[str, Any]:
        start = arguments.get("startTime", 0)
        found = sorted((event for event in self.events if event["timestamp"] >= start), key=lambda e: e["timestamp"])
        return {"events": found[: arguments["limit"]]}


class Pages:
    """A log group that answers as AWS does: in pages with tokens."""

    def __init__(self, *pages: list[str]) -> None:
        self.pages = pages

    def filter_log_events(self, **arguments: Any) -> Mapping[str, Any]:
        number = int(arguments.get("nextToken", 0))
        events = [{"timestamp": number, "message": message, "eventId": message} for message in self.pages[number]]
        return {"events": events, **({"nextToken": str(number + 1)} if number + 1 < len(self.pages) else {})}


def entry(second: float, message: str) -> LogEntry:
    return LogEntry(at=NOON + timedelta(seconds=second), environment="test", source="emulator", message=message)


def messages(events: list[Mapping[str, Any]]) -> list[str]:
    return [event["message"] for event in events]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("0.5h", 1800)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """Numbers with units, one after the other."""
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "10", "m", "-5m", "10 m", "1.2.3s", "5w", "9" * 400 + "d"], ids=lambda text: text[:8]
)
def test_other_durations_are_refused_with_an_example(text: str) -> None:
    """A typo never means "everything"."""
    with pytest.raises(ConfigError) as caught:
        parse_duration(text)
    assert caught.value.hint


def test_emulator_lines_get_their_time_in_the_machines_zone() -> None:
    """MiniStack writes local time without a zone."""
    parser = LogParser("test", zone=timezone(timedelta(hours=2)))
    (found,) = parser.feed(["2026-11-25 14:00:00 INFO [s3] made"], otherwise=NOON)
    assert found == LogEntry(at=NOON, environment="test", source="emulator", message="INFO [s3] made")


@pytest.mark.parametrize(
    "line",
    [
        "[2026-11-25 12:00:00 +0000] x",
        "2026-11-25T12:00:00Z x",
        "2026-11-25 12:00:00,000 x",
        "2026-11-25 14:00:00+02:00 x",
    ],
    ids=["hypercorn", "iso", "logging", "offset"],
)
def test_other_time_formats_are_understood(line: str) -> None:
    """Servers under MiniStack log in their own way."""
    (found,) = LogParser("test", zone=UTC).feed([line], otherwise=NOON + timedelta(days=1))
    assert (found.at, found.message) == (NOON, "x")


def test_lines_without_time_belong_to_the_line_before() -> None:
    """A traceback stays in one piece."""
    lines = ["2026-11-25 12:00:00 ERROR x", "Traceback", '  File "a"', "", "2026-11-25 12:00:01 INFO y"]
    found = LogParser("test", zone=UTC).feed(lines, otherwise=NOON)
    assert [entry.message for entry in found] == ['ERROR x\nTraceback\n  File "a"', "INFO y"]


def test_lines_before_the_first_time_share_it() -> None:
    """A banner comes first, at the time of the first line that has one."""
    found = LogParser("test", zone=UTC).feed(
        ["  __", " |", "2026-11-25 12:00:00 INFO y"], otherwise=NOON + timedelta(1)
    )
    assert [(entry.at, entry.message) for entry in found] == [(NOON, "  __\n |"), (NOON, "INFO y")]


def test_lines_of_a_later_look_keep_the_last_time() -> None:
    """While following, the rest of a traceback may come with the next look."""
    parser = LogParser("test", zone=UTC)
    parser.feed(["2026-11-25 12:00:00 ERROR x"], otherwise=NOON + timedelta(1))
    (found,) = parser.feed(["Traceback"], otherwise=NOON + timedelta(1))
    assert (found.at, found.message) == (NOON, "Traceback")


def test_lines_without_any_time_get_the_given_one() -> None:
    """Nothing is left out because nobody knows when it was."""
    (found,) = LogParser("test", zone=UTC).feed(["2026-99-99 99:99:99 x"], otherwise=NOON)
    assert (found.at, found.message) == (NOON, "2026-99-99 99:99:99 x")


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))))
def test_no_text_is_lost_in_parsing(lines: list[str]) -> None:
    """Whatever an emulator prints, each line that isn't blank is in the result."""
    found = LogParser("test", zone=UTC).feed(lines, otherwise=NOON)
    text = "\n".join(entry.message for entry in found)
    assert all(line.rstrip()[-5:] in text for line in lines)


def test_entries_are_merged_by_time_and_the_last_are_kept() -> None:
    """Equal times keep the order in which they came."""
    entries = [entry(2, "c"), entry(1, "a"), entry(1, "b")]
    assert [found.message for found in merge(entries)] == ["a", "b", "c"]
    assert [found.message for found in merge(entries, tail=2)] == ["b", "c"]
    assert merge(entries, tail=0) == []
    assert len(merge(entries, tail=9)) == 3


def test_growing_file_gives_each_complete_line_once(tmp_path: Path) -> None:
    """A line that is still being written waits for its end."""
    path = tmp_path / "server.log"
    log = LogFile(path)
    assert log.new_lines() == []
    path.write_bytes(b"one\ntw")
    assert log.new_lines() == ["one"]
    assert log.new_lines() == []
    with path.open("ab") as file:
        file.write("o \u20ac\n\nthree\n".encode())
    assert log.new_lines() == ["two \u20ac", "", "three"]


def test_cut_or_replaced_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Somebody who empties the log does not silence it."""
    path = tmp_path / "server.log"
    log = LogFile(path)
    path.write_bytes(b"a long first line\n")
    log.new_lines()
    path.write_bytes(b"new\n")
    assert log.new_lines() == ["new"]
    other = tmp_path / "other"
    other.write_bytes(b"another file that is longer\n")
    other.replace(path)
    assert log.new_lines() == ["another file that is longer"]


def test_only_the_end_of_a_huge_file_is_read(tmp_path: Path) -> None:
    """Old megabytes cost nothing, and the first line is whole."""
    path = tmp_path / "server.log"
    line = b"x" * 1023 + b"\n"
    path.write_bytes(line * 9 * 1024)
    found = LogFile(path).new_lines()
    assert 8 * 1024 - 1 <= len(found) <= 8 * 1024
    assert set(found) == {"x" * 1023}


def test_events_come_once_however_often_one_looks() -> None:
    """The same line twice in a millisecond is two lines; looking twice is none."""
    group, events = LogGroup("g", since=None), Events()
    events.put(5000, "x")
    events.put(5000, "x")
    assert messages(group.new_events(events)) == ["x", "x"]
    assert group.new_events(events) == []
    events.put(5000, "x")
    assert messages(group.new_events(events)) == ["x"]


def test_events_stored_late_are_not_lost() -> None:
    """Calls that end at the same time are stored in any order."""
    group, events = LogGroup("g", since=None), Events()
    events.put(9000, "new")
    group.new_events(events)
    events.put(8500, "late")
    assert messages(group.new_events(events)) == ["late"]
    assert group.new_events(events) == []


def test_events_that_come_back_are_not_repeated() -> None:
    """An emulator that starts again has no events till it has loaded its state."""
    group, events = LogGroup("g", since=None), Events()
    events.put(9000, "a")
    group.new_events(events)
    kept, events.events = events.events, []
    assert group.new_events(events) == []
    events.events = kept
    assert group.new_events(events) == []


def test_events_before_the_start_are_left_out() -> None:
    """``--since`` holds for functions."""
    events = Events()
    events.put(1000, "old")
    events.put(2000, "new")
    assert messages(LogGroup("g", since=1500).new_events(events)) == ["new"]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 3), st.booleans()), max_size=60))
def test_following_equals_reading_once(steps: list[tuple[int, int, bool]]) -> None:
    """Whenever one looks while events come in, one sees each exactly once."""
    group, events, seen, now = LogGroup("g", since=None), Events(), [], 10_000
    for ahead, text, is_look in steps:
        now += ahead
        events.put(now - ahead // 2, str(text))
        if is_look:
            seen += group.new_events(events)
    seen += group.new_events(events)
    assert sorted(map(str, seen)) == sorted(map(str, events.events))


class Quiet:
    """An environment that logs one line at its third look."""

    looks = 0

    def emulator_entries(self) -> list[LogEntry]:
        """Nothing, nothing, a line, nothing for ever."""
        self.looks += 1
        return [entry(0, "x")] if self.looks == 3 else []

    def function_entries(self) -> list[LogEntry]:
        """It has no functions."""
        return []


def test_following_asks_less_often_while_nothing_is_logged() -> None:
    """Each look costs every emulator some requests; the first line brings the short pauses back."""
    pauses: list[float] = []
    batches = follow({"test": Quiet()}, cancellation=Cancellation(), sleep=pauses.append)
    for _ in range(14):
        next(batches)
    assert pauses[1] > pauses[0] > logs.POLL
    assert pauses[2] == logs.POLL
    assert pauses[3] > logs.POLL
    assert pauses[-1] == 2.0


def test_tokens_are_followed() -> None:
    """All pages of AWS's answer are read."""
    assert messages(list(filter_events(Pages(["a", "b"], [], ["c"]), "g", None))) == ["a", "b", "c"]


def test_answers_cut_without_a_token_are_continued() -> None:
    """MiniStack's limit hides nothing and repeats nothing."""
    events = Events()
    for number in range(25_000):
        events.put(number // 3, str(number))
    assert messages(list(filter_events(events, "g", None))) == [str(number) for number in range(25_000)]


def test_more_in_a_millisecond_than_can_be_read_is_said() -> None:
    """What can't be shown is at least mentioned, and what follows is shown."""
    events = Events()
    for number in range(10_050):
        events.put(7, str(number))
    events.put(8, "after")
    found = messages(list(filter_events(events, "g", None)))
    assert len(found) == 10_002
    assert "left out" in found[-2]
    assert found[-1] == "after"


def test_sources_are_logical_ids_unless_functions_share_a_group() -> None:
    """Nobody wants to read ``orders-test-ApiFunction-876217053EED4``."""
    groups = {"ApiFunction": "/aws/lambda/x", "A": "shared", "B": "shared"}
    assert group_sources(groups) == {"/aws/lambda/x": "ApiFunction", "shared": "shared"}


def test_missing_zone_file_means_utc(tmp_path: Path) -> None:
    """Containers often have none, and their programs then write UTC."""
    assert logs.system_zone(tmp_path / "none") is UTC
    (tmp_path / "broken").write_bytes(b"x")
    assert logs.system_zone(tmp_path / "broken") is UTC
