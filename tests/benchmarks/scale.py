"""Figure 5: whether the thirtieth environment costs what the third one did."""

from __future__ import annotations

import json
import statistics
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from emulator.process import read_record
from tests.benchmarks.figures import MB, Figure, Result, Table, say
from tests.benchmarks.sample import fresh_project
from tests.conftest import ProjectFolder

_SIZES = (3, 10, 30)
_ROUNDS = 2
_TOLERANCE = 1.2
_TIMEOUT = 300.0
# What one environment may need while it starts, so that a small machine is not driven into swapping.
_ROOM = 120 * MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """``up`` of so many environments: seconds for all, MB of all emulators."""

    count: int
    seconds: float
    resident: float


def run() -> Result:
    """Measure each size in turn; sizes that this machine has no memory for are left out."""
    sizes = [count for count in _SIZES if count * _ROOM < psutil.virtual_memory().available]
    measured: dict[int, list[Sized]] = {count: [] for count in sizes}
    for number in range(_ROUNDS):
        for count in sizes:
            sized = _up(count)
            measured[count].append(sized)
            say(f"scale {number + 1}/{_ROUNDS}: {count} environments in {sized.seconds:.1f} s, {sized.resident:.0f} MB")
    medians = [
        Sized(
            count=count,
            seconds=statistics.median(each.seconds for each in runs),
            resident=statistics.median(each.resident for each in runs),
        )
        for count, runs in measured.items()
    ]
    return Result(title="Many environments", figures=_figures(medians), tables=[_table(medians)])


def _up(count: int) -> Sized:
    with fresh_project() as folder:
        _write_project(folder, count)
        started = time.monotonic()
        folder.run("up", "--wait=240", timeout=_TIMEOUT)
        seconds = time.monotonic() - started
        state = folder.folder / ".multistack" / "environments"
        records = [record for each in state.iterdir() if (record := read_record(each))]
        if len(records) != count:
            raise RuntimeError(f"{len(records)} of {count} environments run")
        resident = sum(psutil.Process(record.process.pid).memory_info().rss for record in records) / MB
    return Sized(count=count, seconds=seconds, resident=resident)


def _write_project(folder: ProjectFolder, count: int) -> None:
    """The sample's project with as many environments, each with an account of its own and the first one's config."""
    file = folder.folder / "multistack.toml"
    project = tomllib.loads(file.read_text())
    config = next(iter(project["environments"].values()))["config"]
    lines = [f"{key} = {json.dumps(value)}" for key, value in project.items() if not isinstance(value, Mapping)]
    for number in range(1, count + 1):
        lines += [f"[environments.e{number:02}]", f'account_id = "{number:012}"', f"[environments.e{number:02}.config]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in config.items()]
    file.write_text("\n".join(lines) + "\n")


def _figures(medians: Sequence[Sized]) -> list[Figure]:
    first, last = medians[0], medians[-1]
    how = (
        f"`multistack up` of {', '.join(str(each.count) for each in medians)} environments of the sample from nothing, "
        f"medians of {_ROUNDS} runs; what one costs among the most, to what one costs among the fewest."
    )
    ratios = {
        "time": (last.seconds / last.count) / (first.seconds / first.count),
        "memory": (last.resident / last.count) / (first.resident / first.count),
    }
    complete = last.count == _SIZES[-1]
    return [
        Figure(
            name=f"{what} per environment, {last.count} to {first.count} environments",
            required=f"<= {_TOLERANCE} x",
            measured=f"{ratio:.2f} x" if complete else f"{ratio:.2f} x; no memory for {_SIZES[-1]}",
            passed=ratio <= _TOLERANCE if complete else None,
            how=how,
        )
        for what, ratio in ratios.items()
    ]


def _table(medians: Sequence[Sized]) -> Table:
    rows = []
    for before, each in zip([None, *medians], medians, strict=False):
        further = (each.seconds - before.seconds) / (each.count - before.count) if before else None
        rows.append(
            [
                str(each.count),
                f"{each.seconds:.1f} s",
                f"{each.seconds / each.count:.2f} s",
                f"{further:.2f} s" if further is not None else "",
                f"{each.resident / each.count:.0f} MB",
            ]
        )
    return Table(
        title="Up from nothing, by number of environments",
        columns=["environments", "time", "per environment", "each further one", "memory per environment"],
        rows=rows,
        note="Memory is that of the emulators; no function has run. What `up` costs once is in the time per "
        "environment, and not in that of each further one.",
    )
