"""Commands on environments that are made for a while: create, destroy, prune, list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context
from emulator.cli.environments import raise_first
from emulator.cli.sweeping import swept
from emulator.errors import MultistackError

if TYPE_CHECKING:
    from emulator.features.creating import Wanted
    from emulator.features.listing import CreatedStatus

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("name", required=False)
@click.option("--like", required=True, metavar="ENVIRONMENT", help="Whose driver, region, config and settings it has.")
@click.option(
    "--from-branch",
    "branch",
    is_flag=False,
    flag_value="",
    metavar="[BRANCH]",
    help="Make its name from a git branch; default: the one checked out.",
)
@click.option("--ttl", metavar="DURATION", help="After which it is removed, e.g. 30m, 2h, 3d; default: never.")
@click.option("--release", metavar="RELEASE", help="Id of a release, or a digest; default: what the other one serves.")
@click.option(
    "--wait", default=60.0, show_default=True, metavar="SECONDS", help="How long its emulator may take to get healthy."
)
@click.pass_obj
def create(context: Context, /, *, name: str | None, branch: str | None, wait: float, **given: str | None) -> None:
    """Create an environment for a while, deploy into it, print its name."""
    from emulator.events import Event
    from emulator.features.creating import bring_up, register

    if (name is None) == (branch is None):
        raise click.UsageError("Give either a NAME or --from-branch.")
    wanted = _wanted(context, name, branch, given)
    workspace = context.workspace(expected=_expected(wanted))
    workspace = swept(workspace, "create", reopen=lambda: context.workspace(expected=_expected(wanted)))
    chosen = register(workspace, wanted, now=workspace.now())
    try:
        workspace = context.workspace(needs_template=True)
        bring_up(workspace, chosen, is_asked=wanted.release is not None, timeout=wait)
    except BaseException:
        detail = f"`multistack up {chosen}` goes on with it, `multistack destroy {chosen}` removes it"
        workspace.emit(Event(chosen, "unfinished:", detail))
        raise
    click.echo(chosen)


def _wanted(context: Context, name: str | None, branch: str | None, given: Mapping[str, str | None]) -> Wanted:
    from emulator.branches import current_branch
    from emulator.errors import ConfigError
    from emulator.features.creating import Wanted
    from emulator.spans import read_span

    if branch == "":
        file = context.file or context.caller_environ().get("MULTISTACK_FILE")
        branch = current_branch(Path(file).parent if file else Path.cwd())
    ttl = given["ttl"]
    try:
        lifetime = read_span(ttl) if ttl is not None else None
    except ValueError as error:
        raise ConfigError(f"--ttl must be {error}") from error
    return Wanted(like=given["like"] or "", name=name, branch=branch, lifetime=lifetime, release=given["release"])


def _expected(wanted: Wanted) -> Sequence[str]:
    """The name that its variables may have already."""
    from emulator.environment_names import name_of_branch

    return [wanted.name or name_of_branch(wanted.branch or "", taken=())]


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="ENVIRONMENT...")
@click.pass_obj
def destroy(context: Context, names: Sequence[str]) -> None:
    """Remove created environments with all their data."""
    from emulator.created import read_created
    from emulator.features.removing import check_destroyable, remove

    workspace = context.workspace()
    check_destroyable(workspace.project, read_created(workspace.project.state), names)
    results = remove(workspace, dict.fromkeys(names, ""), command="destroy")
    _tell(results)


@click.command()
@click.pass_obj
def prune(context: Context) -> None:
    """Remove created environments whose time is over."""
    from emulator.features.removing import sweep

    workspace = context.workspace()
    _tell(sweep(workspace, command="prune", now=workspace.now()))


def _tell(results: Mapping[str, bool | MultistackError]) -> None:
    removed = [name for name, result in results.items() if result is True]
    click.echo(f"removed {', '.join(removed)}" if removed else "nothing was removed")
    raise_first(results)


@click.command("list")
@_json
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List the created environments."""
    from emulator.features.listing import statuses
    from emulator.render import print_json

    workspace = context.workspace()
    found = statuses(workspace, now=workspace.now())
    if as_json:
        print_json(found)
    elif not found:
        click.echo("no created environments; `multistack create NAME --like ENVIRONMENT` makes one", err=True)
    else:
        _print(found)


def _print(found: Sequence[CreatedStatus]) -> None:
    from emulator.render import status_cell, table

    rows = [
        [
            one.environment,
            one.like,
            one.release or "",
            f"{one.created:%Y-%m-%d %H:%M}",
            _left(one),
            status_cell(one.status),
        ]
        for one in found
    ]
    click.echo(table(["environment", "like", "release", "created (UTC)", "expires in", "status"], rows))


def _left(one: CreatedStatus) -> str:
    from datetime import timedelta

    from emulator.spans import show_span

    if one.expires_in is None:
        return ""
    return show_span(timedelta(seconds=one.expires_in)) if one.expires_in > 0 else "expired"


COMMANDS = (create, destroy, list_, prune)
