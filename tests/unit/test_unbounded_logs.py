"""The newest lines of a log group stay, the others go."""

from __future__ import annotations

from typing import Any

from emulator.drivers.launcher import gaps
from emulator.drivers.launcher.gaps import unbounded_logs


def stream(*events: tuple[int, str]) -> dict[str, Any]:
    """A stream of lines with their times."""
    return {
        "events": [{"timestamp": time, "message": message} for time, message in events],
        "firstEventTimestamp": events[0][0] if events else None,
        "lastEventTimestamp": events[-1][0] if events else None,
    }


def left(streams: dict[str, Any]) -> dict[str, list[int]]:
    """The times of what is there, by stream."""
    return {name: [event["timestamp"] for event in one["events"]] for name, one in streams.items()}


def test_the_oldest_lines_go_whatever_stream_they_are_in() -> None:
    """An execution environment writes all its calls into one stream; several write at a time."""
    streams = {"a": stream((1, "x"), (3, "x"), (5, "x")), "b": stream((2, "x"), (4, "x"))}
    unbounded_logs.drop_oldest(streams, lines=3, characters=100)
    assert left(streams) == {"a": [3, 5], "b": [4]}
    assert streams["a"]["firstEventTimestamp"] == 3


def test_a_stream_without_lines_goes_unless_it_is_new() -> None:
    """Streams of environments that are long gone must not pile up either."""
    streams = {"old": stream((1, "x"), (2, "x")), "new": stream(), "b": stream((3, "x"), (4, "x"))}
    unbounded_logs.drop_oldest(streams, lines=2, characters=100)
    assert left(streams) == {"new": [], "b": [3, 4]}


def test_few_lines_stay() -> None:
    """Nothing is dropped below the bounds."""
    streams = {"a": stream((1, "x"), (2, "x"))}
    unbounded_logs.drop_oldest(streams, lines=2, characters=2)
    assert left(streams) == {"a": [1, 2]}


def test_long_lines_push_old_ones_out() -> None:
    """Memory is bounded by characters, too."""
    streams = {"a": stream((1, "x" * 40), (2, "x" * 40), (3, "x" * 40), (4, "x" * 40))}
    unbounded_logs.drop_oldest(streams, lines=100, characters=100)
    assert left(streams) == {"a": [3, 4]}


def test_the_last_call_keeps_its_lines() -> None:
    """Whoever printed too much must still be able to read it."""
    streams = {"a": stream((1, "x"), (2, "x" * 80), (2, "x" * 80), (2, "x" * 80))}
    unbounded_logs.drop_oldest(streams, lines=2, characters=100)
    assert left(streams) == {"a": [2, 2, 2]}


def test_ministack_still_keeps_every_line() -> None:
    """The day this fails, the gap is gone."""
    from ministack.services import cloudwatch_logs

    assert "unbounded_logs" in gaps.GAPS
    one: dict[str, Any] = {"events": [], "firstEventTimestamp": None, "lastEventTimestamp": None}
    for time in range(20_000):
        cloudwatch_logs._append_log_events(one, [{"timestamp": time, "message": "x", "ingestionTime": time}])
    assert len(one["events"]) == 20_000
