"""A small file that others replace, and that is asked for with every request."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)


class WatchedFile(Generic[T]):
    """
    What a file says, read again whenever it was replaced: one ``stat`` tells.

    While it can't be read it says what it said last, so that an unreadable file fails no request; the log tells once.

    Args:
        missing: What it says while it isn't there.
        on_change: Called with what it says, each time that is new.
    """

    def __init__(
        self, path: Path, load: Callable[[Path], T], *, missing: T, on_change: Callable[[T], None] | None = None
    ) -> None:
        self._path = path
        self._load = load
        self._missing = missing
        self._on_change = on_change
        # One tuple, replaced in one step: threads see a signature together with its content.
        self._loaded: tuple[tuple[int, int, int], T] | None = None

    def current(self) -> T:
        """What it says now."""
        try:
            stat = os.stat(self._path)  # noqa: PTH116 (half the time of a Path's)
        except FileNotFoundError:
            return self._missing
        signature = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        loaded = self._loaded
        if loaded is None or loaded[0] != signature:
            try:
                self._loaded = loaded = (signature, self._load(self._path))
            except FileNotFoundError:  # removed since
                return self._missing
            except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
                return self._keep(signature, error)
            if self._on_change:
                self._on_change(loaded[1])
        return loaded[1]

    def _keep(self, signature: tuple[int, int, int], error: Exception) -> T:
        """What it said before, also from now on while the file stays as it is."""
        _log.warning("%s can't be read, what it said before counts: %s: %s", self._path, type(error).__name__, error)
        self._loaded = (signature, self._loaded[1] if self._loaded else self._missing)
        return self._loaded[1]
