"""A replay as JSON."""

from __future__ import annotations

from typing import Any

from emulator.replay.results import BAD, Latencies, Replay, Replayed


def as_plain(found: Replay) -> dict[str, Any]:
    """All of it, but of requests that were answered as they should only the times."""
    return {
        "corpus": found.corpus,
        "environment": found.environment,
        "release": found.release,
        "baseline": found.baseline,
        "at": found.at,
        "is_equal": found.is_equal,
        "counts": {verdict.value: count for verdict, count in found.counts.items()},
        "seconds": found.seconds,
        "rate": found.rate,
        "latency": _latency(found.latencies),
        "baseline_latency": _latency(found.baseline_latencies),
        "lost": found.lost,
        "unused": list(found.unused),
        "requests": [_request(one) for one in found.requests],
    }


def _latency(one: Latencies | None) -> dict[str, float] | None:
    if one is None:
        return None
    return {"median": one.median, "p95": one.p95, "p99": one.p99, "longest": one.longest}


def _request(one: Replayed) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "line": one.line,
        "method": one.method,
        "target": one.target,
        "verdict": one.verdict.value,
        "status": one.status,
        "seconds": one.seconds,
        "baseline_status": one.baseline_status,
        "baseline_seconds": one.baseline_seconds,
        "reason": one.reason,
    }
    if one.difference is not None:
        found = one.difference
        plain["differences"] = [each.to_json() for each in found.findings] if one.verdict in BAD else []
        plain["expected"] = [each.to_json() for each in found.expected]
        plain["masked"] = [each.to_json() for each in found.masked]
    return plain
