"""Commands for CI and shells: what test reports say, and completion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from emulator.cli.context import Context

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option("--annotations", is_flag=True, help="Also print GitHub's ::error lines, on stderr.")
@click.option("--folder", default="", metavar="FOLDER", help="Of the project in the repository, for annotations.")
@click.pass_obj
def summary(_context: Context, files: Sequence[Path], annotations: bool, folder: str) -> None:
    """Print JUnit files of pytest, `verify`, `compare` or others as Markdown; exit 0 whatever failed in them."""
    from emulator.junit import read_suites, to_annotations, to_summary

    suites = read_suites(files)
    click.echo(to_summary(suites))
    for line in to_annotations(suites, folder) if annotations else ():
        click.echo(line, err=True)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(click_context: click.Context, shell: str) -> None:
    """
    Print what makes a shell complete commands, options and environments.

    For bash: eval "$(multistack completion bash)"
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    root = click_context.find_root()
    if complete is not None:
        click.echo(complete(root.command, {}, "multistack", "_MULTISTACK_COMPLETE").source())


COMMANDS = (summary, completion)
