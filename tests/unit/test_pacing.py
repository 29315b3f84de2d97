"""Rates, and the moments that they give to requests."""

from __future__ import annotations

import pytest

from emulator.replay.pacing import Pace, read_rate


@pytest.mark.parametrize(("text", "rate"), [("50/s", 50), ("50", 50), ("90/m", 1.5), ("1.5/s", 1.5), ("36/h", 0.01)])
def test_a_rate_is_read(text: str, rate: float) -> None:
    """Requests per second, minute or hour."""
    assert read_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["", "0", "0/s", "-1/s", "fast", "5/d", "1e9", "inf"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match="requests per second"):
        read_rate(text)


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.slept.append(seconds)
        self.now += seconds


def pace(time: Time, rate: float | None) -> Pace:
    """One on that clock."""
    return Pace(rate, clock=lambda: time.now, sleep=time.sleep)


def test_requests_keep_their_distance() -> None:
    """The first one goes at once."""
    time = Time()
    paced = pace(time, 10)
    for _ in range(4):
        paced.wait()
    assert time.slept == pytest.approx([0.1, 0.1, 0.1])


def test_what_was_late_is_not_made_up_for_in_a_burst() -> None:
    """An environment that stood still gets the same rate afterwards."""
    time = Time()
    paced = pace(time, 10)
    paced.wait()
    time.now += 60
    for _ in range(3):
        paced.wait()
    assert sum(time.slept) == pytest.approx(0.1)


def test_without_a_rate_nobody_waits() -> None:
    """As many as are answered."""
    time = Time()
    for _ in range(3):
        pace(time, None).wait()
    assert time.slept == []
