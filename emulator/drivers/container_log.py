"""What a container's process says, as its engine keeps it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# The engine's time has nanoseconds. Source: Docker Engine API, ContainerLogs, ``timestamps``.
_LINE = re.compile(r"(?P<second>\S{19})(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d) (?P<text>.*)")
# LocalStack's own time, which is the same one again.
_OWN = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d+ +")


class ContainerLog:
    """
    Follows the log of whatever container an environment has at each look.

    Args:
        find: The container as the SDK's object, or None.
    """

    def __init__(self, find: Callable[[], Any | None]) -> None:
        self._find = find
        self._last = ""

    def new_lines(self) -> list[str]:
        """See :class:`emulator.log_file.LogReader`; each line begins with its time in UTC."""
        container = self._find()
        if container is None:
            return []
        lines = container.logs(timestamps=True).decode(errors="replace").splitlines()
        found = [
            (match["second"], (match["fraction"] or "").ljust(9, "0"), match["text"])
            for match in map(_LINE.match, lines)
            if match
        ]
        new = [
            (f"{second}.{fraction}", text) for second, fraction, text in found if f"{second}.{fraction}" > self._last
        ]
        if new:
            self._last = new[-1][0]
        return [f"{stamp[:26]}Z {_OWN.sub('', text, count=1)}" for stamp, text in new]
