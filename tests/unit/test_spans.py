"""Spans of time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from emulator.spans import read_span, show_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d12h", 129_600), ("-5h", -18_000), ("0s", 0)],
)
def test_spans_are_read(text: str, seconds: int) -> None:
    """Units may follow each other."""
    assert read_span(text) == timedelta(seconds=seconds)


def test_a_span_of_more_than_ten_years_is_refused() -> None:
    """Nobody means it, and dates end."""
    for text in ("3651d", "999999d" * 5):
        with pytest.raises(ValueError, match="at most 3650d"):
            read_span(text)


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "1w", "1.5h", "--1h", "9999999d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    """The message completes a sentence."""
    with pytest.raises(ValueError, match="a span of time such as"):
        read_span(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.4, "0s"), (61, "1m 1s"), (90_061, "1d 1h"), (-3600, "-1h"), (86_400, "1d")]
)
def test_spans_are_shown_with_their_two_largest_units(seconds: float, text: str) -> None:
    """Nobody needs the seconds of a day."""
    assert show_span(timedelta(seconds=seconds)) == text
