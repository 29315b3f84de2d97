"""The page on scale, whose tables are calculated from the measured figures."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from emulator.capacity.figures import Figures, Span, read_figures
from emulator.capacity.limits import Machine, limits_of
from emulator.capacity.planning import Plan, plan
from emulator.capacity.request import Request
from emulator.capacity.starts import starts_by_width
from emulator.capacity.waves import Cluster, assumptions_of, simulate
from emulator.capacity.words import show_seconds, show_size
from emulator.cli.capacity import wave_rows
from emulator.model import Space
from emulator.space_list import SPACES_FILE, write_spaces
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs/scale.md"
_BENCHMARKS = REPOSITORY / "docs/benchmarks.md"
SIZES = (3, 9, 30, 90, 300, 900, 3000)
_EACH = 3
_MACHINE = Machine(memory=16 * 2**30, cores=4)
_MARK = re.compile(r"(<!-- table: ([a-z -]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
# What stands in no table of figures: whose they are.
_NO_FIGURES = ("driver", "sources")
_NAMES = {
    "memory_started": "memory, empty",
    "memory_deployed": "memory, deployed",
    "memory_loaded": "memory, functions running",
    "memory_peak": "memory, the emulator's most while it starts",
    "memory_command": "memory of the command, once",
    "memory_proxy": "memory of the proxy, once",
    "start": "processor time of the emulator to start",
    "deploy": "processor time of the emulator to be deployed into",
    "command_once": "processor time of the command, once",
    "command": "processor time of the command, each",
    "wait": "wait until it is placed",
    "cores_at_rest": "cores at rest",
    "request": "processor time of a request",
    "disk": "disk",
    "disk_space": "disk of a space, beside its environments",
    "image": "image, once on each machine",
    "processes": "processes, functions running",
    "threads": "threads, functions running",
}


def written(text: str) -> str:
    """The page with its tables as the figures have them now."""
    figures = read_figures()
    return _MARK.sub(lambda found: f"{found[1]}\n{_TABLES[found[2]](figures)}\n\n{found[3]}", text)


def _costs(figures: Mapping[str, Figures]) -> str:
    names = [field.name for field in fields(Figures) if field.name not in _NO_FIGURES]
    rows = [[_NAMES[name], *(_shown(name, getattr(one, name)) for one in figures.values())] for name in names]
    return _table(["one environment", *figures], rows)


def _shown(name: str, value: float | Span | None) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, Span):
        return f"{value.least:.2f} to {value.most:.2f} s" if value.most else "none"
    if name.startswith(("memory", "disk", "image")):
        return _sized(value)
    if name == "request":
        return f"{value * 1000:.1f} ms"
    return f"{value:.2f} s" if name.startswith("command") else f"{value:.4g}"


def _sources(figures: Mapping[str, Figures]) -> str:
    """Each source once, with the drivers whose figures it has."""
    drivers: dict[str, list[str]] = {}
    for name, one in figures.items():
        for source in one.sources:
            told = ", ".join(text for text in (source.how, source.at, source.machine, source.service) if text)
            drivers.setdefault(told, []).append(name)
    return "\n".join(f"- {', '.join(names)}: {told}." for told, names in drivers.items())


def _limits(figures: Mapping[str, Figures]) -> str:
    found = {name: limits_of(one, _MACHINE, environments=_EACH) for name, one in figures.items()}
    named = {limit.name: limit for limits in found.values() for limit in limits}
    rows = []
    for name, limit in sorted(named.items(), key=lambda item: item[1].most):
        cells = [next((f"{one.most:,}" for one in limits if one.name == name), "") for limits in found.values()]
        shared = "in all" if limit.is_shared else "a machine"
        rows.append([name, *cells, shared, limit.why if name != "memory" else "functions running", limit.remedy])
    return _table(["limit", *figures, "of", "where it is", "raised by"], rows)


def _plan(figures: Figures, total: int, *, machines: int = 1) -> Plan:
    return plan(
        Request(
            learners=total // _EACH,
            environments=_EACH,
            driver=figures.driver,
            machines=machines,
            machine=_MACHINE,
        ),
        figures,
    )


def _steps(driver: str) -> Callable[[Mapping[str, Figures]], str]:
    """From few environments to many: what one machine says to it, and what as many machines as it takes say."""

    def table(figures: Mapping[str, Figures]) -> str:
        return _table(
            [
                "environments",
                "memory, deployed",
                "functions running",
                "disk",
                "on one machine",
                "machines",
                "GiB and cores",
                "images pulled",
                "all up after",
            ],
            [_step(figures[driver], total) for total in SIZES],
        )

    return table


def _step(figures: Figures, total: int) -> list[str]:
    alone = _plan(figures, total)
    needs = {need.what: need.needed for need in alone.needs}
    sizes = [
        show_size(value) if (value := needs[name]) is not None else "not measured"
        for name in ("memory, deployed", "memory, functions running", "disk")
    ]
    broken = [f"{limit.name} ({limit.most:,})" for limit in alone.limits if limit.most < total]
    verdict = "fits" if alone.fits else f"breaks: {', '.join(broken)}"
    if alone.machines is None:
        return [f"{total:,}", *sizes, verdict, "no number of them", "", "", ""]
    there = _plan(figures, total, machines=alone.machines)
    bought = f"{alone.machines * _MACHINE.memory / 2**30:,.0f} GiB, {alone.machines * _MACHINE.cores:,.0f} cores"
    images = next(need.needed for need in there.needs if need.what == "images pulled")
    pulled = "not measured" if images is None else _sized(images)
    start = show_seconds(there.start.seconds) if there.start else "not measured"
    return [f"{total:,}", *sizes, verdict, f"{alone.machines:,}", bought, pulled, start]


def _sized(size: float) -> str:
    return show_size(size) if size else "none"


def _lists(_figures: Mapping[str, Figures]) -> str:
    """What the list of spaces weighs: written whole at each change, read whole by the proxy after it."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for total in SIZES:
            spaces = {
                f"learner-{number:04}": Space(
                    name=f"learner-{number:04}", number=number, at=datetime(2026, 11, 27, 8, tzinfo=UTC)
                )
                for number in range(1, total // _EACH + 1)
            }
            write_spaces(Path(name), spaces)
            size = (Path(name) / SPACES_FILE).stat().st_size
            rows.append([f"{total:,}", f"{len(spaces):,}", show_size(size), show_size(size * len(spaces) / 2)])
    return _table(["environments", "spaces", "list of spaces", "written in all while they are made, one by one"], rows)


def _waves(driver: str, *, learners: int, machines: int, cores: float) -> Callable[[Mapping[str, Figures]], str]:
    def table(figures: Mapping[str, Figures]) -> str:
        request = Request(
            learners=learners,
            environments=_EACH,
            driver=driver,
            machines=machines,
            machine=Machine(memory=_MACHINE.memory, cores=cores),
        )
        runs = starts_by_width(request, figures[driver], widest=12)
        return _table(
            ["spaces at a time", "all up after", "most memory of a machine", "start at once"], wave_rows(runs)
        )

    return table


def _held_against(figures: Mapping[str, Figures]) -> str:
    """What docs/benchmarks.md measured of one `up`, and what the simulation says to it."""
    assumed = assumptions_of(figures["embedded"])
    if assumed is None:
        return "The start was not measured."
    rows = []
    for environments, seconds in _measured_ups():
        run = simulate(1, environments, width=1, assumed=assumed, cluster=Cluster(hosts=1, cores=2))
        rows.append([str(environments), f"{seconds:.1f} s", f"{run.seconds:.1f} s", f"{run.seconds / seconds:.2f} x"])
    return _table(["environments of one project", "measured", "simulated", "to measured"], rows)


def _measured_ups() -> Iterator[tuple[int, float]]:
    text = _BENCHMARKS.read_text(encoding="utf-8").partition("### Up from nothing, by number of environments")[2]
    for found in re.finditer(r"^\| (\d+) +\| ([\d.]+) s +\|", text.partition("\n## ")[0], re.MULTILINE):
        yield int(found[1]), float(found[2])


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell or " " for cell in line) + " |" for line in lines)


_TABLES: Mapping[str, Callable[[Mapping[str, Figures]], str]] = {
    "costs": _costs,
    "sources": _sources,
    "limits": _limits,
    "embedded": _steps("embedded"),
    "localstack": _steps("localstack"),
    "swarm": _steps("swarm"),
    "kubernetes": _steps("kubernetes"),
    "lists": _lists,
    "waves embedded": _waves("embedded", learners=30, machines=1, cores=4),
    "waves swarm": _waves("swarm", learners=30, machines=3, cores=4),
    "held against": _held_against,
}
