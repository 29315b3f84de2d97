"""Commands whose answer is shown at once: run, and read as JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from emulator.dashboard.jobs import Command

_TIMEOUT = 60.0


def ask_command(command: Command, arguments: Sequence[str], *, codes: Sequence[int] = (0,)) -> tuple[Any, str]:
    """
    What a command with ``--json`` says, or None and why it says nothing.

    Args:
        codes: Exit codes with which it answers.
    """
    process = command.start(arguments, stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # what it started too, which may hold the pipe
        process.communicate()
        return None, f"the command did not answer within {_TIMEOUT:g} s"
    if process.returncode in codes:
        try:
            return json.loads(output), ""
        except ValueError:  # refused by exit code 6, it may have said nothing on stdout
            return None, _reason(errors.decode(errors="replace"))
    return None, _reason(errors.decode(errors="replace"))


def _reason(errors: str) -> str:
    """The error and the hint of a command that failed, in one line."""
    said = [line.partition(": ")[2] for line in errors.splitlines() if line.startswith(("error: ", "hint: "))]
    return "; ".join(said) or errors.strip() or "the command gave no answer"
