"""What a container's process says, as its engine keeps it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from emulator.drivers.engine import talking
from emulator.errors import NotReady

# The time has nanoseconds, and from Podman the zone of the machine. Source: Docker Engine API, ContainerLogs.
_LINE = re.compile(r"(?P<second>\S{19})(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d) (?P<text>.*)", re.DOTALL)
# LocalStack's own time, which is the same one again.
_OWN = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d+ +")


class ContainerLog:
    """
    Follows the log of whatever container an environment has at each look.

    Args:
        find: The container as the SDK's object, or None.
        kept: What the last container had said, as its engine told it.
    """

    def __init__(self, find: Callable[[], Any | None], kept: Callable[[], bytes]) -> None:
        self._find = find
        self._kept = kept
        self._since: datetime | None = None
        self._seen: set[str] = set()

    def new_lines(self) -> list[str]:
        """See :class:`emulator.log_file.LogReader`; each line begins with its time in UTC."""
        try:
            lines = self._lines()
        except NotReady:  # who asks for the environment itself is told
            return []
        new = [line for line in lines if line not in self._seen]
        since = self._since
        shown = [(at, text) for at, text in map(_split, new) if at is not None and (since is None or at >= since)]
        if shown:
            # The engine can be asked for whole seconds only.
            self._since = max(at for at, _ in shown).replace(microsecond=0)
            self._seen = set(lines)
        return [f"{at:%Y-%m-%dT%H:%M:%S.%f}Z {_OWN.sub('', text, count=1)}" for at, text in shown]

    def _lines(self) -> list[str]:
        container = self._find()
        if container is None:
            said = self._kept()
        else:
            with talking("its log"):
                since = None if self._since is None else int(self._since.timestamp())
                said = container.logs(timestamps=True, since=since)
        return [line for line in said.decode(errors="replace").split("\n") if line]


def _split(line: str) -> tuple[datetime | None, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        return None, line
    try:
        at = datetime.fromisoformat(match["second"] + match["zone"].replace("Z", "+00:00"))
    except ValueError:
        return None, line
    return at.replace(microsecond=int((match["fraction"] or "0").ljust(6, "0")[:6])).astimezone(UTC), match["text"]
