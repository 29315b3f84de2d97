"""Reads what was recorded on a driver and is shipped with this version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from emulator.errors import MultistackError

T = TypeVar("T")


def read_recorded(path: Path, parse: Callable[[Any], T], *, version: int, what: str) -> T:
    """
    What *parse* makes of the JSON in *path*.

    Args:
        version: Of the file's format, which it names under ``format``.
        what: Its content, as the message begins, e.g. ``the measured figures``.

    Raises:
        MultistackError: The file is missing, broken, or of another format: the installation is damaged.
    """
    try:
        data = json.loads(path.read_bytes())
        if data["format"] != version:
            raise ValueError(f"format {data['format']}")
        return parse(data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MultistackError(f"{what} {path} can't be read: {error}", hint="install multistack again") from error
