"""Commands of the lab that start nothing: list, show, report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from emulator.cli.context import Context

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("list")
@_json
def list_experiments(as_json: bool) -> None:
    """List the experiments."""
    from emulator.lab.experiments import EXPERIMENTS
    from emulator.lab.seen import read_seen
    from emulator.lab.showing import summary
    from emulator.lab.topologies import Topology
    from emulator.render import print_json, prose, table

    seen = read_seen()
    if as_json:
        print_json([summary(one, seen) for one in EXPERIMENTS])
        return
    rows = [
        [
            one.id,
            prose(one.title),
            one.variants[Topology.SINGLE].expected.told(),
            ", ".join(run.driver for run in seen if one.id in run.since),
        ]
        for one in EXPERIMENTS
    ]
    click.echo(table(["experiment", "mistake", "prod sees in single", "seen on"], rows))
    for run in seen:
        click.echo(f"{run.driver}: {run.emulator}, recorded {run.at}")


@click.command()
@click.argument("experiment")
@_json
def show(experiment: str, as_json: bool) -> None:
    """Show an experiment: what is typed, what prod sees of it and why, sources."""
    from emulator.lab.experiments import find_experiment
    from emulator.lab.seen import read_seen
    from emulator.lab.showing import described, details
    from emulator.render import print_json

    found, seen = find_experiment(experiment), read_seen()
    if as_json:
        print_json(details(found, seen))
    else:
        click.echo(described(found, seen))


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--driver", type=click.Choice(["embedded", "localstack"]), help="Of this driver's runs; else the latest's."
)
@click.pass_obj
def report(context: Context, paths: Sequence[Path], driver: str | None) -> None:
    """Write what experiments showed: a page (.html) and Markdown (.md), in the lab's folder or where PATHs say."""
    from emulator.lab.experiments import EXPERIMENTS
    from emulator.lab.report.writing import check_paths, default_paths, write_reports
    from emulator.lab.results import RESULTS_FILE, read_results

    folder = context.lab_folder()
    check_paths(paths)
    results = read_results(folder / RESULTS_FILE)
    for path in write_reports(paths or default_paths(folder), EXPERIMENTS, results, driver=driver):
        click.echo(str(path))


COMMANDS = (list_experiments, show, report)
