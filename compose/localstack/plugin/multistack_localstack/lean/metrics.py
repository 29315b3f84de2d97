"""
CloudWatch's metrics of Lambda and SQS, kept until somebody asks CloudWatch for anything.

LocalStack sends one after every call of a function and every message, each as a request of its own from a thread of its
own. Few read them; who does finds them all, with their times.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LOG = logging.getLogger(__name__)

_PER_REQUEST = 1000  # CloudWatch's limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of one thing in one account and region."""

    account_id: str
    region: str
    namespace: str
    name: str
    dimension: tuple[str, str]
    unit: str


Send = Callable[[str, str, str, Sequence[Mapping[str, Any]]], None]


class PendingMetrics:
    """
    Metrics not sent yet, one number a minute and series: CloudWatch shows no finer ones of these.

    Args:
        send: Puts data of an account, a region and a namespace into CloudWatch.
    """

    def __init__(self, send: Send, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._send = send
        self._now = now
        self._counts: dict[tuple[Series, datetime], tuple[datetime, list[float]]] = {}
        self._lock = threading.Lock()

    def add(self, series: Series, value: float) -> None:
        """Remember *value*."""
        now = self._now()
        minute = now.replace(second=0, microsecond=0)
        with self._lock:
            self._counts.setdefault((series, minute), (now, []))[1].append(value)
            if len(self._counts) > 50_000:  # days without a look: the oldest go
                self._counts.pop(next(iter(self._counts)))

    def flush(self) -> None:
        """Send all that is pending."""
        with self._lock:
            pending, self._counts = self._counts, {}
        groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for (series, _), (at, values) in pending.items():
            key = (series.account_id, series.region, series.namespace)
            groups.setdefault(key, []).append(_datum(series, at, values))
        for (account_id, region, namespace), data in groups.items():
            for start in range(0, len(data), _PER_REQUEST):
                self._send(account_id, region, namespace, data[start : start + _PER_REQUEST])


def _datum(series: Series, at: datetime, values: Sequence[float]) -> dict[str, Any]:
    name, value = series.dimension
    return {
        "MetricName": series.name,
        "Dimensions": [{"Name": name, "Value": value}],
        "Timestamp": at,
        "Unit": series.unit,
        "StatisticValues": {
            "SampleCount": float(len(values)),
            "Sum": float(sum(values)),
            "Minimum": float(min(values)),
            "Maximum": float(max(values)),
        },
    }


def lambda_recorders(pending: PendingMetrics) -> dict[str, Callable[..., None]]:
    """What LocalStack's Lambda calls after each call of a function, by its name there."""

    def add(name: str, function_name: str, account_id: str, region_name: str) -> None:
        dimension = ("FunctionName", function_name)
        series = Series(
            account_id=account_id,
            region=region_name,
            namespace="AWS/Lambda",
            name=name,
            dimension=dimension,
            unit="Count",
        )
        pending.add(series, 1)

    def invocation(function_name: str, account_id: str, region_name: str) -> None:
        add("Invocations", function_name, account_id, region_name)

    def error(function_name: str, account_id: str, region_name: str) -> None:
        add("Invocations", function_name, account_id, region_name)
        add("Errors", function_name, account_id, region_name)

    return {"record_cw_metric_invocation": invocation, "record_cw_metric_error": error}


def sqs_recorders(pending: PendingMetrics) -> dict[str, Callable[..., None]]:
    """What LocalStack's SQS calls about its messages, by its name there."""

    def one(  # noqa: PLR0917 - LocalStack's signature
        account_id: str, region: str, queue_name: str, metric: str, value: float = 1, unit: str = "Count"
    ) -> None:
        dimension = ("QueueName", queue_name)
        series = Series(
            account_id=account_id, region=region, namespace="AWS/SQS", name=metric, dimension=dimension, unit=unit
        )
        pending.add(series, value)

    def several(account_id: str, region: str, sqs_metric_batch_data: Sequence[Mapping[str, Any]]) -> None:
        for data in sqs_metric_batch_data:
            one(
                account_id,
                region,
                data["QueueName"],
                data["MetricName"],
                data.get("Value") or 0,
                data.get("Unit") or "Count",
            )

    return {"publish_sqs_metric": one, "publish_sqs_metric_batch": several}
