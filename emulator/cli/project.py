"""Commands on the project as a whole: logs, doctor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context

if TYPE_CHECKING:
    from emulator.doctor import Check
    from emulator.errors import ConfigError
    from emulator.logs import LogEntry
    from emulator.model import Project


@click.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("-f", "--follow", "is_following", is_flag=True, help="Go on printing new lines until Ctrl-C.")
@click.option(
    "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N; default: 100, all with --since."
)
@click.option("--since", metavar="DURATION", help="Only what is not older, e.g. 30s, 10m, 1h30m, 2d.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.pass_obj
def logs(
    context: Context, *, names: Sequence[str], is_following: bool, tail: int | None, since: str | None, as_json: bool
) -> None:
    """Show what functions print and emulators say, merged by time."""
    from datetime import UTC, datetime

    from emulator import logs as source

    oldest = datetime.now(UTC) - source.parse_duration(since) if since else None
    workspace = context.workspace()
    zone = source.system_zone()
    chosen = {
        environment.name: source.EnvironmentLog(
            workspace.project, environment, workspace.drivers, since=oldest, zone=zone
        )
        for environment in workspace.environments(names)
    }
    write = _JsonLines() if as_json else _Lines([environment.name for environment in workspace.project.environments])
    try:
        entries, errors = source.read_logs(chosen, cancellation=workspace.cancellation)
        write(source.merge(entries, tail=100 if tail is None and since is None else tail))
        if not is_following:
            if errors:
                raise errors[0]
            return
        for batch in source.follow(chosen, cancellation=workspace.cancellation):
            write(batch)
    except KeyboardInterrupt:
        if not is_following:
            raise


class _JsonLines:
    """Prints entries for machines."""

    def __call__(self, entries: Sequence[LogEntry]) -> None:
        import json
        from dataclasses import asdict

        for entry in entries:
            at = entry.at.isoformat(timespec="milliseconds")
            click.echo(json.dumps({**asdict(entry), "at": at}, ensure_ascii=False))


class _Lines:
    """
    Prints entries for people: ``14:49:27.617  test     ApiFunction  message``.

    Args:
        names: All environments of the project, so that lines align and each keeps its colour.
    """

    def __init__(self, names: Sequence[str]) -> None:
        from emulator.render import colours_of

        self._colours: Mapping[str, str] = colours_of(names)
        self._width = max(len(name) for name in names)
        self._source_width = 0

    def __call__(self, entries: Sequence[LogEntry]) -> None:
        self._source_width = max([self._source_width, *(len(entry.source) for entry in entries)])
        for entry in entries:
            at = click.style(f"{entry.at.astimezone():%H:%M:%S}.{entry.at.microsecond // 1000:03}", dim=True)
            tag = click.style(f"{entry.environment:{self._width}}", fg=self._colours[entry.environment])
            for line in entry.message.split("\n"):
                click.echo(f"{at}  {tag}  {entry.source:{self._source_width}}  {line}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(click_context: click.Context, as_json: bool) -> None:
    """
    Check what this machine has and lacks.

    Exit code 1 when something is a problem, else 0.
    """
    from dataclasses import asdict

    from emulator.doctor import Verdict, examine
    from emulator.render import print_json

    context: Context = click_context.obj
    project, error = _load(context)
    checks = examine(
        project,
        error,
        environ=context.caller_environ(),
        searched=Path.cwd(),
        # What is wrong with the project, the setting itself for one, stands in the table.
        allow_remote=error is None and context.allow_remote(),
    )
    if as_json:
        print_json([{**asdict(check), "verdict": check.verdict.value} for check in checks])
    else:
        print_checks(checks)
    click_context.exit(1 if any(check.verdict is Verdict.PROBLEM for check in checks) else 0)


def _load(context: Context) -> tuple[Project | None, ConfigError | None]:
    """The project, or why it can't be loaded; neither when nothing names one and there is none here."""
    from emulator.errors import ConfigError

    try:
        return context.project(), None
    except ConfigError as error:
        return None, error


def print_checks(checks: Sequence[Check]) -> None:
    """A table of what was looked at, and advice below it."""
    from emulator.doctor import Verdict
    from emulator.render import table

    colours = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "red"}
    rows = [
        [check.name, click.style(check.verdict.value, fg=colours.get(check.verdict)), check.found] for check in checks
    ]
    click.echo(table(["check", "verdict", "found"], rows))
    advised = [check for check in checks if check.advice]
    if advised:
        click.echo()
    for check in advised:
        click.echo(f"{check.name}: {check.advice}")


COMMANDS = (logs, doctor)
