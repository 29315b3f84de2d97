"""What functions printed while they answered one request, asked of ``multistack requests show``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.dashboard.asking import ask_command
from emulator.dashboard.jobs import Command


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
    content, refused = ask_command(command, ["requests", "show", str(number), "--json"])
    if content is None:
        return RequestLog(problem=refused)
    return RequestLog(lines=[CallLine(**line) for line in content["log"]], problem=content["log_problem"] or "")
