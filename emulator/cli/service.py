"""Commands on the service: init, deploy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context
from emulator.cli.environments import raise_first
from emulator.errors import MultistackError, PromotionRefused

if TYPE_CHECKING:
    from emulator.deploy import DeployResult
    from emulator.model import Environment
    from emulator.promotion.promotion import Promoted
    from emulator.stack import Change
    from emulator.workspace import Workspace


@click.command()
@click.option("--service", metavar="NAME", help="Name of the service; default: the folder's.")
@click.option(
    "--template", type=click.Path(path_type=Path), help="Its file; default: the template here, or a framework's."
)
@click.option("--yes", is_flag=True, help="Ask nothing.")
def init(service: str | None, template: Path | None, yes: bool) -> None:
    """Write a multistack.toml next to an existing service."""
    import sys
    import tomllib

    from emulator.frameworks.registry import project_folder, reader_of
    from emulator.init import write_project_file

    folder = project_folder(template) if template else Path.cwd()
    if not yes and sys.stdin.isatty():
        click.confirm(f"Write {folder / 'multistack.toml'} with environments test, staging and prod?", abort=True)
    written = write_project_file(folder, service=service, template=template and template.absolute())
    text = written.read_text(encoding="utf-8")
    framework = reader_of(written.parent / tomllib.loads(text)["template"]).name
    fill_in = "fill in what it asks for, then " if "# fill in:" in text else ""
    click.echo(f"found a {framework} service; wrote {written}; next: {fill_in}multistack up")


@click.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--artifact", metavar="DIGEST", help="Deploy this stored artifact, and build nothing.")
@click.option("--canary", "share", metavar="SHARE", help="Give it a share of the calls only, e.g. 10%.")
@click.option("--verify", is_flag=True, help="Run the service's checks and smoke tests afterwards.")
@click.option("--dry-run", is_flag=True, help="Print the change sets and deploy nothing.")
@click.option("--skip-unsupported", is_flag=True, help="Leave out resource types that the emulator does not know.")
@click.option("--no-wait", is_flag=True, help="Fail instead of waiting for another command.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def deploy(
    context: Context,
    *,
    names: Sequence[str],
    artifact: str | None,
    share: str | None,
    verify: bool,
    dry_run: bool,
    skip_unsupported: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Build the service once and deploy it into environments."""
    workspace = context.workspace(needs_template=artifact is None)
    chosen = workspace.environments(names)
    if share is not None and (len(names) != 1 or verify or skip_unsupported):
        raise click.UsageError("--canary takes one ENVIRONMENT, without --verify and --skip-unsupported.")
    failed: list[str] = []
    with workspace.changing("deploy", wait=not no_wait):
        if verify:
            _check_verifiable(workspace, names=[environment.name for environment in chosen])
        if share is not None:
            results = _deploy_canary(workspace, names[0], artifact, share, dry_run=dry_run)
        else:
            results = _deploy_all(workspace, chosen, artifact, dry_run=dry_run, skip_unsupported=skip_unsupported)
        _print(results, as_json=as_json, verb=f"gives {share} of the calls to" if share else "deployed")
        if verify and not dry_run:
            failed = _verify(workspace, results, as_json=as_json)
    raise_first(results)
    if failed:
        raise PromotionRefused(
            f"{', '.join(failed)} did not pass its verification", hint="the new release serves nevertheless"
        )


def _deploy_all(
    workspace: Workspace,
    chosen: Sequence[Environment],
    digest: str | None,
    *,
    dry_run: bool,
    skip_unsupported: bool,
) -> Mapping[str, DeployResult | MultistackError]:
    """Everything that can be wrong before a deployment is found before the first one starts."""
    from emulator.parallel import run_parallel

    by_name = {environment.name: environment for environment in chosen}
    endpoints = {name: workspace.endpoint(name) for name in by_name}
    artifact = workspace.store.open(workspace.store.find(digest)) if digest is not None else workspace.build()
    releases = {environment.name: workspace.releases.make(artifact, environment) for environment in chosen}
    return run_parallel(
        list(by_name),
        lambda name: workspace.deployer.deploy(
            by_name[name],
            endpoints[name],
            artifact,
            releases[name],
            skip_unsupported=skip_unsupported,
            dry_run=dry_run,
        ),
        workspace.cancellation,
    )


def _check_verifiable(workspace: Workspace, *, names: Sequence[str]) -> None:
    """Nothing is deployed that then can't be verified."""
    from emulator.promotion.promotion import Promotion

    for name in names:
        Promotion(workspace).check_verifiable(name)


def _verify(workspace: Workspace, results: Mapping[str, DeployResult | MultistackError], *, as_json: bool) -> list[str]:
    """Verify what was deployed, and promote it where the project says so; returns what did not pass."""
    from emulator.model import GateResult
    from emulator.promotion.promotion import Promotion

    promotion, failed = Promotion(workspace), []
    workspace.publish()  # the proxy must know the new release's APIs
    for name in (name for name, result in results.items() if not isinstance(result, MultistackError)):
        if all(gate.result is GateResult.PASSED for gate in promotion.verify(name)):
            for promoted in promotion.promote_on(name):
                if not as_json:
                    print_promoted([promoted])
        else:
            failed.append(name)
    return failed


def _deploy_canary(
    workspace: Workspace, name: str, digest: str | None, share: str, *, dry_run: bool
) -> Mapping[str, DeployResult | MultistackError]:
    from emulator.canary.canaries import Canaries, read_share

    weight = read_share(share)
    artifact = workspace.store.open(workspace.store.find(digest)) if digest is not None else workspace.build()
    return {name: Canaries(workspace).start(name, artifact, weight, dry_run=dry_run)}


def _print(results: Mapping[str, DeployResult | MultistackError], *, as_json: bool, verb: str) -> None:
    from emulator.render import print_json

    done = {name: result for name, result in results.items() if not isinstance(result, MultistackError)}
    if as_json:
        print_json(list(done.values()))
        return
    for name, result in done.items():
        if not result.changes:
            click.echo(f"{name}: no changes ({result.release.id})")
        elif result.is_dry_run:
            click.echo(f"{name}: would deploy {result.release.id}")
            click.echo(changes_table(result.changes) + "\n")
        else:
            click.echo(f"{name}: {verb} {result.release.id} (digest {result.release.digest[:12]})")
        for resource in result.skipped:
            click.echo(f"{name}: left out {resource}")


def print_promoted(done: Sequence[Promoted]) -> None:
    """A line for each."""
    for one in done:
        said = f"promoted {one.release} from {one.promoted_from}" if one.is_new else f"serves {one.release} already"
        click.echo(f"{one.environment}: {said} (digest {one.digest[:12]})")


def changes_table(changes: Sequence[Change]) -> str:
    """What a change set would do to which resource."""
    from emulator.render import table

    rows = [[change.action, change.logical_id, change.type, "yes" if change.replacement else ""] for change in changes]
    return table(["action", "resource", "type", "replaced"], rows) if rows else "no resource changes"


COMMANDS = (init, deploy)
