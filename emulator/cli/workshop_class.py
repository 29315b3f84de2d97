"""Commands of the workshop for a class: doctor, join, board."""

from __future__ import annotations

from pathlib import Path

import click

from emulator.cli.context import Context
from emulator.cli.workshop_folders import find_lab, open_project, root_to_start


@click.command()
@click.option("--no-trial", is_flag=True, help="Don't start environments to see how long that takes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(click_context: click.Context, no_trial: bool, as_json: bool) -> None:
    """
    Check whether this machine is ready for the workshop.

    Exit code 1 when something is a problem, else 0.
    """
    import functools
    import os
    import sys
    from dataclasses import asdict

    from emulator.cli.project import print_checks
    from emulator.doctor.check import Verdict
    from emulator.render import print_json
    from emulator.workshop.doctor import examine, run_trial

    context: Context = click_context.obj
    path = os.pathsep.join([str(Path(sys.executable).parent), context.caller_environ().get("PATH", "")])
    run = None if no_trial else functools.partial(run_trial, find_lab(1), open_workspace=open_project)
    checks = list(examine(path, run=run))
    if as_json:
        print_json([{**asdict(check), "verdict": check.verdict.value} for check in checks])
    else:
        print_checks(checks)
    click_context.exit(1 if any(check.verdict is Verdict.PROBLEM for check in checks) else 0)


@click.command()
@click.argument("url")
@click.argument("code")
@click.option("--name", required=True, metavar="NAME", help="What the board shows for you.")
def join(url: str, code: str, name: str) -> None:
    """Show your progress on the facilitator's board, from now on."""
    from emulator.workshop.board.joining import membership, report
    from emulator.workshop.progress import changing

    root = root_to_start(None)
    root.mkdir(parents=True, exist_ok=True)
    wanted = membership(url, code, name)
    with changing(root) as progress:
        if progress.board is not None:
            wanted.id = progress.board.id
        report(wanted, progress)
        progress.board = wanted
    click.echo(f"{wanted.name} is on the board; each `multistack workshop check` brings it up to date")


@click.command()
@click.option(
    "--listen",
    "host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="Take reports from other machines on this address, or on all (0.0.0.0); default: from this machine only.",
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="PORT", help="Default: a free one from 8090 on.")
def board(host: str, port: int | None) -> None:
    """Show who has passed what, until Ctrl-C."""
    import ipaddress

    from emulator.errors import ConfigError
    from emulator.workshop.board.learners import Board
    from emulator.workshop.board.pages import create_board
    from emulator.workshop.board.serving import addresses, listen, serve
    from emulator.workshop.labs import LABS

    try:
        ipaddress.IPv4Address(host)
    except ValueError as error:
        raise ConfigError(f"--listen must be an IPv4 address of this machine, not {host!r}") from error
    root = root_to_start(None)
    root.mkdir(parents=True, exist_ok=True)
    learners = Board(root)
    with listen(host, port) as listener:
        taken = listener.getsockname()[1]
        own = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 (only what it is called)
        click.echo(f"board: http://{own}:{taken}/")
        for address in addresses(host):
            click.echo(f"join:  multistack workshop join http://{address}:{taken} {learners.code} --name YOUR-NAME")
        if host.startswith("127."):
            click.echo("only this machine reaches it; other machines with --listen 0.0.0.0", err=True)
        serve(listener, create_board(learners, LABS))


COMMANDS = (doctor, join, board)
