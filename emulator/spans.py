"""Spans of time and sizes of memory as people write them: ``90s``, ``2h``, ``1d12h``; ``768m``, ``2g``."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SPAN = re.compile(r"(-?)((?:[0-9]{1,6}[dhms])+)")
_MEMORY_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}
LONGEST = timedelta(days=3650)
# Of any unit, so that no sum of them is too large to be compared.
_MOST = 10**9
ALLOWED = 'a span of time such as "30m", "2h" or "1d12h"'


def read_span(text: str) -> timedelta:
    """
    Read *text*.

    Raises:
        ValueError: It is no span; the message completes "must be …".
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(ALLOWED)
    parts: dict[str, float] = {}
    for number, unit in re.findall(r"([0-9]+)([dhms])", match[2]):
        parts[_UNITS[unit]] = parts.get(_UNITS[unit], 0) + int(number)
    if sum(parts.values()) > _MOST or (span := timedelta(**parts)) > LONGEST:
        raise ValueError(f"at most {LONGEST.days}d")
    return -span if match[1] else span


def show_span(span: timedelta) -> str:
    """Write *span* with its two largest units, e.g. ``1d 12h``; less than a second is ``0s``."""
    seconds = int(abs(span.total_seconds()))
    found = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        number, seconds = divmod(seconds, size)
        if number:
            found.append(f"{number}{unit}")
    return ("-" if span < timedelta() else "") + (" ".join(found[:2]) or "0s")


def read_memory(text: str) -> int:
    """
    Bytes from ``768m`` or ``2g``, as Docker writes them.

    Raises:
        ValueError: *text* is none; the message completes "must be …".
    """
    match = re.fullmatch(r"([0-9]{1,9})([kmg])b?", text.lower())
    if match is None:
        raise ValueError('a size of memory such as "768m" or "2g"')
    return int(match[1]) * _MEMORY_UNITS[match[2]]
