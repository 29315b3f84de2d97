"""Commands of whoever looks after spaces: who joined, the links to hand out, more time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context
from emulator.errors import ConfigError

if TYPE_CHECKING:
    from emulator.errors import NotReady
    from emulator.spaces.links import Link
    from emulator.spaces.listing import SpaceStatus
    from emulator.spaces.spaces import Spaces

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
all_ = click.option("--all", "is_all", is_flag=True, help="All there are.")
names = click.argument("names", nargs=-1, metavar="[SPACE]...")


def chosen(spaces: Spaces, names: Sequence[str], *, is_all: bool, with_ending: bool = False) -> Sequence[str]:
    """
    The spaces that are meant, each once.

    Args:
        with_ending: All are also those that are being removed.

    Raises:
        ConfigError: There is none of that name.
        UsageError: Neither names nor ``--all`` were given, or both.
    """
    from emulator.spaces.opening import find_space

    if bool(names) == is_all:
        raise click.UsageError("Either name spaces, or give --all.")
    listed = spaces.listed()
    for name in names:
        find_space(listed, name)
    if not is_all:
        return list(dict.fromkeys(names))
    return [name for name, space in listed.items() if with_ending or not space.is_ending]


@click.command("list")
@_json
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List the spaces; one that can't be read doesn't hide the others."""
    from emulator.cli.environments import raise_first
    from emulator.render import print_json
    from emulator.spaces.listing import SpaceStatus, statuses

    spaces = context.spaces()
    results = statuses(spaces, now=spaces.workspace.now())
    found = [row for row in results.values() if isinstance(row, SpaceStatus)]
    if as_json:
        print_json(found)
    elif found:
        _print(found)
    elif not results:
        click.echo("no spaces; `multistack space create NAME` makes one", err=True)
    if results and spaces.workspace.front.url() is None:
        told = "the proxy doesn't run, so nobody reaches a space; `multistack space wake --all` starts it"
        click.echo(told, err=True)
    raise_first(results)


def _print(found: Sequence[SpaceStatus]) -> None:
    from emulator.render import status_cell, table

    rows = [
        [
            one.space,
            status_cell(one.status),
            f"{one.ready} of {one.environments}{f', not {_listed(one.not_ready)}' if one.not_ready else ''}",
            one.driver,
            "yes" if one.is_joined else "no",
            f"{_span(one.last_request)} ago" if one.last_request is not None else "",
            str(one.failed or ""),
            _left(one),
            one.url or "",
        ]
        for one in found
    ]
    columns = ["space", "status", "ready", "driver", "joined", "last request", "failed", "expires in", "url"]
    click.echo(table(columns, rows))


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _span(seconds: float) -> str:
    from emulator.spans import show_span

    return show_span(timedelta(seconds=seconds))


def _left(one: SpaceStatus) -> str:
    if one.expires_in is None:
        return ""
    return _span(one.expires_in) if one.expires_in > 0 else "expired"


@click.command()
@names
@all_
@click.option("--new", is_flag=True, help="Make new links; what was joined by the old ones is shut out.")
@click.option("--at", metavar="URL", help="Where others reach the proxy, e.g. https://lab.example.org.")
@click.option("--csv", "as_csv", is_flag=True, help="Print space, link, page and code with commas between.")
@click.option(
    "--sheet", type=click.Path(dir_okay=False), metavar="FILE", help="Write a page to print, a card for each seat."
)
@_json
@click.pass_obj
def url(
    context: Context,
    /,
    *,
    names: Sequence[str],
    is_all: bool,
    new: bool,
    at: str | None,
    as_csv: bool,
    sheet: str | None,
    as_json: bool,
) -> None:
    """
    Print the links by which spaces are joined, once, and the codes that do the same.

    With --all those that were joined already are left out, unless --new makes them new ones.
    """
    from emulator.spaces.links import base_url, links, warning_of

    if as_csv + as_json + (sheet is not None) > 1:
        raise click.UsageError("Give one of --csv, --json and --sheet.")
    spaces = context.spaces()
    asked, base = chosen(spaces, names, is_all=is_all), base_url(spaces, at)
    if new:
        for name in asked:
            _renew(spaces, name)
    found = links(spaces, _open(spaces, asked, leaves_out=is_all), base)
    if sheet is not None:
        _write_sheet(found, sheet, service=spaces.project.service)
    else:
        _show(found, is_one=len(names) == 1, as_csv=as_csv, as_json=as_json)
    is_for_others = is_all or len(names) > 1 or at is not None
    if is_for_others and (warning := warning_of(base, domains=spaces.project.proxy.domains)):
        click.echo(f"note: {warning}", err=True)


def _renew(spaces: Spaces, name: str) -> None:
    from emulator.space_list import changed
    from emulator.spaces.opening import find_space

    with spaces.changing("space url") as write:  # of two at once each makes a generation of its own
        listed = spaces.listed()
        generation = find_space(listed, name).generation + 1
        write(changed(listed, name, generation=generation, is_joined=False))


def _open(spaces: Spaces, names: Sequence[str], *, leaves_out: bool) -> Sequence[str]:
    """Those of *names* that nobody has joined."""
    from emulator.errors import NotReady
    from emulator.spaces.listing import with_joined

    listed = with_joined(spaces)
    joined = [name for name in names if name in listed and listed[name].is_joined]
    if joined and not leaves_out:
        name = joined[0]
        raise NotReady(f"space {name} was joined already", hint=f"`multistack space url {name} --new` makes a new link")
    if joined:
        click.echo(f"left out, joined already: {', '.join(joined)}", err=True)
    return [name for name in names if name in listed and not listed[name].is_joined]


def _show(found: Sequence[Link], *, is_one: bool, as_csv: bool, as_json: bool) -> None:
    from emulator.render import print_json, table
    from emulator.spaces import links

    if as_csv:
        click.echo(links.as_csv(found), nl=False)
    elif as_json:
        print_json(found)
    elif not found:
        click.echo("no space is left to join", err=True)
    elif is_one:
        click.echo(found[0].url)
        click.echo(f"code: {found[0].code}", err=True)  # beside stdout, which scripts take for the link
    else:
        click.echo(table(["space", "code", "to join"], [[one.space, one.code, one.url] for one in found]))


def _write_sheet(found: Sequence[Link], path: str, *, service: str) -> None:
    import os
    from pathlib import Path

    from emulator.errors import file_hint
    from emulator.spaces.links import as_sheet

    try:
        # Whoever reads it may take a seat.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(as_sheet(found, service=service))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint=file_hint(error)) from error
    click.echo(Path(path))


@click.command()
@names
@all_
@click.option("--by", required=True, metavar="DURATION", help="How much longer, e.g. 30m or 2h.")
@click.pass_obj
def extend(context: Context, names: Sequence[str], is_all: bool, by: str) -> None:
    """
    Let spaces stay for longer than they were made for.

    Links and tokens that were given out stay good until the new end.
    """
    from emulator.render import table
    from emulator.spaces.extending import extend
    from emulator.spans import read_span

    try:
        span = read_span(by)
    except ValueError as error:
        raise ConfigError(f"--by must be {error}") from error
    spaces = context.spaces()
    now = spaces.workspace.now()
    ends = extend(spaces, chosen(spaces, names, is_all=is_all), span, now=now)
    rows = [[name, f"{end:%Y-%m-%d %H:%M} UTC", _span((end - now).total_seconds())] for name, end in ends.items()]
    click.echo(table(["space", "expires", "expires in"], rows))


@click.command()
@names
@all_
@click.option("--width", type=click.IntRange(1), metavar="N", help="How many start at a time; default: one per core.")
@click.option(
    "--wait", default=60.0, show_default=True, metavar="SECONDS", help="How long an emulator may take to get healthy."
)
@click.pass_obj
def wake(context: Context, names: Sequence[str], is_all: bool, width: int | None, wait: float) -> None:
    """
    Start what doesn't run of spaces: after a night, or a reboot.

    The proxy as well; one space that fails doesn't stop the others.
    """
    import os

    from emulator.cli.environments import raise_first
    from emulator.cli.hints import for_space
    from emulator.parallel import failed_of
    from emulator.spaces.sleeping import wake as wake_spaces

    spaces = context.spaces(needs_template=True)
    asked = chosen(spaces, names, is_all=is_all)
    proxy = start_proxy(spaces, "space wake")
    results = wake_spaces(spaces, asked, width=width or os.cpu_count() or 1, timeout=wait)
    done = [name for name, result in results.items() if result is True]
    if done or not failed_of(results):
        click.echo(f"awake: {', '.join(done)}" if done else "nothing was to do")
    raise_first({**{name: for_space(result, name) for name, result in results.items()}, "the proxy": proxy})


def start_proxy(spaces: Spaces, command: str) -> bool | NotReady:
    """Start the proxy; one that answers stays as somebody started it, e.g. for other machines."""
    if spaces.workspace.front.is_serving():
        return False
    with spaces.workspace.changing(command):
        return spaces.workspace.start_proxy()


COMMANDS = (list_, url, extend, wake)
"""Of the group ``space``."""
