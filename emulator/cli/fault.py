"""Commands on deliberate faults: fault set, list, clear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context
from emulator.errors import ConfigError, NotReady

if TYPE_CHECKING:
    from emulator.faults.fault import Fault
    from emulator.model import ProcessId
    from emulator.workspace import Workspace

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def fault() -> None:
    """Disturb requests to environments on purpose, until `down` at the latest."""


@fault.command("set")
@click.argument("name", metavar="ENVIRONMENT")
@click.option("--route", default="/**", show_default=True, metavar="[METHOD ]PATH", help="Requests to disturb.")
@click.option("--share", metavar="PERCENT", help="How many of them; default: all.")
@click.option("--latency", metavar="TIME", help="Hold back: 300ms, 100ms..2s (evenly) or p50=20ms,p99=2s.")
@click.option("--throttle", metavar="RATE", help="Let so many through, such as 20/s; answer the others 429.")
@click.option("--error", type=click.IntRange(400, 599), metavar="STATUS", help="Answer with this status.")
@click.option("--drop", is_flag=True, help="Close the connection without an answer.")
@click.option("--bandwidth", metavar="RATE", help="Send answers no faster than this, such as 20kB/s.")
@click.option("--cut", metavar="SIZE", help="Break the connection after so much of the body, such as 1kB.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="NUMBER", help="What is drawn follows from it.")
@click.option("--for", "span", metavar="SPAN", help="Clear it after this time, such as 5m.")
@_json
@click.pass_obj
def set_(
    context: Context,
    *,
    name: str,
    route: str,
    share: str | None,
    latency: str | None,
    throttle: str | None,
    error: int | None,
    drop: bool,
    bandwidth: str | None,
    cut: str | None,
    seed: int | None,
    span: str | None,
    as_json: bool,
) -> None:
    """Set a fault beside those that are set."""
    import secrets

    from emulator.faults.fault import Fault
    from emulator.faults.file import add_fault
    from emulator.faults.reading import read_effects, read_route, read_share_option

    effects = read_effects(latency=latency, throttle=throttle, error=error, drop=drop, bandwidth=bandwidth, cut=cut)
    method, path = read_route(route)
    wanted = Fault(
        id=0,
        environment=name,
        method=method,
        path=path,
        share=read_share_option(share),
        seed=secrets.randbelow(2**31) if seed is None else seed,
        effects=effects,
        expires=_expiry(span),
    )
    workspace = context.workspace()
    workspace.environments([name])
    added = add_fault(workspace.front.faults_file, _proxy(workspace), wanted)
    _print([added], as_json=as_json)


@fault.command("list")
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@_json
@click.pass_obj
def list_(context: Context, names: Sequence[str], as_json: bool) -> None:
    """Show the faults that are set."""
    from emulator.faults.fault import standing
    from emulator.faults.file import load_faults

    workspace = context.workspace()
    chosen = {environment.name for environment in workspace.environments(names)}
    proxy = workspace.front.running_process()
    known = standing(load_faults(workspace.front.faults_file, proxy), datetime.now(UTC)) if proxy else []
    found = [one for one in known if one.environment in chosen]
    if not found and not as_json:
        click.echo("no faults are set", err=True)
        return
    _print(found, as_json=as_json)


@fault.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT|ID]...")
@click.pass_obj
def clear(context: Context, names: Sequence[str]) -> None:
    """Clear faults by number or environment, or all of them."""
    from emulator.faults.fault import standing
    from emulator.faults.file import remove_faults

    workspace = context.workspace()
    numbers = {int(name) for name in names if name.isdecimal()}
    named = [name for name in names if not name.isdecimal()]
    environments = {one.name for one in workspace.environments(named)} if named or not names else set()
    proxy = workspace.front.running_process()
    if proxy is None:
        click.echo("no faults are set")
        return
    # Before anything is cleared: a number that isn't there may be a slip.
    _check_numbers(workspace, proxy, numbers)
    gone = remove_faults(
        workspace.front.faults_file, proxy, lambda one: one.id in numbers or one.environment in environments
    )
    cleared = [f"{one.id} ({one.environment}: {one})" for one in standing(gone, datetime.now(UTC))]
    click.echo(f"cleared {', '.join(cleared)}" if cleared else "no faults are set")


def _check_numbers(workspace: Workspace, proxy: ProcessId, numbers: set[int]) -> None:
    from emulator.faults.file import load_faults

    known = {one.id for one in load_faults(workspace.front.faults_file, proxy)}
    if missing := sorted(numbers - known):
        raise ConfigError(f"no fault has the number {missing[0]}", hint="`multistack fault list` shows them")


def _proxy(workspace: Workspace) -> ProcessId:
    proxy = workspace.front.running_process()
    if proxy is None:
        raise NotReady("the proxy, which applies faults, does not run", hint="multistack up")
    return proxy


def _expiry(span: str | None) -> datetime | None:
    from emulator.faults.reading import read_lasting

    lasts = read_lasting(span)
    return None if lasts is None else datetime.now(UTC) + lasts


def _print(faults: Sequence[Fault], *, as_json: bool) -> None:
    from emulator.faults.words import show_share
    from emulator.render import print_json, table
    from emulator.spans import show_span

    if as_json:
        print_json([_row(one) for one in faults])
        return
    now = datetime.now(UTC)
    cells = [
        [
            str(one.id),
            one.environment,
            one.route,
            str(one.effects),
            show_share(one.share),
            str(one.seed),
            show_span(one.expires - now) if one.expires else "",
        ]
        for one in faults
    ]
    click.echo(table(["id", "environment", "route", "fault", "share", "seed", "ends in"], cells))


def _row(one: Fault) -> Mapping[str, object]:
    """The keys of ``fault list --json``."""
    return {
        "id": one.id,
        "environment": one.environment,
        "method": one.method,
        "path": one.path,
        "fault": str(one.effects),
        "latency": None if one.effects.latency is None else str(one.effects.latency),
        "throttle": one.effects.throttle,
        "error": one.effects.error,
        "drop": one.effects.drop,
        "bandwidth": one.effects.bandwidth,
        "cut": one.effects.cut,
        "share": one.share,
        "seed": one.seed,
        "expires": one.expires.isoformat() if one.expires else None,
    }


COMMANDS = (fault,)
