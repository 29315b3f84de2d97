"""How long a release takes on its way, and a ledger of ten thousand deployments to be read."""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulator.history import History
from emulator.model import Outcome, Release
from tests.benchmarks.figures import Figure, Result, Table, say, spread
from tests.benchmarks.sample import fresh_project, up
from tests.conftest import ProjectFolder

_ROUNDS = 5
_ROWS = 10_000
# Seconds, as promotion promises them.
_REQUIRED = {"promote": 1.5, "rollback": 3.0, "history": 0.5}


def run() -> Result:
    """Each round: a change into test, timed beside its promotion into staging and the way back."""
    taken: dict[str, list[float]] = {name: [] for name in ("deploy", *_REQUIRED)}
    with fresh_project() as folder:
        _without_smoke_tests(folder)
        up(folder, "test", "staging")
        for number in range(1, _ROUNDS + 1):
            source = folder.folder / "src" / "app.py"
            source.write_text(f"{source.read_text()}\n# {number}\n")
            taken["deploy"].append(_timed(folder, "deploy", "test"))
            taken["promote"].append(_timed(folder, "promote", "staging"))
            taken["rollback"].append(_timed(folder, "rollback", "staging"))
            folder.run("hold", "staging", "--lift")
            say(
                f"promotion {number}/{_ROUNDS}: deploy {taken['deploy'][-1]:.2f} s, promote "
                f"{taken['promote'][-1]:.2f} s, rollback {taken['rollback'][-1]:.2f} s"
            )
        _fill(folder.folder / ".multistack" / "history.sqlite")
        taken["history"] = [_timed(folder, "history") for _ in range(_ROUNDS)]
    return Result(title="Promotion", figures=_figures(taken), tables=[_table(taken)])


def _without_smoke_tests(folder: ProjectFolder) -> None:
    """They are the service's own, and would be most of what is measured."""
    path: Path = folder.folder / "multistack.toml"
    lines = path.read_text().splitlines()
    begin = lines.index("[verify]")
    end = next(number for number in range(begin, len(lines)) if not lines[number])
    path.write_text("\n".join([*lines[:begin], *lines[end:]]) + "\n")


def _fill(path: Path) -> None:
    """One row as they are written, and copies of it."""
    history = History(path)
    release = Release(id="0" * 12, digest="0" * 64, config_hash="0" * 12, config={"PageSize": "5"})
    first = history.begin("test", release)
    history.end(first, Outcome.SUCCEEDED)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for table, key in (("deployments", "id"), ("outcomes", "deployment")):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != key]
            listed = ", ".join(columns)
            connection.executemany(
                f"INSERT INTO {table} ({key}, {listed}) SELECT ?, {listed} FROM {table} WHERE {key} = ?",
                [(first + number, first) for number in range(1, _ROWS)],
            )


def _timed(folder: ProjectFolder, *command: str) -> float:
    started = time.monotonic()
    folder.run(*command)
    return time.monotonic() - started


def _figures(taken: Mapping[str, Sequence[float]]) -> list[Figure]:
    names = {
        "promote": ("promotion of an unchanged artifact", "`multistack promote staging`, without smoke tests"),
        "rollback": ("rollback", "`multistack rollback staging`, back to the release before with its config"),
        "history": (f"history of {_ROWS:,} deployments", "`multistack history`, the last 20"),
    }
    beside = statistics.median(taken["deploy"])
    found = []
    for what, (name, how) in names.items():
        median = statistics.median(taken[what])
        found.append(
            Figure(
                name=name,
                required=f"< {_REQUIRED[what]:g} s",
                measured=f"{median:.2f} s, {median / beside:.1f} x `deploy` of the same change ({beside:.2f} s)",
                passed=median < _REQUIRED[what],
                how=f"{how}; median of {_ROUNDS} rounds on the embedded driver.",
            )
        )
    return found


def _table(taken: Mapping[str, Sequence[float]]) -> Table:
    return Table(
        title="A release's way",
        columns=["command", "median", "least", "greatest"],
        rows=[[f"`{name}`", *spread(times)] for name, times in taken.items()],
    )
