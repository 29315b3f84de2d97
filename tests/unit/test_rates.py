"""The counts of requests over the last minutes."""

from __future__ import annotations

import pytest

from emulator.inspector.rates import BUCKET, Rates


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def rates(watch: Watch) -> Rates:
    return Rates(watch)


def test_rate_per_minute_and_errors(rates: Rates) -> None:
    """What counts is what ended within the span."""
    for number in range(30):
        rates.count("test", seconds=0.01, is_error=number < 3)
    found = rates.of("test", seconds=60)
    assert (found.requests, found.per_minute, found.error_rate) == (30, 30.0, 0.1)


def test_percentiles_within_five_percent(rates: Rates) -> None:
    """Times are kept in steps, and a percentile is the middle of its step."""
    for millisecond in range(1, 101):
        rates.count("test", seconds=millisecond / 1000, is_error=False)
    found = rates.of("test")
    assert found.p50 == pytest.approx(0.050, rel=0.06)
    assert found.p95 == pytest.approx(0.095, rel=0.06)


def test_old_requests_count_no_more(rates: Rates, watch: Watch) -> None:
    """A minute later nothing of them is left, and there is no time to give."""
    rates.count("test", seconds=0.01, is_error=True)
    watch.now += 61
    found = rates.of("test", seconds=60)
    assert (found.requests, found.error_rate, found.p50, found.p95) == (0, 0.0, None, None)


def test_environments_are_counted_apart(rates: Rates) -> None:
    """Errors of one environment are not those of its neighbour."""
    rates.count("test", seconds=0.01, is_error=True)
    assert rates.of("prod").requests == 0


def test_series_is_oldest_first(rates: Rates, watch: Watch) -> None:
    """A chart is drawn from left to right, gaps included."""
    rates.count("test", seconds=0.01, is_error=False)
    watch.now += 2 * BUCKET
    rates.count("test", seconds=0.01, is_error=False)
    rates.count("test", seconds=0.01, is_error=False)
    series = rates.series("test", seconds=4 * BUCKET, points=4)
    assert [point.requests for point in series] == [0, 1, 0, 2]
    assert [point.start for point in series] == [4 * BUCKET, 3 * BUCKET, 2 * BUCKET, BUCKET]


def test_memory_is_bounded(rates: Rates, watch: Watch) -> None:
    """A proxy that runs for weeks keeps a quarter of an hour."""
    for _ in range(1000):
        rates.count("test", seconds=0.01, is_error=False)
        watch.now += BUCKET
    assert len(rates._buckets["test"]) == 180
