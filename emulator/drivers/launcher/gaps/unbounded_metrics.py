"""
Gap: MiniStack 1.5.33 keeps each value of each metric in memory; a call of a function makes four.

AWS sums values up, by the minute after 3 hours and by the hour after 15 days, so that they do not grow with the calls.
Here the newest values of a metric stay.

Source:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html (metrics retention)
"""

from __future__ import annotations

import functools
from typing import Any

# Values of one metric.
VALUES = 1000


def apply() -> None:
    """Drop the oldest values of a metric when one is added."""
    from ministack.services import cloudwatch

    bucket_of = cloudwatch._metric_bucket

    @functools.wraps(bucket_of)
    def bucket_of_newest(key: tuple[Any, ...]) -> list[Any]:
        points: list[Any] = bucket_of(key)
        drop(points, most=VALUES)
        return points

    cloudwatch._metric_bucket = bucket_of_newest


def drop(points: list[Any], *, most: int) -> None:
    """Leave the newest *most* points; not one by one, because a list moves all of them."""
    if len(points) > most + most // 10:
        del points[: len(points) - most]
