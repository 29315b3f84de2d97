"""Commands on an environment's data as files: seed, export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context
from emulator.cli.environments import raise_first
from emulator.errors import ConfigError, MultistackError

if TYPE_CHECKING:
    from emulator.seeds.seeding import Seeded


@click.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--yes", is_flag=True, help="Seed protected environments too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def seed(context: Context, names: Sequence[str], *, yes: bool, as_json: bool) -> None:
    """
    Put the project's seed files into environments; what is there already stays as it is.

    Items, objects and parameters that differ are overwritten, others are not touched, messages are sent once.
    """
    from emulator.parallel import run_parallel
    from emulator.render import print_json, table
    from emulator.seeds.folders import read_seed
    from emulator.seeds.seeding import sow

    workspace = context.workspace()
    project = workspace.project
    chosen = [one for one in workspace.environments(names) if one.seeds or names]
    if lacking := [one.name for one in chosen if not one.seeds] or ([] if chosen else ["any environment"]):
        raise ConfigError(
            f"{project.file.name} has no seed for {', '.join(lacking)}", hint='name folders: [seed] folders = ["seeds"]'
        )
    protected = [one.name for one in chosen if one.protected]
    if protected and not yes:
        raise ConfigError(
            f"{', '.join(protected)} is protected: its data would be overwritten", hint="add --yes, or name the others"
        )
    read = {one.name: read_seed(one.seeds, root=project.root) for one in chosen}
    endpoints = {one.name: workspace.endpoint(one.name) for one in chosen}

    def put(name: str) -> Sequence[Seeded]:
        workspace.history.check_turn()
        return sow(endpoints[name], project.stack_name(name), read[name])

    with workspace.changing("seed"):
        results = run_parallel(list(read), put, workspace.cancellation)
    rows = [one for result in results.values() if not isinstance(result, MultistackError) for one in result]
    if as_json:
        print_json(rows)
    elif rows:
        cells = [[one.environment, one.resource, one.kind, str(one.total), str(one.written)] for one in rows]
        click.echo(table(["environment", "resource", "kind", "in the seed", "written"], cells))
    raise_first(results)


@click.command()
@click.argument("name", metavar="ENVIRONMENT")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write into this folder; default: seeds/ENVIRONMENT.",
)
@click.option("--replace", is_flag=True, help="Replace what an earlier export wrote there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def export(context: Context, name: str, *, output: Path | None, replace: bool, as_json: bool) -> None:
    """Write an environment's tables, buckets, queues and parameters as seed files."""
    from emulator.render import print_json, table
    from emulator.seeds.exporting import export

    workspace = context.workspace()
    endpoint = workspace.endpoint(name)
    folder = output or Path("seeds") / name
    done = export(endpoint, workspace.project.stack_name(name), folder, replaces=replace)
    if as_json:
        print_json(done)
        return
    rows = [[one.resource, one.kind, str(one.total), str(one.path or "")] for one in done]
    click.echo(table(["resource", "kind", "exported", "to"], rows))
    for one in done:
        for left_out in one.left_out:
            click.echo(f"left out of {one.resource}: {left_out}", err=True)


COMMANDS = (seed, export)
