"""The command on what environments need of machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from emulator.errors import ConfigError

if TYPE_CHECKING:
    from emulator.capacity.limits import Machine
    from emulator.capacity.planning import Need, Plan
    from emulator.capacity.waves import Started

T = TypeVar("T")


@click.command()
@click.option("--learners", type=int, required=True, metavar="N", help="How many spaces, one for each person.")
@click.option("--environments", type=int, default=3, show_default=True, metavar="N", help="How many each has.")
@click.option("--driver", default="embedded", show_default=True, metavar="NAME", help="What runs them.")
@click.option("--machines", type=int, default=1, show_default=True, metavar="N", help="How many machines there are.")
@click.option("--memory", metavar="SIZE", help="Of each, e.g. 16GiB; default: what this one has.")
@click.option("--cores", type=float, metavar="N", help="Of each; default: what this one has.")
@click.option("--bandwidth", metavar="RATE", help="With which each pulls images, e.g. 100Mbit/s.")
@click.option("--width", type=int, metavar="N", help="How many spaces start at a time; default: one per core.")
@click.option("--waves", type=int, metavar="N", help="Show the start with 1 to N spaces at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def capacity(
    *,
    learners: int,
    environments: int,
    driver: str,
    machines: int,
    memory: str | None,
    cores: float | None,
    bandwidth: str | None,
    width: int | None,
    waves: int | None,
    as_json: bool,
) -> None:
    """
    Say what so many learners need of machines.

    From figures that were measured once; nothing is started or asked.
    """
    from emulator.capacity.figures import figures_of
    from emulator.capacity.planning import plan
    from emulator.capacity.request import Request
    from emulator.capacity.starts import starts_by_width
    from emulator.render import print_json

    figures = figures_of(driver)
    request = Request(
        learners=learners,
        environments=environments,
        driver=driver,
        machines=machines,
        machine=_machine(memory, cores, bandwidth),
        width=width,
    )
    found = plan(request, figures)
    runs = starts_by_width(request, figures, widest=waves) if waves is not None else []
    if as_json:
        print_json(_plain(found, runs))
        return
    for line in _lines(found, runs):
        click.echo(line)


def _machine(memory: str | None, cores: float | None, bandwidth: str | None) -> Machine:
    """As given; what isn't is taken from this one, which is asked for nothing else."""
    from emulator.capacity.limits import Machine
    from emulator.capacity.machine import own_cores, own_memory
    from emulator.capacity.words import read_rate, read_size

    return Machine(
        memory=own_memory() if memory is None else _read("--memory", read_size, memory),
        cores=own_cores() if cores is None else cores,
        bandwidth=None if bandwidth is None else _read("--bandwidth", read_rate, bandwidth),
    )


def _read(option: str, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise ConfigError(f"{option} must be {error}") from error


def _plain(found: Plan, runs: Sequence[Started]) -> dict[str, object]:
    from emulator.capacity.waves import best_of

    request = found.request
    return {
        "learners": request.learners,
        "environments": request.total,
        "driver": request.driver,
        "machines": request.machines,
        "memory": request.machine.memory,
        "cores": request.machine.cores,
        "fits": found.fits,
        "learners_that_fit": found.learners,
        "machines_needed": found.machines,
        "needs": found.needs,
        "limits": [{"limit": limit, "environments": limit.over(request.machines)} for limit in found.limits],
        "requests_per_second": found.requests,
        "first_limit": found.first.name,
        "start": found.start,
        "start_is_in_proportion": found.is_start_scaled,
        "waves": runs,
        "best_width": best_of(runs).width if runs else None,
        "unknown": found.unknown,
        "figures_from": found.sources,
    }


def _lines(found: Plan, runs: Sequence[Started]) -> Iterator[str]:
    from emulator.render import table

    yield _title(found)
    yield ""
    yield table(["what", "needed", "there is"], [_need_row(need) for need in found.needs])
    yield ""
    machines = found.request.machines
    rows = [[limit.name, f"{limit.over(machines):,}", limit.why, limit.remedy] for limit in found.limits]
    yield table(["limit", "environments", "where it is", "raised by"], rows)
    yield ""
    if runs:
        yield from _wave_lines(runs)
        yield ""
    yield _verdict(found)
    yield from _remarks(found)


def _title(found: Plan) -> str:
    from emulator.capacity.words import show_size

    request = found.request
    cores = request.machine.cores
    each = f"{show_size(request.machine.memory)} and {cores:g} {'core' if cores == 1 else 'cores'}"
    machines = f"one machine of {each}" if request.machines == 1 else f"{request.machines:,} machines of {each} each"
    spaces = f"{_counted(request.learners, 'space')} of {request.environments}"
    environments = f"{_counted(request.total, 'environment')} ({spaces})"
    return f"{environments} on driver {request.driver}, on {machines}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _need_row(need: Need) -> Sequence[str]:
    known = need.needed is not None
    return [need.what, _shown(need.needed, need.unit) if known else "unknown", _shown(need.there, need.unit)]


def _shown(value: float | None, unit: str) -> str:
    from emulator.capacity.words import show_seconds, show_size

    if value is None:
        return ""
    if unit == "bytes":
        return show_size(value) if value else "none"
    if unit == "seconds":
        return show_seconds(value)
    return f"{value:,.1f}" if unit == "cores" else f"{value:,.0f}"


def _wave_lines(runs: Sequence[Started]) -> Iterator[str]:
    from emulator.render import table

    yield table(["spaces at a time", "all up after", "most memory of a machine", "start at once"], wave_rows(runs))


def wave_rows(runs: Sequence[Started]) -> list[Sequence[str]]:
    """The start with each width as cells: spaces at a time, time, memory, environments that start at once."""
    from emulator.capacity.waves import best_of
    from emulator.capacity.words import show_seconds, show_size

    best = best_of(runs).width
    return [
        [
            f"{run.width}{' (best)' if run.width == best else ''}",
            show_seconds(run.seconds),
            show_size(run.peak_memory),
            str(run.peak_concurrency),
        ]
        for run in runs
    ]


def _verdict(found: Plan) -> str:
    told = f"at most {_counted(found.learners, 'learner')}, what ends first: {found.first.name}"
    if found.fits:
        return f"it fits: {told}"
    if found.machines is None:
        return f"it does not fit: {told}; more of these machines don't help"
    return f"it does not fit: {told}; {found.machines:,} such machines carry all"


def _remarks(found: Plan) -> Iterator[str]:
    from emulator.capacity.figures import said_of
    from emulator.capacity.request import width_of

    if found.start:
        left_out = [name for name in ("image", "wait") if name in found.unknown]
        if found.start.pulled and not found.request.machine.bandwidth:
            left_out.append("image (give --bandwidth)")
        scaled = ", in proportion to fewer" if found.is_start_scaled else ""
        without = f", without {' and '.join(left_out)}" if left_out else ""
        yield f"time to start: by simulation, {width_of(found.request):,} spaces at a time{scaled}{without}"
    if found.requests:
        yield f"requests: all cores together answer about {found.requests:,.0f} a second of the sample service's"
    if found.unknown:
        yield f"not measured, and in no sum: {', '.join(name.replace('_', ' ') for name in found.unknown)}"
    for line in said_of(found.sources):
        yield f"figures: {line}"


COMMANDS = (capacity,)
