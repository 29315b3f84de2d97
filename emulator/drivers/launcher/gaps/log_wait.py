"""
Gap: after each call MiniStack 1.5.33 waits up to 50 ms for the log lines of a Python function.

It can't know when a call's last line has arrived. Here the worker writes a line of its own to stderr before it
answers: what stands before it belongs to the call, and nothing is waited for.
"""

from __future__ import annotations

import queue
from typing import Any, Protocol

MARK = "\x1emultistack: end of call"
# Seconds without a line after which the mark won't come: the worker died, or the function closed its stderr.
_SILENCE = 0.25

# Runs in the worker before MiniStack's own script, which flushes stdout once when it is ready, then once per answer.
_PRELUDE = f"""
import sys as _multistack_sys

class _MarkingStdout:
    def __init__(self, stdout, stderr):
        self._stdout, self._stderr, self._is_ready = stdout, stderr, False

    def write(self, text):
        return self._stdout.write(text)

    def flush(self):
        if self._is_ready:
            try:
                self._stderr.write({MARK!r} + "\\n")
                self._stderr.flush()
            except (OSError, ValueError):
                pass
        self._is_ready = True
        self._stdout.flush()

    def __getattr__(self, name):
        return getattr(self._stdout, name)

_multistack_sys.stdout = _MarkingStdout(_multistack_sys.stdout, _multistack_sys.stderr)
"""


class _Worker(Protocol):
    """The part of MiniStack's ``Worker`` that is used."""

    config: dict[str, Any]
    _stderr_queue: queue.Queue[str]


def apply() -> None:
    """Let Python workers mark the end of a call, and read their lines up to the mark."""
    from ministack.core import lambda_runtime

    lambda_runtime._PYTHON_WORKER_SCRIPT = _PRELUDE + lambda_runtime._PYTHON_WORKER_SCRIPT
    wait_blindly = lambda_runtime.Worker._drain_stderr_bounded

    def lines_of_call(worker: _Worker) -> str:
        """The log lines of the call that was just answered, joined."""
        if not str(worker.config.get("Runtime", "")).startswith("python"):
            return str(wait_blindly(worker))
        return "\n".join(_lines_to_mark(worker._stderr_queue))

    lambda_runtime.Worker._drain_stderr_bounded = lines_of_call


def _lines_to_mark(lines: queue.Queue[str]) -> list[str]:
    found: list[str] = []
    while True:
        try:
            line = lines.get(timeout=_SILENCE)
        except queue.Empty:
            return found
        if line.endswith(MARK):  # a text without line end may stand before it
            return found + ([line[: -len(MARK)]] if line != MARK else [])
        found.append(line)
