"""The command that checks a service's source: lint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from emulator.cli.context import Context
from emulator.errors import DIFFERENCES


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def lint(click_context: click.Context, paths: Sequence[Path], as_json: bool) -> None:
    """
    Find what keeps the source from running unchanged in every environment.

    Looks at the template and the code that it deploys, or at PATHs. Exit code 7 when something is found.
    """
    from emulator.config import load_project
    from emulator.lint.check import lint as check
    from emulator.lint.check import service_paths
    from emulator.lint.finding import Words
    from emulator.render import print_json

    context: Context = click_context.obj
    cwd = Path.cwd()
    environ = context.caller_environ()
    project = load_project(
        file=context.file, environ=environ, cwd=cwd, overrides=context.overrides, needs_template=not paths
    )
    found = check([cwd / path for path in paths] or service_paths(project), Words.of(project), cwd=cwd)
    if as_json:
        print_json(found)
    for finding in () if as_json else found:
        where = click.style(f"{finding.file}:{finding.line}", bold=True)
        click.echo(f"{where}: {click.style(finding.rule, fg='red')}: {finding.message}; {finding.advice}")
    if found and not as_json:
        click.echo(f"{len(found)} found", err=True)
    click_context.exit(DIFFERENCES if found else 0)


COMMANDS = (lint,)
