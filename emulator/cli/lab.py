"""Commands of the lab: up, down, reset, status, run; and the group that all of them are in."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from emulator.cli import lab_showing
from emulator.cli.context import Context

if TYPE_CHECKING:
    from emulator.lab.experiment import Experiment
    from emulator.lab.laboratory import Laboratory
    from emulator.lab.results import Result
    from emulator.lab.topologies import Topology

_TOPOLOGIES = ("single", "multi", "multi-same-account")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_wait = click.option(
    "--wait", default=60.0, show_default=True, metavar="SECONDS", help="How long an emulator may take to get healthy."
)
_topology = click.option(
    "--topology",
    "topologies",
    multiple=True,
    type=click.Choice(_TOPOLOGIES),
    help="Only this topology; may be given several times.",
)


@click.group()
def lab() -> None:
    """See what a mistake does to prod in a shared stack, and in stacks of their own."""


@lab.command()
@_topology
@_wait
@_json
@click.pass_obj
def up(context: Context, *, topologies: Sequence[str], wait: float, as_json: bool) -> None:
    """Start the lab: the sample service in each topology, in accounts of its own."""
    laboratory = _made(context)
    with _working(laboratory, "lab up"):
        if not laboratory.up(_chosen(topologies), timeout=wait):
            click.echo("nothing to do: the lab is up", err=True)
    _print_status(laboratory, as_json=as_json)


@lab.command()
@click.pass_obj
def down(context: Context) -> None:
    """Stop the lab, and remove everything it made, results too."""
    from emulator.lab.opening import open_to_remove
    from emulator.lab.project import remove_lab

    folder = context.lab_folder()
    laboratory = open_to_remove(folder, context.caller_environ(), context.overrides)
    stopped = False
    if laboratory is not None:
        with _working(laboratory, "lab down"):
            stopped = laboratory.down()
    elif folder.exists():  # of a command that was killed while it made the lab, or removed it
        remove_lab(folder)
    else:
        click.echo("there is no lab here")
        return
    click.echo("stopped the lab, and removed it" if stopped else "removed the lab; nothing was running")


@lab.command()
@_topology
@_wait
@click.pass_obj
def reset(context: Context, *, topologies: Sequence[str], wait: float) -> None:
    """Put the lab back to how it began, whatever was done to it; results stay."""
    laboratory = _made(context)
    with _working(laboratory, "lab reset"):
        laboratory.fresh(_chosen(topologies), timeout=wait)
    click.echo("the lab is as it began")


@lab.command()
@_json
@click.pass_obj
def status(context: Context, as_json: bool) -> None:
    """Show every environment of every topology, and where it answers."""
    _print_status(_there(context), as_json=as_json)


@lab.command()
@click.argument("experiments", nargs=-1, metavar="[EXPERIMENT]...")
@click.option("--all", "is_all", is_flag=True, help="Run all experiments.")
@_topology
@click.option("--seed", default=1, show_default=True, help="Decides on the order of the requests to prod.")
@_wait
@_json
@click.pass_obj
def run(
    context: Context,
    *,
    experiments: Sequence[str],
    is_all: bool,
    topologies: Sequence[str],
    seed: int,
    wait: float,
    as_json: bool,
) -> None:
    """Make mistakes, and measure what prod sees of them; starts the lab where it isn't up."""
    from emulator.errors import DIFFERENCES
    from emulator.lab.experiments import EXPERIMENTS
    from emulator.lab.results import Outcome
    from emulator.lab.running import run_experiments
    from emulator.lab.showing import matrix
    from emulator.render import print_json

    if is_all == bool(experiments):
        raise click.UsageError("name experiments, or give --all")
    wanted: Sequence[Experiment] = EXPERIMENTS if is_all else _named(experiments)
    laboratory = _made(context)
    with _working(laboratory, "lab run"):
        tell = _teller(laboratory, wanted)

        results = run_experiments(laboratory, wanted, _chosen(topologies), seed=seed, timeout=wait, tell=tell)
    if as_json:
        print_json(results)
    else:
        click.echo(matrix(results))
        if is_all:
            _print_scores(results)
    if any(result.outcome is Outcome.DIFFERS for result in results):
        sys.exit(DIFFERENCES)


def _print_scores(results: Sequence[Result]) -> None:
    from emulator.lab.experiments import EXPERIMENTS
    from emulator.lab.report.matrix import rows_of, scores_of

    for score in scores_of(rows_of(EXPERIMENTS, results, driver=results[0].driver)):
        if score.run:
            click.echo(f"{score.hurt} of {score.run} mistakes hurt prod: {score.heading}")


def _teller(laboratory: Laboratory, experiments: Sequence[Experiment]) -> Callable[[Result], None]:
    """Tells each result and keeps it; a learner of the workshop has predicted it before."""
    from emulator.lab.results import RESULTS_FILE, keep_results
    from emulator.lab.showing import result_line
    from emulator.lab.topologies import Topology
    from emulator.workshop.predictions import note, read_predictions

    learners = laboratory.folder.parents[1]
    predicted = read_predictions(learners, [one.id for one in experiments])

    def tell(result: Result) -> None:
        if result.topology == Topology.SINGLE.value:
            note(learners, result.experiment, predicted)
        click.echo(result_line(result), err=True)
        keep_results(laboratory.folder / RESULTS_FILE, [result])

    return tell


def _named(names: Sequence[str]) -> list[Experiment]:
    """Each once, whatever it was called."""
    from emulator.lab.experiments import find_experiment

    found = [find_experiment(name) for name in names]
    return list({one.id: one for one in found}.values())


def _chosen(names: Sequence[str]) -> list[Topology]:
    from emulator.lab.topologies import Topology

    return [one for one in Topology if one.value in names or not names]


def _made(context: Context) -> Laboratory:
    """The lab of this folder, made if there is none."""
    from emulator.lab.project import make_lab

    make_lab(context.lab_folder(), environ=context.caller_environ(), overrides=context.overrides)
    return _there(context)


def _there(context: Context) -> Laboratory:
    from emulator.errors import NotReady
    from emulator.lab.opening import open_laboratory

    laboratory = open_laboratory(context.lab_folder(), context.caller_environ(), context.overrides)
    if laboratory is None:
        raise NotReady("there is no lab here", hint="multistack lab up")
    return laboratory


@contextlib.contextmanager
def _working(laboratory: Laboratory, command: str) -> Iterator[None]:
    """
    Change the lab: alone.

    Raises:
        NotReady: Another command does.
    """
    from emulator.errors import NotReady
    from emulator.lock import exclusive

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive(laboratory.lock_folder, command, emit=lambda _event: None, wait=False))
        except NotReady as error:
            raise NotReady(
                f"the lab is in use: {error.message.rpartition(': ')[2]}", hint="wait until that has ended"
            ) from error
        yield


def _print_status(laboratory: Laboratory, *, as_json: bool) -> None:
    from emulator.render import print_json, status_cell, table

    rows = list(laboratory.status())
    if as_json:
        print_json(rows)
        return
    cells = [
        [row.topology, row.environment, status_cell(row.status), row.driver, row.account, row.url or ""] for row in rows
    ]
    click.echo(table(["topology", "environment", "status", "driver", "account", "url"], cells))


for _command in lab_showing.COMMANDS:
    lab.add_command(_command)

COMMANDS = (lab,)
