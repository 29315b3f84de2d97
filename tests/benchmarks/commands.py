"""Figure 4: how long the commands one types all day take."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.figures import Figure, Result, Table, say, spread
from tests.benchmarks.sample import fresh_project, up
from tests.conftest import MULTISTACK, ProjectFolder

_ROUNDS = 10
_REQUIRED = {"multistack status": 0.4, "multistack --help": 0.2, "multistack diff test staging": 2.0} | {
    f"multistack snapshot {action}": 3.0 for action in ("save bench", "restore bench --yes", "delete bench")
}
# 7: differences were found, which is what was asked for.
_DONE = (0, 7)


def run() -> Result:
    """Measure all commands in turn, beside what any Python program and a well-known one take."""
    aws = shutil.which("aws", path=str(Path(sys.executable).parent)) or shutil.which("aws")
    commands: dict[str, Sequence[str]] = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "multistack --help": (str(MULTISTACK), "--help"),
        "multistack status": (str(MULTISTACK), "status"),
        "multistack diff test staging": (str(MULTISTACK), "diff", "test", "staging"),
        "multistack drift": (str(MULTISTACK), "drift"),
        **{name: (str(MULTISTACK), *name.split()[1:]) for name in _REQUIRED if " snapshot " in name},
    }
    if aws:
        commands["aws --version"] = (aws, "--version")
    taken: dict[str, list[float]] = {name: [] for name in commands}
    with fresh_project() as folder:
        up(folder)
        for number in range(_ROUNDS + 1):
            for name, command in commands.items():
                seconds = _time(folder, command)
                if number:  # the first round warms the file cache
                    taken[name].append(seconds)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    say(f"commands: {', '.join(f'{name} {median:.2f} s' for name, median in medians.items())}")
    rows = [
        [name, *spread(times), f"{medians[name] / medians['python -c pass']:.1f} x"] for name, times in taken.items()
    ]
    if not aws:
        rows.append(["aws --version", "not installed", "", "", ""])
    return Result(
        title="Commands",
        figures=[
            Figure(
                name=f"`{name}`",
                required=f"< {required} s",
                measured=f"{medians[name]:.2f} s",
                passed=medians[name] < required,
                how=f"median of {_ROUNDS} runs, in turn with the other commands, while three environments run.",
            )
            for name, required in _REQUIRED.items()
        ],
        tables=[
            Table(
                title="Start to end of a command",
                columns=["command", "median", "least", "greatest", "to `python -c pass`"],
                rows=rows,
            )
        ],
    )


def _time(folder: ProjectFolder, command: Sequence[str]) -> float:
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder.folder,
        env=folder.command_environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    taken = time.monotonic() - started
    if done.returncode not in _DONE:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    return taken
