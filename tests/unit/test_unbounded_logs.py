"""The newest calls of a log group stay, the others go."""

from __future__ import annotations

from typing import Any

from emulator.drivers.launcher.gaps import unbounded_logs


def streams(*lengths: int) -> dict[str, Any]:
    """Streams ``0``, ``1``, … with one line of so many characters each."""
    return {str(number): {"events": [{"message": "x" * length}]} for number, length in enumerate(lengths)}


def test_the_oldest_calls_go() -> None:
    """What is dropped is what was logged first."""
    kept = streams(1, 1, 1, 1)
    unbounded_logs.drop_calls(kept, most=2)
    assert list(kept) == ["2", "3"]


def test_few_calls_stay() -> None:
    """Nothing is dropped below the bound."""
    kept = streams(1, 1)
    unbounded_logs.drop_calls(kept, most=2)
    unbounded_logs.drop_characters(kept, most=2)
    assert list(kept) == ["0", "1"]


def test_long_lines_push_old_calls_out() -> None:
    """Memory is bounded by characters, too."""
    kept = streams(40, 40, 40, 40)
    unbounded_logs.drop_characters(kept, most=100)
    assert list(kept) == ["2", "3"]


def test_the_newest_call_keeps_its_lines() -> None:
    """Whoever printed too much must still be able to read it."""
    kept = streams(1, 1, 1000)
    unbounded_logs.drop_characters(kept, most=100)
    assert list(kept) == ["2"]


def test_ministack_still_keeps_every_call() -> None:
    """The day this fails, the gap is gone."""
    from ministack.services import cloudwatch_logs

    from emulator.drivers.launcher import gaps

    assert unbounded_logs in gaps.GAPS
    assert not [name for name in vars(cloudwatch_logs) if "max_streams" in name.lower()]
