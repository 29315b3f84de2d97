"""Commands of the workshop: start, check, hint, solve, reset; and the group that all of them are in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli import workshop_class, workshop_listing
from emulator.cli.context import Context
from emulator.cli.workshop_folders import find_lab, open_project, root_to_start, started
from emulator.errors import DIFFERENCES

if TYPE_CHECKING:
    from emulator.workshop.lab import Lab, Step

_number = click.argument("number", type=click.IntRange(min=1), metavar="LAB")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def workshop() -> None:
    """Learn in eight labs why environments share nothing."""


@workshop.command()
@_number
@click.option(
    "--in",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="The workshop's folder; default: the one you are in, else ./workshop.",
)
def start(number: int, root: Path | None) -> None:
    """Make a lab's folder and stop what runs in the others."""
    from datetime import UTC, datetime

    from emulator.workshop.folder import make
    from emulator.workshop.progress import changing

    lab = find_lab(number)
    root = root_to_start(root)
    root.mkdir(parents=True, exist_ok=True)
    _stop_others(root, lab)
    folder = root / lab.folder
    is_new = not folder.exists()
    if is_new:
        make(root, lab)
    with changing(root) as progress:
        progress.of(number).started = progress.of(number).started or datetime.now(UTC)
    click.echo(f"lab {number}: {lab.title}, about {lab.minutes} minutes")
    click.echo(f"goal: {lab.goal}")
    if not is_new:
        click.echo(f"its folder is there already; `multistack workshop reset {number}` makes it anew", err=True)
    way = _shown(folder)
    click.echo("next: read LAB.md" if way == "." else f"next: cd {way}, and read LAB.md")


def _shown(folder: Path) -> str:
    """A folder as it is shortest to type from here."""
    import os
    import shlex

    return shlex.quote(os.path.relpath(folder))


def _stop_others(root: Path, lab: Lab) -> None:
    """Their ports and their memory are needed; one that can't be stopped is told, and stops nothing else."""
    from emulator.errors import MultistackError
    from emulator.workshop.folder import stop
    from emulator.workshop.labs import LABS

    for other in LABS:
        if other.number == lab.number:
            continue
        try:
            if stop(root / other.folder, open_workspace=open_project):
                click.echo(f"stopped what ran in {other.folder}", err=True)
        except MultistackError as error:
            click.echo(f"{other.folder} still runs: {error.message}", err=True)


@workshop.command()
@_number
@_json
@click.pass_context
def check(click_context: click.Context, number: int, as_json: bool) -> None:
    """
    Look whether a lab's goal is reached.

    Exit code 0 when it is, 7 when something is missing.
    """
    import functools

    from emulator.render import print_json, prose
    from emulator.workshop.checking import look
    from emulator.workshop.scene import Scene

    root, lab = started(number)
    found = []
    open_workspace = functools.partial(open_project, is_quiet=True)
    for one in look(lab, Scene(root / lab.folder, open_workspace=open_workspace)):
        found.append(one)
        if not as_json:
            mark = click.style("✓", fg="green") if one.missing is None else click.style("✗", fg="red")
            click.echo(f"{mark} {prose(one.says)}{f': {prose(one.missing)}' if one.missing else ''}")
    is_passed = found[-1].missing is None
    if as_json:
        print_json({"lab": number, "passed": is_passed, "checks": found})
    if is_passed:
        _note_passed(root, lab)
    _report(root)
    if is_passed and not as_json:
        click.echo(_congratulation(lab))
    click_context.exit(0 if is_passed else DIFFERENCES)


def _note_passed(root: Path, lab: Lab) -> None:
    from datetime import UTC, datetime

    from emulator.workshop.progress import changing

    with changing(root) as progress:
        one = progress.of(lab.number)
        one.passed = one.passed or datetime.now(UTC)


def _report(root: Path) -> None:
    """To the board, if the learner has joined one; a board that is away is told, and is no error."""
    from emulator.errors import MultistackError
    from emulator.workshop.progress import read_progress

    progress = read_progress(root)
    if progress.board is None:
        return
    from emulator.workshop.board.joining import report

    try:
        report(progress.board, progress)
    except MultistackError as error:
        click.echo(f"not on the board: {error.message}{f'; {error.hint}' if error.hint else ''}", err=True)


def _congratulation(lab: Lab) -> str:
    from emulator.workshop.labs import LABS

    if lab == LABS[-1]:
        return "passed: that was the last lab"
    return f"passed; next: multistack workshop start {lab.number + 1}"


@workshop.command()
@_number
def hint(number: int) -> None:
    """Show one more of a lab's three hints."""
    from emulator.render import prose
    from emulator.workshop.lab import HINTS
    from emulator.workshop.progress import changing

    root, lab = started(number)
    with changing(root) as progress:
        one = progress.of(number)
        one.hints = min(one.hints + 1, HINTS)
        shown = one.hints
    for index, text in enumerate(lab.hints[:shown], start=1):
        click.echo(f"{index}. {prose(text)}")
    if shown == HINTS:
        click.echo(f"that was the last; `multistack workshop solve {number}` does it and says why", err=True)


@workshop.command()
@_number
@click.pass_obj
def solve(context: Context, number: int) -> None:
    """Start a lab anew and do it, saying why."""
    from emulator.workshop.playing import play
    from emulator.workshop.progress import changing

    root, lab = started(number)
    _stop_others(root, lab)
    _remake(root, lab)
    with changing(root) as progress:
        progress.of(number).note_solved()
    play(lab, root / lab.folder, environ=context.caller_environ(), tell=_tell_step)
    click.echo(f"\ndone; now look: multistack workshop check {number}")


def _tell_step(step: Step, line: str) -> None:
    click.echo(f"\n{click.style(f'# {step.why}', fg='cyan')}")
    expected = click.style(f"   # is refused, with exit code {step.code}", dim=True) if step.code else ""
    click.echo(f"{click.style('$', dim=True)} {click.style(line, bold=True)}{expected}")


@workshop.command()
@_number
def reset(number: int) -> None:
    """Make a lab's folder anew; your files go to yours/."""
    root, lab = started(number)
    _remake(root, lab)
    way = _shown(root / lab.folder)
    click.echo(f"lab {number} is as it begins, {'here' if way == '.' else f'in {way}'}")


def _remake(root: Path, lab: Lab) -> None:
    from emulator.workshop.folder import remake

    kept = remake(root, lab, open_workspace=open_project)
    if kept is not None:
        click.echo(f"your files are in {_shown(kept)}", err=True)


for _command in (*workshop_listing.COMMANDS, *workshop_class.COMMANDS):
    workshop.add_command(_command)

COMMANDS: Sequence[click.Command] = (workshop,)
