"""What a set of environments costs, from one to five of them: the figures of `multistack capacity`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from emulator.capacity.figures import Figures, Source, Span, record
from tests.benchmarks.figures import MB, Figure, Result, Table, say
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.memory import measure_proxy
from tests.benchmarks.sample import fresh_project
from tests.benchmarks.sets import REQUESTS
from tests.conftest import REPOSITORY

_SETS = (1, 3, 5)
_ROUNDS = 3
_TOLERANCE = 1.2
_TIMEOUT = 600.0
Run = Mapping[str, Any]


def run() -> Result:
    """Measure, and record: what was measured is part of the package, with the machine and the day."""
    machine = describe_machine()
    runs: dict[int, list[Run]] = {count: [] for count in _SETS}
    for number in range(_ROUNDS):
        for count in _SETS:
            runs[count].append(_measure(count))
            say(f"capacity {number + 1}/{_ROUNDS}: {count} sets, {_per(runs[count][-1], 'loaded') / MB:.0f} MB each")
    record(_figures(runs, machine, proxy=measure_proxy()))
    return Result(title="Sets of environments", figures=list(_verdicts(runs)), tables=[_table(runs)])


def _measure(count: int) -> Run:
    with fresh_project() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.sets", str(count)],
            cwd=folder.folder,
            env={**folder.command_environ(), "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{count} sets: {done.stderr}")
    return dict(json.loads(done.stdout))


def _per(one: Run, phase: str, what: str = "proportional") -> float:
    """What an environment had of it, or spent on it."""
    return float(one[phase][what]) / float(one["environments"])


def _all(runs: Mapping[int, Sequence[Run]]) -> list[Run]:
    return [one for several in runs.values() for one in several]


def _most(runs: Mapping[int, Sequence[Run]], phase: str, what: str = "proportional") -> float:
    """Of any run: whoever plans with it has no less than what was seen."""
    return max(_per(one, phase, what) for one in _all(runs))


def _span(runs: Mapping[int, Sequence[Run]], phase: str) -> Span:
    seconds = [_per(one, phase, "emulators") for one in _all(runs)]
    return Span(round(min(seconds), 3), round(max(seconds), 3))


def _command(runs: Mapping[int, Sequence[Run]]) -> tuple[float, float]:
    """Seconds of the command, once and for each environment: a line through the medians of the least and the most."""
    few, many = (
        statistics.median(sum(one[phase]["command"] for phase in ("start", "build", "deploy")) for one in runs[count])
        for count in (_SETS[0], _SETS[-1])
    )
    first, last = (float(runs[count][0]["environments"]) for count in (_SETS[0], _SETS[-1]))
    each = (many - few) / (last - first)
    return max(0.0, few - each * first), each


def _figures(runs: Mapping[int, Sequence[Run]], machine: Mapping[str, str], *, proxy: float) -> Figures:
    command_once, command = _command(runs)
    everyone = _all(runs)
    values: dict[str, Any] = {
        "memory_started": round(_most(runs, "started")),
        "memory_deployed": round(_most(runs, "deployed")),
        "memory_loaded": round(_most(runs, "loaded")),
        "memory_peak": max(one["peak"] for one in everyone),
        "memory_command": max(one["command"] for one in everyone),
        "memory_proxy": round(proxy),
        "start": _span(runs, "start"),
        "deploy": _span(runs, "deploy"),
        "command_once": round(command_once, 3),
        "command": round(command, 3),
        "wait": Span(0.0, 0.0),  # nothing has to be placed on another machine
        "cores_at_rest": round(max(_per(one, "idle", "emulators") / one["idle"]["seconds"] for one in everyone), 5),
        "request": round(statistics.median(_per(one, "requests", "emulators") / REQUESTS for one in everyone), 5),
        "disk": round(max(one["disk"]["environments"] / one["environments"] for one in everyone)),
        "disk_space": round(max((one["disk"]["artifacts"] + one["disk"]["rest"]) / one["sets"] for one in everyone)),
        "image": 0,
        "processes": round(_most(runs, "loaded", "processes"), 2),
        "threads": round(_most(runs, "loaded", "threads"), 2),
    }
    source = Source(
        how=f"python -m tests.benchmarks capacity at commit {machine['commit']}, {' and '.join(map(str, _SETS))} sets"
        f" of three environments, {_ROUNDS} rounds; memory is what the kernel shares out (PSS); "
        f"busy with other work before the start: {machine['busy before the start']}",
        at=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=f"{machine['CPU']}, {machine['memory']}, {machine['kernel']}, Python {machine['Python']}",
        service="the sample service",
        figures=tuple(values),
    )
    return Figures(driver="embedded", sources=(source,), **values)


def _verdicts(runs: Mapping[int, Sequence[Run]]) -> Iterator[Figure]:
    how = (
        f"sets of three environments of the sample, each with a home of its own, {_ROUNDS} rounds in turn: what an "
        f"environment takes among {_SETS[-1]} sets, to what it takes in one; the least of all rounds, as other work "
        "on the machine makes it more."
    )
    for name, phase, what in (
        ("memory per environment, functions running", "loaded", "proportional"),
        ("processor time per environment, start", "start", "emulators"),
        ("processor time per environment, deploy", "deploy", "emulators"),
    ):
        few, many = (min(_per(one, phase, what) for one in runs[count]) for count in (_SETS[0], _SETS[-1]))
        yield Figure(
            name=f"{name}, {_SETS[-1]} sets to 1",
            required=f"<= {_TOLERANCE} x",
            measured=f"{many / few:.2f} x",
            passed=many / few <= _TOLERANCE,
            how=how,
        )


def _table(runs: Mapping[int, Sequence[Run]]) -> Table:
    def median(count: int, phase: str, what: str) -> float:
        return statistics.median(_per(one, phase, what) for one in runs[count])

    rows = [
        [
            str(count),
            str(runs[count][0]["environments"]),
            *(f"{median(count, phase, 'proportional') / MB:.0f} MB" for phase in ("started", "deployed", "loaded")),
            f"{median(count, 'loaded', 'resident') / MB:.0f} MB",
            *(f"{median(count, phase, 'emulators'):.2f} s" for phase in ("start", "deploy")),
            f"{median(count, 'deploy', 'command') + median(count, 'start', 'command'):.2f} s",
        ]
        for count in runs
    ]
    return Table(
        title="One environment, by number of sets",
        columns=[
            "sets",
            "environments",
            "empty",
            "deployed",
            "functions running",
            "the same, resident",
            "start",
            "deploy",
            "command",
        ],
        rows=rows,
        note="Memory as the kernel shares it out (PSS), but for one column: processes of functions are forked from "
        "one, and each counts what they share. Start, deploy and command are seconds of processor time; the command "
        "starts all sets, so that what it does once is in the first row's most.",
    )
