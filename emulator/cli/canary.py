"""Commands on a canary that runs: canary status, promote, abort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context

if TYPE_CHECKING:
    from emulator.canary.canaries import CanaryStatus

_name = click.argument("name", metavar="ENVIRONMENT")
_no_wait = click.option("--no-wait", is_flag=True, help="Fail instead of waiting for another command.")


@click.group()
def canary() -> None:
    """Look at a release that gets a share of the calls, and end it; `deploy --canary` starts one."""


@canary.command("status")
@_name
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(context: Context, name: str, as_json: bool) -> None:
    """Show how the calls are shared, and how many of each version failed."""
    from emulator.canary.canaries import Canaries
    from emulator.render import print_json

    found = Canaries(context.workspace()).status(name)
    if as_json:
        print_json(found)
    elif found is None:
        click.echo(f"{name}: no canary runs")
    else:
        _print(found)


def _print(found: CanaryStatus) -> None:
    from emulator.render import table

    name = found.environment
    click.echo(f"{name}: canary of {found.release} beside {found.beside} since {found.at:%Y-%m-%d %H:%M:%S} UTC")
    if not found.versions:
        click.echo(f"its emulator no longer has it: `multistack canary abort {name}`")
        return
    rows = [
        [
            one.function,
            one.version,
            one.release,
            f"{one.share * 100:g}%",
            str(one.requests),
            str(one.errors),
            "" if one.error_rate is None else f"{one.error_rate * 100:.1f}%",
        ]
        for one in found.versions
    ]
    click.echo(table(["function", "version", "release", "share", "requests", "errors", "error rate"], rows))


@canary.command()
@_name
@_no_wait
@click.pass_obj
def promote(context: Context, name: str, no_wait: bool) -> None:
    """Give the canary all calls: it is the environment's release from now on."""
    from emulator.canary.canaries import Canaries

    workspace = context.workspace()
    with workspace.changing("canary promote", wait=not no_wait):
        result = Canaries(workspace).promote(name)
    click.echo(f"{name}: all calls go to {result.release.id} (digest {result.release.digest[:12]})")


@canary.command()
@_name
@_no_wait
@click.pass_obj
def abort(context: Context, name: str, no_wait: bool) -> None:
    """Give the release before all calls again."""
    from emulator.canary.canaries import Canaries

    workspace = context.workspace()
    with workspace.changing("canary abort", wait=not no_wait):
        result = Canaries(workspace).abort(name)
    click.echo(f"{name}: all calls go to {result.release.id} again (digest {result.release.digest[:12]})")


COMMANDS = (canary,)
