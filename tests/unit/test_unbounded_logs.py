"""The newest calls of a log group stay, the others go."""

from __future__ import annotations

from typing import Any

from emulator.drivers.launcher.gaps import unbounded_logs


def stream(*calls: int, last: int) -> dict[str, Any]:
    """A stream of calls with one printed line of so many characters each, last written at *last*."""
    lines = [line for length in calls for line in ("START RequestId: 1", "x" * length)]
    return {"events": [{"message": line} for line in lines], "lastEventTimestamp": last}


def printed(streams: dict[str, Any]) -> dict[str, list[int]]:
    """Lengths of what the calls left in each stream printed."""
    return {name: [len(event["message"]) for event in found["events"][1::2]] for name, found in streams.items()}


def test_the_oldest_calls_of_a_stream_go() -> None:
    """What is dropped is what was logged first, in whole calls."""
    streams = {"a": stream(1, 2, 3, last=1)}
    unbounded_logs.drop_lines(streams, most=5)
    assert printed(streams) == {"a": [2, 3]}


def test_the_streams_written_last_stay() -> None:
    """An execution environment that runs no more makes room first, wherever it stands."""
    streams = {"busy": stream(1, 2, last=9), "old": stream(3, 4, last=1), "newer": stream(5, last=5)}
    unbounded_logs.drop_lines(streams, most=8)
    assert printed(streams) == {"busy": [1, 2], "old": [4], "newer": [5]}
    unbounded_logs.drop_lines(streams, most=6)
    assert printed(streams) == {"busy": [1, 2], "newer": [5]}


def test_few_calls_stay() -> None:
    """Nothing is dropped below the bounds."""
    streams = {"a": stream(1, 2, last=1), "b": stream(3, last=2)}
    unbounded_logs.drop_lines(streams, most=6)
    unbounded_logs.drop_characters(streams, most=60)
    assert printed(streams) == {"a": [1, 2], "b": [3]}


def test_long_lines_push_old_calls_out() -> None:
    """Memory is bounded by characters, too."""
    streams = {"a": stream(400, 500, 600, last=1)}
    unbounded_logs.drop_characters(streams, most=1200)
    assert printed(streams) == {"a": [500, 600]}


def test_the_newest_call_keeps_its_lines() -> None:
    """Whoever printed too much must still be able to read it."""
    streams = {"a": stream(1, last=1), "b": stream(1, 1000, last=2)}
    unbounded_logs.drop_characters(streams, most=100)
    assert printed(streams) == {"b": [1000]}


def test_ministack_still_keeps_every_call() -> None:
    """The day this fails, the gap is gone."""
    from ministack.services import cloudwatch_logs

    from emulator.drivers.launcher import gaps

    assert unbounded_logs in gaps.GAPS
    assert not [name for name in vars(cloudwatch_logs) if "max_streams" in name.lower()]
