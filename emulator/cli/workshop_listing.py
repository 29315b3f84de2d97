"""Commands that show a workshop: list, status."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from emulator.workshop.lab import Lab
    from emulator.workshop.progress import Progress

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("list")
@_json
def list_(as_json: bool) -> None:
    """List the labs."""
    from emulator.render import print_json, table
    from emulator.workshop.folder import search_root
    from emulator.workshop.labs import LABS
    from emulator.workshop.progress import Progress, read_progress

    root = search_root(Path.cwd())
    progress = read_progress(root) if root else Progress()
    rows = [
        {
            "lab": lab.number,
            "title": lab.title,
            "minutes": lab.minutes,
            "goal": lab.goal,
            "state": _state(progress, lab),
        }
        for lab in LABS
    ]
    if as_json:
        print_json(rows)
    else:
        columns = ("lab", "title", "minutes", "state", "goal")
        click.echo(table(columns, [[str(row[column]) for column in columns] for row in rows]))


def _state(progress: Progress, lab: Lab) -> str:
    found = progress.labs.get(lab.number)
    if found is None or found.started is None:
        return ""
    if found.passed is None:
        return "started"
    return "passed, with the solution" if found.is_solved else "passed"


@click.command()
@_json
def status(as_json: bool) -> None:
    """Show what you have done, and what is next."""
    from emulator.render import print_json, table
    from emulator.workshop.folder import find_root, runs
    from emulator.workshop.labs import LABS
    from emulator.workshop.progress import read_progress

    root = find_root(Path.cwd())
    progress = read_progress(root)
    rows = []
    for lab in LABS:
        one = progress.of(lab.number)
        rows.append(
            {
                "lab": lab.number,
                "title": lab.title,
                "state": _state(progress, lab),
                "passed": one.passed,
                "hints": one.hints,
                "is_solved": one.is_solved,
                "is_running": runs(root / lab.folder),
            }
        )
    if as_json:
        print_json(rows)
        return
    shown = ("lab", "title", "state", "hints")
    cells = [[*(str(row[key] or "") for key in shown), "yes" if row["is_running"] else ""] for row in rows]
    click.echo(table(("lab", "title", "state", "hints", "runs"), cells))
    following = next((lab for lab in LABS if lab.number not in progress.passed), None)
    if following is None:
        click.echo("all labs are passed")
    else:
        step = "check" if progress.of(following.number).started else "start"
        click.echo(f"next: multistack workshop {step} {following.number}")


COMMANDS = (list_, status)
