"""What functions printed while they answered one request, asked of ``multistack requests show``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.dashboard.jobs import Command
from emulator.dashboard.plans import reason_of

_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLine:
    """
    One line of a function's log.

    Attributes:
        at: As the command tells it.
    """

    at: str
    function: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLog:
    """
    All lines of one request.

    Attributes:
        problem: Why they can't be read; empty when they can.
    """

    lines: Sequence[CallLine] = ()
    problem: str = ""


def read_log(number: int, command: Command) -> RequestLog:
    """The lines of request *number*; takes about a second."""
    process = command.start(["requests", "show", str(number), "--json"], stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return RequestLog(problem=f"its log was not read after {_TIMEOUT:g} s")
    if process.returncode:
        return RequestLog(problem=reason_of(errors.decode(errors="replace")))
    content = json.loads(output)
    return RequestLog(lines=[CallLine(**line) for line in content["log"]], problem=content["log_problem"] or "")
