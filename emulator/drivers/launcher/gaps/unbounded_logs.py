"""
Gap: MiniStack 1.5.33 keeps the log lines of every call of a function in memory for ever.

AWS keeps them for ever, too, unless the group has a retention; but on disks, not in the memory of a laptop. Here the
newest calls of a group stay, and so many of them as fit into a number of lines and of characters.

Source:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

# Lines of one group, and characters in them; the newest call keeps its lines however many they are.
LINES = 10_000
CHARACTERS = 8 * 1024 * 1024
# How often, in calls, lines and characters of a group are counted; at once after a call that printed much.
_LINES_COUNTED, _CHARACTERS_COUNTED = 50, 500
_MUCH = 64 * 1024
_FIRST_LINE = "START RequestId: "


def apply() -> None:
    """Drop the oldest calls of a group now and then."""
    from ministack.services import cloudwatch_logs, lambda_svc

    logged = lambda_svc._emit_lambda_logs
    counter = itertools.count(1)

    @functools.wraps(logged)
    def log_and_drop(func: dict[str, Any], request_id: str, log_text: str, *args: Any, **options: Any) -> None:
        logged(func, request_id, log_text, *args, **options)
        calls, is_much = next(counter), len(log_text) > _MUCH
        if calls % _LINES_COUNTED and not is_much:
            return
        config = func.get("config") or func
        name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}"
        group = cloudwatch_logs._log_groups.get(name)
        if group is not None:
            with cloudwatch_logs._log_events_lock:
                drop_lines(group["streams"], most=LINES)
                if is_much or calls % _CHARACTERS_COUNTED == 0:
                    drop_characters(group["streams"], most=CHARACTERS)

    lambda_svc._emit_lambda_logs = log_and_drop


def drop_lines(streams: dict[str, Any], *, most: int) -> None:
    """Leave the newest calls of a group, with at most *most* lines together; always the newest one."""
    _drop(streams, {name: [1] * len(stream["events"]) for name, stream in list(streams.items())}, most)


def drop_characters(streams: dict[str, Any], *, most: int) -> None:
    """Leave the newest calls of a group, with at most *most* characters together; always the newest one."""
    _drop(
        streams,
        {name: [len(event["message"]) for event in stream["events"]] for name, stream in list(streams.items())},
        most,
    )


def _drop(streams: dict[str, Any], sizes: Mapping[str, list[int]], most: int) -> None:
    """Go through the streams from the one written last, and cut where *most* is reached."""
    newest_first = sorted(streams, key=lambda name: streams[name]["lastEventTimestamp"] or 0, reverse=True)
    left = most
    for position, name in enumerate(newest_first):
        total = sum(sizes[name])
        if total > left:
            _cut(streams[name]["events"], sizes[name], left, keep_newest=position == 0)
        left -= min(total, left)
        if not streams[name]["events"]:
            del streams[name]


def _cut(events: list[Any], sizes: list[int], left: int, *, keep_newest: bool) -> None:
    """Delete the oldest calls of one stream until *left* is enough for the others."""
    starts = [number for number, event in enumerate(events) if event["message"].startswith(_FIRST_LINE)]
    surplus = list(itertools.accumulate(sizes, initial=0))
    fitting = [number for number in starts if surplus[-1] - surplus[number] <= left]
    kept = fitting[0] if fitting else len(events)
    if keep_newest and not fitting:
        kept = starts[-1] if starts else 0
    del events[:kept]
