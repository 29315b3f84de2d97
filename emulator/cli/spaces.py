"""Commands on spaces: further sets of the project's environments, one for each seat or person."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from emulator.cli import seats
from emulator.cli.context import Context
from emulator.cli.environments import check_seeds, raise_first
from emulator.cli.hints import for_space
from emulator.errors import ConfigError, MultistackError
from emulator.model import DriverName

if TYPE_CHECKING:
    from emulator.model import Quota
    from emulator.spaces.spaces import Spaces

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_names = click.argument("names", nargs=-1, required=True, metavar="SPACE...")
_DRIVERS = [driver.value for driver in DriverName if driver is not DriverName.EXTERNAL]


@click.group()
def space() -> None:
    """Give each person a set of environments of their own."""


@space.command()
@click.argument("name", required=False)
@click.option("--count", type=int, metavar="N", help="Create N of them, numbered.")
@click.option("--prefix", default="learner", show_default=True, help="What the numbered ones begin with.")
@click.option(
    "--driver", type=click.Choice(_DRIVERS), help="What runs their environments; default: as the project says."
)
@click.option("--ttl", metavar="DURATION", help="After which they may be removed, e.g. 4h, 3d; default: never.")
@click.option("--idle", metavar="DURATION", help="Without a request for so long they sleep; default: never.")
@click.option("--max-environments", type=click.IntRange(1), metavar="N", help="How many environments each may have.")
@click.option("--memory", metavar="SIZE", help="Memory for all containers of each, e.g. 2g.")
@click.option("--requests", metavar="RATE", help="Requests that the proxy takes for each, e.g. 20/s.")
@click.option("--width", type=click.IntRange(1), metavar="N", help="How many start at a time; default: one per core.")
@click.option(
    "--wait", default=60.0, show_default=True, metavar="SECONDS", help="How long an emulator may take to get healthy."
)
@click.option("--anyway", is_flag=True, help="Create more than this machine carries by the measured figures.")
@_json
@click.pass_obj
def create(
    context: Context, /, *, name: str | None, count: int | None, prefix: str, as_json: bool, **given: Any
) -> None:
    """
    Create spaces, deploy into them, print how each is joined.

    A command that was cut or failed for some goes on when it is given again.
    """
    from emulator.spaces.creating import Wanted, bring_up, register, series

    if (name is None) == (count is None):
        raise click.UsageError("Give either a NAME or --count.")
    wanted = Wanted(
        names=series(prefix, count) if count is not None else [name or ""],
        is_series=count is not None,
        driver=DriverName(given["driver"]) if given["driver"] else None,
        lifetime=_span("--ttl", given["ttl"]),
        idle=_span("--idle", given["idle"]),
        quota=_quota(given["max_environments"], given["memory"], given["requests"]),
        is_anyway=given["anyway"],
    )
    spaces = context.spaces(needs_template=True)
    chosen = register(spaces, wanted, now=spaces.workspace.now())
    width = given["width"] or os.cpu_count() or 1
    results = bring_up(spaces, chosen, width=width, timeout=given["wait"]) if chosen else {}
    proxy = seats.start_proxy(spaces, "space create")
    _print_links(spaces, wanted.names, as_json=as_json)
    raise_first({**{name: for_space(result, name) for name, result in results.items()}, "the proxy": proxy})


def _span(option: str, text: str | None) -> timedelta | None:
    from emulator.spans import read_span

    return None if text is None else _read(option, read_span, text)


def _quota(environments: int | None, memory: str | None, requests: str | None) -> Quota:
    from emulator.faults.words import read_rate
    from emulator.model import Quota
    from emulator.spans import read_memory

    return Quota(
        environments=environments,
        memory=None if memory is None else _read("--memory", read_memory, memory),
        requests=None if requests is None else _read("--requests", read_rate, requests),
    )


def _read(option: str, read: Any, text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise ConfigError(f"{option} must be {error}") from error


def _print_links(spaces: Spaces, names: Sequence[str], *, as_json: bool) -> None:
    from emulator.render import print_json, table
    from emulator.spaces.links import base_url, links
    from emulator.spaces.listing import with_joined

    listed = with_joined(spaces)
    made = [name for name in names if name in listed and listed[name].is_complete and not listed[name].is_joined]
    found = links(spaces, made, base_url(spaces, None)) if made and spaces.workspace.front.url() else []
    if as_json:
        print_json([{"space": link.space, "url": link.url} for link in found])
    elif found:
        click.echo(table(["space", "to join"], [[link.space, link.url] for link in found]))


@space.command()
@_names
@click.option(
    "--wait", default=60.0, show_default=True, metavar="SECONDS", help="How long an emulator may take to get healthy."
)
@click.pass_obj
def reset(context: Context, names: Sequence[str], wait: float) -> None:
    """Forget all data of spaces: each environment is as freshly deployed."""
    from emulator.parallel import run_parallel
    from emulator.spaces.opening import find_space
    from emulator.spaces.sleeping import woken

    spaces = context.spaces()
    listed = spaces.listed()
    chosen = {name: spaces.open(find_space(listed, name), spaces.telling(name)) for name in names}

    def again(name: str) -> bool:
        found = chosen[name]
        check_seeds(found, found.project.environments)
        with found.changing("space reset"):
            results = found.lifecycle.reset(found.project.environments, timeout=wait)
            raise_first({one: for_space(result, name) for one, result in results.items()})
            woken(found.project, found.emit)
        return True

    results = run_parallel(list(chosen), again, spaces.workspace.cancellation, width=os.cpu_count() or 1)
    _tell("reset", results)


@space.command()
@seats.names
@seats.all_
@click.option("--wakeable", is_flag=True, help="Leave those running that no request would wake, as it can't be noted.")
@click.pass_obj
def sleep(context: Context, names: Sequence[str], is_all: bool, wakeable: bool) -> None:
    """Stop the emulators of spaces until the next request for them."""
    from emulator.spaces.sleeping import put_to_sleep

    spaces = context.spaces()
    results = put_to_sleep(spaces, seats.chosen(spaces, names, is_all=is_all), only_wakeable=wakeable)
    _tell("put to sleep", results)


@space.command()
@click.argument("names", nargs=-1, metavar="[SPACE]...")
@click.option("--expired", is_flag=True, help="Those whose time is over, and those whose removal was cut.")
@click.option("--all", "is_all", is_flag=True, help="All there are.")
@click.pass_obj
def destroy(context: Context, names: Sequence[str], expired: bool, is_all: bool) -> None:
    """Remove spaces with all their data."""
    from emulator.spaces.removing import remove

    if not names and not expired and not is_all:
        raise click.UsageError("Name spaces, or give --expired or --all.")
    spaces = context.spaces()
    asked = seats.chosen(spaces, names, is_all=is_all, with_ending=True) if names or is_all else []
    _tell("removed", remove(spaces, asked, expired=spaces.workspace.now() if expired else None))


@space.command()
@click.argument("name", metavar="SPACE")
@click.option("-o", "--output", type=click.Path(file_okay=False), metavar="FOLDER", help="Default: SPACE.")
@click.option("--replace", is_flag=True, help="Replace what an earlier export wrote there.")
@click.pass_obj
def export(context: Context, name: str, output: str | None, replace: bool) -> None:
    """Write what a space's environments hold, and its history, as files to take home."""
    from pathlib import Path

    from emulator.render import json_text
    from emulator.spaces.exporting import export
    from emulator.spaces.opening import find_space

    spaces = context.spaces()
    found = spaces.open(find_space(spaces.listed(), name), spaces.workspace.emit)
    history = json_text(found.history.deployments())
    try:
        written = export(found, Path(output or name), history=history, replaces=replace)
    except MultistackError as error:
        raise for_space(error, name) from error.__cause__
    for path in written:
        click.echo(str(path))


def _tell(what: str, results: Mapping[str, bool | MultistackError]) -> None:
    from emulator.parallel import failed_of

    done = [name for name, result in results.items() if result is True]
    if done or not failed_of(results):
        click.echo(f"{what}: {', '.join(done)}" if done else "nothing was to do")
    raise_first(results)


for command in seats.COMMANDS:
    space.add_command(command)

COMMANDS = (space,)
