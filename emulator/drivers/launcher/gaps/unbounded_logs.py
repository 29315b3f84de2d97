"""
Gap: MiniStack 1.5.33 keeps the log lines of every call of a function in memory for ever, a stream for each call.

AWS keeps them for ever, too, unless the group has a retention; but on disks, not in the memory of a laptop. Here the
newest calls of a group stay, and so many of them as fit into a number of characters.

Source:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

# Streams, which are calls, of one group.
CALLS = 2000
# Characters in all lines of one group; the newest call keeps its lines however many they are.
CHARACTERS = 8 * 1024 * 1024
# How often, in calls, all characters of a group are counted; at once after a call with many lines.
_COUNTED = 50
_MANY = 1000


def apply() -> None:
    """Drop the oldest calls of a group when a new one was logged."""
    from ministack.services import cloudwatch_logs, lambda_svc

    logged = lambda_svc._emit_lambda_logs
    counter = itertools.count(1)

    @functools.wraps(logged)
    def log_and_drop(func: dict[str, Any], *args: Any, **options: Any) -> None:
        logged(func, *args, **options)
        config = func.get("config") or func
        name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}"
        if name in cloudwatch_logs._log_groups:
            streams = cloudwatch_logs._log_groups[name]["streams"]
            drop_calls(streams, most=CALLS)
            if next(counter) % _COUNTED == 0 or _is_long(streams):
                drop_characters(streams, most=CHARACTERS)

    lambda_svc._emit_lambda_logs = log_and_drop


def _is_long(streams: dict[str, Any]) -> bool:
    newest = next(reversed(streams.values()), None)
    return newest is not None and len(newest["events"]) > _MANY


def drop_calls(streams: dict[str, Any], *, most: int) -> None:
    """Leave the newest *most* streams."""
    for name in list(itertools.islice(streams, max(0, len(streams) - most))):
        streams.pop(name, None)  # another thread may have dropped it


def drop_characters(streams: dict[str, Any], *, most: int) -> None:
    """Leave so many of the newest streams as have at most *most* characters; always the newest one."""
    newest_first = list(reversed(list(streams.items())))
    total = 0
    for position, (name, stream) in enumerate(newest_first):
        total += sum(len(event["message"]) for event in list(stream["events"]))
        if total > most and position:
            streams.pop(name, None)
