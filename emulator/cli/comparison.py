"""Commands that compare: diff, drift, parity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.environments import raise_first
from emulator.errors import DIFFERENCES

if TYPE_CHECKING:
    from emulator.comparison.deployed import Deployed
    from emulator.comparison.drift import Drift
    from emulator.comparison.outputs import Outputs
    from emulator.model import Environment
    from emulator.reports import Section
    from emulator.workspace import Workspace


def _formats(command: Callable[..., None]) -> Callable[..., None]:
    """The options that all comparisons have."""
    as_markdown = click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown for a pull request.")
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return as_json(as_markdown(command))


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@_formats
@click.pass_context
def diff(click_context: click.Context, before: str, after: str, as_json: bool, as_markdown: bool) -> None:
    """
    Compare what was deployed into two environments.

    Exit code 0 when all is equal, 7 when something differs.
    """
    from dataclasses import asdict

    from emulator.comparison.releases import compare_releases
    from emulator.reports import diff_report

    workspace = click_context.obj.workspace()
    sides = [_deployed(workspace, name) for name in (before, after)]
    outputs, no_outputs = _outputs(workspace, (before, after))
    found = compare_releases(sides[0], sides[1], outputs, no_outputs)
    _show({**asdict(found), "is_equal": found.is_empty}, diff_report(found), as_json=as_json, as_markdown=as_markdown)
    click_context.exit(0 if found.is_empty else DIFFERENCES)


def _deployed(workspace: Workspace, name: str) -> Deployed:
    from emulator.comparison.deployed import deployed

    (environment,) = workspace.environments([name])
    return deployed(workspace.project, environment, workspace.history, workspace.store.open)


def _outputs(workspace: Workspace, names: Sequence[str]) -> tuple[list[Outputs], str]:
    """Those of both environments, or none and why; only a running emulator knows them."""
    from emulator.comparison.outputs import outputs_of
    from emulator.errors import NotReady

    found = []
    for name in names:
        try:
            found.append(outputs_of(workspace.endpoint(name), workspace.project.stack_name(name)))
        except NotReady as error:
            return [], error.message
    return found, ""


@click.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--repair", "repairs", is_flag=True, help="Put back what drifted first, without touching data.")
@_formats
@click.pass_context
def drift(click_context: click.Context, names: Sequence[str], repairs: bool, as_json: bool, as_markdown: bool) -> None:
    """
    Compare what stands in environments with what was deployed into them.

    Exit code 0 when all is as deployed, 7 when something differs.
    """
    from dataclasses import asdict

    from emulator.errors import MultistackError
    from emulator.parallel import run_parallel
    from emulator.reports import drift_report

    workspace = click_context.obj.workspace()
    chosen = [environment.name for environment in workspace.environments(names)]
    if repairs:
        with workspace.changing("drift --repair"):
            raise_first(run_parallel(chosen, lambda name: _repair(workspace, name), workspace.cancellation))
    results = run_parallel(chosen, lambda name: _drift(workspace, name), workspace.cancellation)
    found = [result for result in results.values() if not isinstance(result, MultistackError)]
    _show([asdict(one) for one in found], drift_report(found), as_json=as_json, as_markdown=as_markdown)
    raise_first(results)
    click_context.exit(DIFFERENCES if any(one.differences for one in found) else 0)


def _drift(workspace: Workspace, name: str) -> Drift:
    from emulator.comparison.drift import find_drift

    stack = workspace.project.stack_name(name)
    # A canary is what was deployed last: the stack has both releases then.
    last = workspace.history.canary(name) or workspace.history.current(name)
    return find_drift(workspace.endpoint(name), stack, last)


def _repair(workspace: Workspace, name: str) -> None:
    (environment,) = workspace.environments([name])
    current = workspace.history.current(name)
    workspace.history.check_no_canary(name)
    if current is not None:
        workspace.repairer().repair(environment, workspace.endpoint(name), current)


@click.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--baseline", metavar="ENVIRONMENT", help="What the others are held against; default: the first of them.")
@_formats
@click.pass_context
def parity(
    click_context: click.Context, names: Sequence[str], baseline: str | None, as_json: bool, as_markdown: bool
) -> None:
    """
    Compare environments in what should be the same everywhere.

    Exit code 0 when they are in parity, 7 when they are not.
    """
    from emulator.comparison.parity import parity_of
    from emulator.reports import parity_report

    workspace = click_context.obj.workspace()
    chosen = workspace.environments(names)
    first = workspace.environments([baseline])[0] if baseline else chosen[0]
    others = [environment for environment in chosen if environment.name != first.name]
    found = parity_of(first, others, _all_deployed(workspace, [first, *others]))
    content = {
        "baseline": found.baseline,
        "in_parity": found.holds,
        "aspects": list(found.aspects),
    }
    _show(content, parity_report(found), as_json=as_json, as_markdown=as_markdown)
    click_context.exit(0 if found.holds else DIFFERENCES)


def _all_deployed(workspace: Workspace, environments: Sequence[Environment]) -> Mapping[str, Deployed | None]:
    return {
        environment.name: _deployed(workspace, environment.name)
        if workspace.history.current(environment.name)
        else None
        for environment in environments
    }


def _show(content: Any, sections: Sequence[Section], *, as_json: bool, as_markdown: bool) -> None:
    from emulator.inventory.hiding import visible
    from emulator.render import print_json
    from emulator.reports import to_markdown, to_terminal

    if as_json:
        print_json(visible(content))
    elif sections:
        click.echo(to_markdown(sections) if as_markdown else to_terminal(sections))


COMMANDS = (diff, drift, parity)
