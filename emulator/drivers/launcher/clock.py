"""
The clock by which the emulator's services delay, expire and schedule: the machine's, or so many seconds away from it.

A message that waits a quarter of an hour, or an item that expires tomorrow, need not be waited for. Functions keep the
machine's clock: they are processes of their own. So do checkpoints, whose times tell what was lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.errors import MultistackError

# Ten years: beyond, dates of some services no longer fit.
_MOST_SECONDS = 10 * 365 * 86400


class Clock:
    """
    This process's clock.

    Args:
        checks_signatures: The emulator compares the times of requests with its own, and would refuse all of them.
    """

    def __init__(self, *, checks_signatures: bool) -> None:
        self._checks_signatures = checks_signatures
        self._travel: Any = None

    async def move(self, content: Mapping[str, Any]) -> None:
        """
        Set it ``offset`` seconds ahead of the machine's; 0 is the machine's.

        Raises:
            MultistackError: It can't be moved, or not there.
        """
        offset = content.get("offset")
        if (
            isinstance(offset, bool)
            or not isinstance(offset, int | float)
            or not math.isfinite(offset)
            or abs(offset) > _MOST_SECONDS
        ):
            raise MultistackError(f"the clock needs an offset in seconds, of up to {_MOST_SECONDS} either way")
        if self._checks_signatures:
            raise MultistackError("the clock can't be moved while IAM is enforced: signatures carry the machine's time")
        self._back()
        if offset:
            import time_machine

            self._travel = time_machine.travel(datetime.now(UTC) + timedelta(seconds=offset), tick=True)
            self._travel.start()

    def machine_time(self) -> datetime:
        """What the machine's clock says, wherever this one is."""
        if self._travel is None:
            return datetime.now(UTC)
        import time_machine

        now: datetime = time_machine.escape_hatch.datetime.datetime.now(UTC)
        return now

    def _back(self) -> None:
        if self._travel is not None:
            self._travel.stop()
            self._travel = None
