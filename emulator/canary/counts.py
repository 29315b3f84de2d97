"""
How many calls of a version there were, and how many of them failed, from what its function logged. Pure functions.

CloudWatch's metrics would tell as well on AWS; emulators keep them for all versions together.

Source:
    https://docs.aws.amazon.com/lambda/latest/operatorguide/log-structure.html (a stream belongs to one version),
    https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html (START, END, REPORT)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_VERSION = re.compile(r"\[([0-9]+)\]")
_START = re.compile(r"START RequestId: (\S+)")
# What a runtime writes of a call that failed; a function that logs an error and answers separates by tabs.
_FAILURE = re.compile(
    r"\[ERROR\] (?!\d)|.*\tERROR\tInvoke Error |.*Task timed out after|Runtime\.ExitError|.* Error: Runtime exited"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Of one version: all of them, and those that failed."""

    requests: int = 0
    errors: int = 0

    @property
    def error_rate(self) -> float | None:
        """From 0 to 1; None without any call."""
        return self.errors / self.requests if self.requests else None


def count(events: Iterable[Mapping[str, Any]]) -> Mapping[str, Calls]:
    """
    Version to its calls.

    Args:
        events: Of CloudWatch Logs, each stream's oldest first; with ``logStreamName`` and ``message``.
    """
    calls: dict[str, set[str]] = {}
    failed: dict[str, set[str]] = {}
    under_way: dict[str, str] = {}
    for event in events:
        stream, message = str(event["logStreamName"]), str(event["message"])
        version = _VERSION.search(stream)
        if version is None:
            continue
        if start := _START.match(message):
            under_way[stream] = start[1]
            calls.setdefault(version[1], set()).add(start[1])
        elif stream in under_way and _FAILURE.match(message):
            failed.setdefault(version[1], set()).add(under_way[stream])
    return {
        version: Calls(requests=len(ids), errors=len(failed.get(version, set()) & ids))
        for version, ids in calls.items()
    }
