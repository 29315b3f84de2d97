"""One JSON object per line, for CloudWatch Logs."""

from __future__ import annotations

import json
from collections.abc import Callable

LEVELS = ("debug", "info", "warning", "error")


class Log:
    """
    Writes lines at or above *level*.

    Args:
        fields: Put into every line.
    """

    def __init__(self, level: str, *, write: Callable[[str], object] = print, **fields: str) -> None:
        self._least = LEVELS.index(level)
        self._write = write
        self._fields = fields

    def __call__(self, level: str, message: str, **fields: object) -> None:
        if LEVELS.index(level) >= self._least:
            self._write(json.dumps({"level": level, "message": message, **self._fields, **fields}, default=str))
