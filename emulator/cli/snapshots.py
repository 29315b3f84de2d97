"""Commands on whole states of environments: snapshot save, list, restore, delete, copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from emulator.bundle.meter import readable
from emulator.cli.context import Context
from emulator.cli.environments import print_status, raise_first
from emulator.errors import ConfigError, MultistackError

if TYPE_CHECKING:
    from emulator.lifecycle import UpResult
    from emulator.model import Environment
    from emulator.snapshots import Snapshot
    from emulator.workspace import Workspace

_name = click.argument("name")
_names = click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_wait = click.option(
    "--wait", default=60.0, show_default=True, metavar="SECONDS", help="How long an emulator may take to get healthy."
)


@click.group()
def snapshot() -> None:
    """Save, restore and copy the whole state of environments."""


@snapshot.command()
@_name
@_names
@click.option("--replace", is_flag=True, help="Take the place of a snapshot of that name.")
@click.pass_obj
def save(context: Context, name: str, names: Sequence[str], replace: bool) -> None:
    """Save the state of environments under a name."""
    workspace = context.workspace()
    chosen = workspace.environments(names)
    with workspace.changing("snapshot save"):
        workspace.transfer.save(name, chosen, replace=replace)
    size = sum(workspace.snapshots.size(name, environment.name) for environment in chosen)
    click.echo(f"saved {name}: {_listed(chosen)} ({readable(size)})")


@snapshot.command(name="list")
@_json
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List all snapshots."""
    from emulator.render import print_json, table

    workspace = context.workspace()
    found, errors = _all(workspace)
    sizes = [workspace.snapshots.size(one.name, one.environment) for one in found]
    if as_json:
        print_json([_row(one, size) for one, size in zip(found, sizes, strict=True)])
    elif not found and not errors:
        click.echo("no snapshots; `multistack snapshot save NAME` takes one", err=True)
    else:
        cells = [
            [
                one.name,
                one.environment,
                f"{one.at:%Y-%m-%d %H:%M:%S}",
                one.release.id if one.release else "",
                f"{one.driver} ({one.driver_version})",
                readable(size),
            ]
            for one, size in zip(found, sizes, strict=True)
        ]
        click.echo(table(["name", "environment", "taken at (UTC)", "release", "driver", "size"], cells))
    raise_first(errors)


def _all(workspace: Workspace) -> tuple[list[Snapshot], Mapping[str, MultistackError]]:
    """Every snapshot that can be read, oldest first, and what is wrong with the others."""
    found, errors = [], {}
    for name in workspace.snapshots.names():
        for environment in workspace.snapshots.environments(name):
            try:
                found.append(workspace.snapshots.find(name, environment))
            except MultistackError as error:
                errors[f"{name}/{environment}"] = error
    order = [environment.name for environment in workspace.project.environments]
    first = {name: min(one.at for one in found if one.name == name) for name in {one.name for one in found}}
    place = {name: number for number, name in enumerate(order)}
    found.sort(key=lambda one: (first[one.name], one.name, place.get(one.environment, len(order)), one.environment))
    return found, errors


def _row(one: Snapshot, size: int) -> Mapping[str, object]:
    """The keys of ``snapshot list --json``."""
    return {
        "name": one.name,
        "environment": one.environment,
        "at": one.at.isoformat(),
        "release": one.release.id if one.release else None,
        "digest": one.release.digest if one.release else None,
        "config_hash": one.release.config_hash if one.release else None,
        "driver": one.driver,
        "driver_version": one.driver_version,
        "account_id": one.account_id,
        "region": one.region,
        "size": size,
    }


@snapshot.command()
@_name
@_names
@_wait
@click.option("--yes", is_flag=True, help="Restore protected environments too.")
@_json
@click.pass_obj
def restore(context: Context, *, name: str, names: Sequence[str], wait: float, yes: bool, as_json: bool) -> None:
    """Replace the state of environments by a saved one."""
    workspace = context.workspace()
    held = workspace.snapshots.environments(name)
    known = [environment.name for environment in workspace.project.environments]
    chosen = workspace.environments(names or _known(name, held, known, workspace.project.file.name))
    # Before the question of --yes: what can't be restored needs no consent.
    workspace.transfer.find(name, chosen)
    _check_protected(chosen, yes=yes)
    with workspace.changing("snapshot restore"):
        found = workspace.transfer.find(name, chosen)
        results = workspace.transfer.restore(found, chosen, timeout=wait)
    _report(workspace, results, as_json=as_json)


def _known(name: str, held: Sequence[str], known: Sequence[str], file: str) -> list[str]:
    """The environments that a snapshot holds and the project has."""
    both = [environment for environment in held if environment in known]
    if not both:
        raise ConfigError(
            f"snapshot {name} holds no environment that {file} has",
            hint=f"it holds: {', '.join(held) or 'nothing'}; the project has: {', '.join(known)}",
        )
    if others := [environment for environment in held if environment not in known]:
        click.echo(f"snapshot {name} also holds {', '.join(others)}, which {file} does not have", err=True)
    return both


@snapshot.command()
@_name
@_names
@click.pass_obj
def delete(context: Context, name: str, names: Sequence[str]) -> None:
    """Delete a snapshot, or some environments of it."""
    workspace = context.workspace()
    workspace.snapshots.environments(name)  # a wrong name needs no lock
    with workspace.changing("snapshot delete"):
        gone = workspace.snapshots.delete(name, names)
    click.echo(f"deleted {name}: {', '.join(gone)}")


@snapshot.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@_wait
@click.option("--yes", is_flag=True, help="Copy into a protected environment too.")
@_json
@click.pass_obj
def copy(context: Context, *, source: str, target: str, wait: float, yes: bool, as_json: bool) -> None:
    """Copy the state of one environment into another."""
    workspace = context.workspace()
    (from_,), (to,) = workspace.environments([source]), workspace.environments([target])
    workspace.transfer.check_copy(from_, to)
    _check_protected([to], yes=yes)
    with workspace.changing("snapshot copy"):
        results = workspace.transfer.copy(from_, to, timeout=wait)
    _report(workspace, results, as_json=as_json)


def _check_protected(chosen: Sequence[Environment], *, yes: bool) -> None:
    protected = [environment for environment in chosen if environment.protected]
    if protected and not yes:
        others = "" if len(protected) == len(chosen) else ", or name the others"
        raise ConfigError(f"{_listed(protected)} is protected: its data would be lost", hint=f"add --yes{others}")


def _report(workspace: Workspace, results: Mapping[str, UpResult | MultistackError], *, as_json: bool) -> None:
    print_status(workspace.status(workspace.environments(list(results))), as_json=as_json)
    raise_first(results)


def _listed(environments: Sequence[Environment]) -> str:
    return ", ".join(environment.name for environment in environments)


COMMANDS = (snapshot,)
