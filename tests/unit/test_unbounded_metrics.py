"""The newest values of a metric stay, the others go."""

from __future__ import annotations

from ministack.services import cloudwatch

from emulator.drivers.launcher import gaps
from emulator.drivers.launcher.gaps import unbounded_metrics


def test_the_oldest_values_go() -> None:
    """Some more than the bound may stay for a while: a list moves all of them."""
    points = list(range(20))
    unbounded_metrics.drop(points, most=10)
    assert points == list(range(10, 20))
    points.append(20)
    unbounded_metrics.drop(points, most=10)
    assert len(points) == 11


def test_ministack_still_keeps_every_value() -> None:
    """The day this fails, the gap is gone."""
    assert "unbounded_metrics" in gaps.GAPS
    for _ in range(1500):
        cloudwatch.record_metric("AWS/Lambda", "Invocations", 1, "Count", {"FunctionName": "f"})
    ((_, points),) = [item for item in cloudwatch._metrics.items() if item[0][1] == "Invocations"]
    try:
        assert len(points) == 1500
    finally:
        cloudwatch._metrics.clear()
