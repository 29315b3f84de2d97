"""The log lines of all environments, read by one ``multistack logs --follow`` for as long as somebody looks."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.dashboard.jobs import Command

_KEPT = 2_000
_MOST_LINE = 64 * 1024
_TAIL = "300"
# Seconds that it goes on after the last look, those that the first look waits for lines, and those between two tries.
_PATIENCE = 30.0
_FIRST = 5.0
_RETRY = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """
    One thing that was logged, as ``multistack logs --json`` tells it.

    Attributes:
        id: Growing; another one after the feed began anew.
        at: ISO 8601, UTC.
        source: Logical id of the function, or ``emulator``.
    """

    id: int
    at: str
    environment: str
    source: str
    message: str


class LogFeed:
    """
    Begins when it is asked, and ends when nobody has asked for a while.

    Args:
        command: None when there is no project whose logs could be read.
    """

    def __init__(self, command: Command | None) -> None:
        self._command = command
        self._changed = threading.Condition()
        self._lines: deque[LogLine] = deque(maxlen=_KEPT)
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0.0
        self._tried = -_RETRY
        self._count = 0
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why there are no new lines; empty while they come."""
        return self._problem if self._process is None else ""

    def lines(self, environment: str | None = None, *, text: str = "", last: int = 300) -> Sequence[LogLine]:
        """The last lines, oldest first; the first call waits a moment for them."""
        self.ask()
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._process is None, timeout=_FIRST)
            found = [
                line
                for line in self._lines
                if environment in (None, line.environment) and text.lower() in line.message.lower()
            ]
        return found[max(0, len(found) - last) :]

    def revision(self) -> int:
        """How many lines came so far."""
        self.ask()
        return self._count

    def ask(self) -> None:
        """Keep it going, or begin."""
        with self._changed:
            self._asked = now = time.monotonic()
            # One that fails at once would do so all the time.
            if self._process is None and self._command is not None and now - self._tried > _RETRY:
                self._lines.clear()
                self._tried, self._problem = now, ""
                arguments = ["logs", "--follow", "--json", "--tail", _TAIL]
                self._process = self._command.start(arguments, stderr=subprocess.STDOUT, ends_with_proxy=True)
                threading.Thread(target=self._read, args=(self._process,), name="logs", daemon=True).start()
                threading.Thread(target=self._watch, args=(self._process,), name="logs watch", daemon=True).start()

    def close(self) -> None:
        """End it."""
        with self._changed:
            process = self._process
        if process is not None:
            _end(process)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 (it was asked for)
        with process.stdout as output:
            while line := output.readline(_MOST_LINE):
                try:
                    self._add(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    self._problem = line.decode(errors="replace").strip()  # what it says for people
        process.wait()
        with self._changed:
            self._process = None
            self._changed.notify_all()

    def _add(self, entry: dict[str, str]) -> None:
        with self._changed:
            self._count += 1
            self._lines.append(
                LogLine(
                    id=self._count,
                    at=entry["at"],
                    environment=entry["environment"],
                    source=entry["source"],
                    message=entry["message"],
                )
            )
            self._changed.notify_all()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """End it when nobody asks any more."""
        while process.poll() is None:
            if time.monotonic() - self._asked > _PATIENCE:
                _end(process)
                return
            time.sleep(1.0)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
