"""Plays a solution: each line is run as a learner would type it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.errors import MultistackError
from emulator.model import STATE_FOLDER
from emulator.process import read_record
from emulator.workshop.lab import PROXY, Lab, Step


def play(lab: Lab, folder: Path, *, environ: Mapping[str, str], tell: Callable[[Step, str], None]) -> None:
    """
    Run the steps of a solution in the lab's folder.

    Args:
        environ: The caller's variables.
        tell: Called before each step, with the line that is run.

    Raises:
        MultistackError: A step ended in another way than it should.
    """
    shell = shutil.which("bash", path=environ.get("PATH"))
    if shell is None:
        raise MultistackError("the solution needs bash, which is not installed")
    path = os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", "")])
    for step in lab.solution:
        line = step.line.replace(PROXY, _proxy(folder))
        tell(step, line)
        done = subprocess.run(
            [shell, "-c", line], cwd=folder, env={**environ, "PATH": path}, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != step.code:
            raise MultistackError(
                f"the solution stopped: `{line}` ended with {done.returncode}, not {step.code}",
                hint=f"multistack workshop reset {lab.number}",
            )


def _proxy(folder: Path) -> str:
    record = read_record(folder / STATE_FOLDER / "proxy")
    return f"http://127.0.0.1:{record.port}" if record else PROXY
