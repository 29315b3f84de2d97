"""Whether the project file can still be read, asked of ``multistack`` once after each edit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from emulator.dashboard.asking import ask_command
from emulator.dashboard.jobs import Command


class ProjectCheck:
    """
    What is wrong with the project file; looks at nothing but its time until it is edited.

    Args:
        command: None without a project.
        since: A file that commands write when they have read the project; an older project file is known to be right.
        on_change: Called when an answer has come, from any thread.
    """

    def __init__(self, command: Command | None, *, since: Path, on_change: Callable[[], None]) -> None:
        self._command = command
        self._since = since
        self._on_change = on_change
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._problem = ""

    def problem(self) -> str:
        """Why it can't be read; empty when it can, or nobody knows yet."""
        if self._command is None:
            return ""
        stamp = _stamp(self._command.file)
        with self._lock:
            is_new = stamp != self._seen
            is_first, self._seen = self._seen is None, stamp
        if is_new and not (is_first and stamp[0] <= _stamp(self._since)[0]):
            threading.Thread(target=self._ask, args=(self._command, stamp), name="project check", daemon=True).start()
        return self._problem

    def _ask(self, command: Command, stamp: tuple[int, int]) -> None:
        _, refused = ask_command(command, ["config", "list", "--json"])
        with self._lock:
            if stamp != self._seen:
                return  # edited meanwhile: another one asks
            self._problem = f"The project file can't be read: {refused}" if refused else ""
        self._on_change()


def _stamp(file: Path) -> tuple[int, int]:
    """Changes when somebody wrote the file; zeros when it isn't there."""
    try:
        stat = file.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size
