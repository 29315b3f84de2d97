"""Commands on the service: init, deploy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context
from emulator.cli.environments import raise_first
from emulator.errors import MultistackError

if TYPE_CHECKING:
    from emulator.deploy import DeployResult
    from emulator.model import Environment
    from emulator.workspace import Workspace


@click.command()
@click.option("--service", metavar="NAME", help="Name of the service; default: the folder's.")
@click.option("--template", type=click.Path(path_type=Path), help="Template; default: the template.yaml here.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def init(service: str | None, template: Path | None, yes: bool) -> None:
    """Write a multistack.toml next to an existing template."""
    import sys

    from emulator.init import write_project_file

    folder = template.parent if template else Path.cwd()
    if not yes and sys.stdin.isatty():
        click.confirm(f"Write {folder / 'multistack.toml'} with environments test, staging and prod?", abort=True)
    written = write_project_file(folder, service=service, template=template and template.absolute())
    fill_in = "fill in what it asks for, then " if "# fill in:" in written.read_text(encoding="utf-8") else ""
    click.echo(f"wrote {written}; next: {fill_in}multistack up")


@click.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--dry-run", is_flag=True, help="Print the change sets and deploy nothing.")
@click.option("--skip-unsupported", is_flag=True, help="Leave out resource types that the emulator does not know.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def deploy(context: Context, names: Sequence[str], dry_run: bool, skip_unsupported: bool, as_json: bool) -> None:
    """Build the service once and deploy it into environments."""
    workspace = context.workspace(needs_template=True)
    chosen = workspace.environments(names)
    with workspace.changing("deploy"):
        results = _deploy_all(workspace, chosen, dry_run=dry_run, skip_unsupported=skip_unsupported)
    _print(results, as_json=as_json)
    raise_first(results)


def _deploy_all(
    workspace: Workspace, chosen: Sequence[Environment], *, dry_run: bool, skip_unsupported: bool
) -> Mapping[str, DeployResult | MultistackError]:
    """Everything that can be wrong before a deployment is found before the first one starts."""
    from emulator.parallel import run_parallel
    from emulator.release import check_config, make_release

    by_name = {environment.name: environment for environment in chosen}
    endpoints = {name: workspace.endpoint(name) for name in by_name}
    artifact = workspace.build()
    for environment in chosen:
        check_config(workspace.project, artifact, environment.name, environment.config)
    return run_parallel(
        list(by_name),
        lambda name: workspace.deployer.deploy(
            by_name[name],
            endpoints[name],
            artifact,
            make_release(artifact, by_name[name].config),
            skip_unsupported=skip_unsupported,
            dry_run=dry_run,
        ),
        workspace.cancellation,
    )


def _print(results: Mapping[str, DeployResult | MultistackError], *, as_json: bool) -> None:
    from emulator.render import print_json, table

    done = {name: result for name, result in results.items() if not isinstance(result, MultistackError)}
    if as_json:
        print_json(list(done.values()))
        return
    for name, result in done.items():
        if not result.changes:
            click.echo(f"{name}: no changes ({result.release.id})")
        elif result.is_dry_run:
            click.echo(f"{name}: would deploy {result.release.id}")
            rows = [
                [change.action, change.logical_id, change.type, "yes" if change.replacement else ""]
                for change in result.changes
            ]
            click.echo(table(["action", "resource", "type", "replaced"], rows) + "\n")
        else:
            click.echo(f"{name}: deployed {result.release.id} (digest {result.release.digest[:12]})")
        for resource in result.skipped:
            click.echo(f"{name}: left out {resource}")


COMMANDS = (init, deploy)
