"""The time that the ledger records and its gates go by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def clock(offset: timedelta = timedelta()) -> Clock:
    """The machine's clock, moved by *offset*; its times are in UTC."""
    return lambda: datetime.now(UTC) + offset
