"""Commands cut at a chosen moment, as by a person or by the system."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -signal.SIGKILL}


def until(condition: Callable[[], object], *, timeout: float = 30) -> None:
    """Wait for *condition*, and fail without it."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def line_within(command: subprocess.Popen[str], seconds: float) -> str:
    """The first or next line that *command* prints, which has printed no more than was read; it may never print one."""
    assert command.stdout is not None
    if not select.select([command.stdout], [], [], seconds)[0]:
        pytest.fail(f"it printed nothing for {seconds:g} s: {command.args}")
    return command.stdout.readline().strip()


def until_line(command: subprocess.Popen[str], line: str) -> None:
    """Read progress up to *line*."""
    seen = ""
    while line not in seen:
        part = command.stderr.readline()
        assert part, f"ended without {line!r}:\n{seen}"
        seen += part


def is_cut(command: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Send *number* to the command's process group as a terminal does; False if the command was faster."""
    os.killpg(command.pid, number)
    _, err = command.communicate(timeout=60)
    if command.returncode == 0:
        return False
    # Before Python has started, a signal ends it without a word.
    assert command.returncode in (ENDS[number], -number), err
    assert "Traceback" not in err
    if command.returncode > 0:
        assert err.endswith("stopped; run the same command again to go on\n"), err
    return True


def cut(command: subprocess.Popen[str], number: signal.Signals) -> None:
    """Cut a command that has still much to do."""
    assert is_cut(command, number), "it had ended before it was cut: nothing was tested"


def cut_at_line(command: subprocess.Popen[str], line: str, number: signal.Signals) -> None:
    """Cut the command as soon as it says *line*."""
    until_line(command, line)
    cut(command, number)
