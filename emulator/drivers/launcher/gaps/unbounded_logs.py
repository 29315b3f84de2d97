"""
Gap: MiniStack 1.5.33 keeps the log lines of every call of a function in memory for ever.

AWS keeps them for ever, too, unless the group has a retention; but on disks, not in the memory of a laptop. Here the
newest lines of a group stay: so many, and so long ones in all. The last call's lines stay however many they are.

Source:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html
"""

from __future__ import annotations

import bisect
import functools
import itertools
from typing import Any

# Of one group: two thousand calls that print a line each make so many.
LINES = 8000
CHARACTERS = 8 * 1024 * 1024
# So many more may gather before the oldest go, which takes as long as a dozen calls.
_SURPLUS = LINES // 2
# How often, in calls, all characters of a group are counted, which takes milliseconds; at once after a long one.
_COUNTED = 500
_MANY = 16 * 1024


def apply() -> None:
    """Drop the oldest lines of a group when a call was logged."""
    from ministack.services import cloudwatch_logs, lambda_svc

    logged = lambda_svc._emit_lambda_logs
    counter = itertools.count(1)

    @functools.wraps(logged)
    def log_and_drop(function: dict[str, Any], request_id: str, text: str, *args: Any, **options: Any) -> None:
        logged(function, request_id, text, *args, **options)
        config = function.get("config") or function
        name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}"
        group = cloudwatch_logs._log_groups.get(name)
        if group is None:
            return
        must_count = next(counter) % _COUNTED == 0 or len(text or "") > _MANY
        with cloudwatch_logs._log_events_lock:
            if must_count or sum(len(stream["events"]) for stream in group["streams"].values()) > LINES + _SURPLUS:
                drop_oldest(group["streams"], lines=LINES, characters=CHARACTERS)

    lambda_svc._emit_lambda_logs = log_and_drop


def drop_oldest(streams: dict[str, Any], *, lines: int, characters: int) -> None:
    """Leave the newest *lines* in all *streams*, and fewer if they have more than *characters*."""
    newest_first = sorted(
        ((event["timestamp"], len(event["message"])) for stream in streams.values() for event in stream["events"]),
        reverse=True,
    )
    lengths = itertools.accumulate(length for _, length in newest_first)
    kept = min(lines, bisect.bisect_right(list(lengths), characters))
    for timestamp, _ in newest_first[kept:]:
        if timestamp < newest_first[0][0]:  # all lines of a call have the same
            _drop_up_to(streams, timestamp)
            return


def _drop_up_to(streams: dict[str, Any], timestamp: int) -> None:
    for name, stream in list(streams.items()):
        stream["events"][:] = [event for event in stream["events"] if event["timestamp"] > timestamp]
        if stream["events"]:
            stream["firstEventTimestamp"] = stream["events"][0]["timestamp"]
        elif stream["lastEventTimestamp"] is not None:  # not one that was only just made
            del streams[name]
