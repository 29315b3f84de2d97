"""The lab: all experiments in three topologies, and how soon it is put back to how it began."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence

from tests.benchmarks.figures import Figure, Result, Table, say, spread
from tests.benchmarks.sample import fresh_project
from tests.conftest import ProjectFolder

_ROUNDS = 2
_RESETS = 3
_TIMEOUT = 600.0
# Seconds, as the lab promises them.
_ALL, _RESET = 60.0, 10.0


def run() -> Result:
    """Each round: a lab up from nothing, every experiment, and the lab put back a few times."""
    ups: list[float] = []
    runs: list[float] = []
    resets: list[float] = []
    for number in range(1, _ROUNDS + 1):
        with fresh_project() as folder:
            try:
                ups.append(_timed(folder, "lab", "up"))
                runs.append(_timed(folder, "lab", "run", "--all"))
                resets += [_timed(folder, "lab", "reset") for _ in range(_RESETS)]
                counted = _counted(folder)
            finally:
                folder.run("lab", "down")
        say(f"lab {number}/{_ROUNDS}: up {ups[-1]:.1f} s, all {runs[-1]:.1f} s, reset {resets[-1]:.2f} s")
    return Result(title="The lab", figures=_figures(ups, runs, resets, counted), tables=[_table(ups, runs, resets)])


def _timed(folder: ProjectFolder, *command: str) -> float:
    started = time.monotonic()
    folder.run(*command, timeout=_TIMEOUT)
    return time.monotonic() - started


def _counted(folder: ProjectFolder) -> str:
    """How much was run, in words."""
    kept = json.loads((folder.folder / ".multistack/lab/results.json").read_text())["results"]
    experiments, topologies = ({one[name] for one in kept} for name in ("experiment", "topology"))
    return f"{len(experiments)} experiments in {len(topologies)} topologies"


def _figures(ups: Sequence[float], runs: Sequence[float], resets: Sequence[float], counted: str) -> list[Figure]:
    beside, all_of_them, reset = (statistics.median(values) for values in (ups, runs, resets))
    return [
        Figure(
            name=f"`lab run --all`, {counted}",
            required=f"< {_ALL:g} s",
            measured=f"{all_of_them:.1f} s, {all_of_them / beside:.1f} x `lab up` from nothing ({beside:.1f} s)",
            passed=all_of_them < _ALL,
            how=f"the command alone, in a lab that is up, on the embedded driver; median of {_ROUNDS} rounds.",
        ),
        Figure(
            name="`lab reset`",
            required=f"< {_RESET:g} s",
            measured=f"{reset:.2f} s, {reset / beside:.2f} x `lab up` from nothing",
            passed=reset < _RESET,
            how=f"the command alone, after all experiments; median of {_ROUNDS * _RESETS}.",
        ),
    ]


def _table(ups: Sequence[float], runs: Sequence[float], resets: Sequence[float]) -> Table:
    named = {"`lab up` from nothing": ups, "`lab run --all`": runs, "`lab reset`": resets}
    return Table(
        title="Commands of the lab",
        columns=["command", "median", "least", "greatest"],
        rows=[[name, *spread(values)] for name, values in named.items()],
    )
