"""What a shell completes beyond commands and options: names of environments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from pathlib import Path


class EnvironmentName(click.types.StringParamType):
    """Any text; Tab offers the environments of the project."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:  # the names are click's
        """Those that begin so; none where there is no project, because a shell shows no error."""
        file: Path | None = ctx.find_root().params.get("file")
        return [CompletionItem(name) for name in _names(file) if name.startswith(incomplete)]


def _names(file: Path | None) -> Iterable[str]:
    from emulator.cli.context import Context
    from emulator.errors import MultistackError

    try:
        project = Context(file=file, overrides={}).project()
    except MultistackError:
        return []
    return [environment.name for environment in project.environments] if project else []


def complete_environments(command: click.Command) -> None:
    """Let every parameter of *command*, and of commands below it, that takes an environment complete its name."""
    for parameter in command.params:
        metavar = parameter.metavar or ""
        if "ENVIRONMENT" in metavar and "ENVIRONMENT." not in metavar and parameter.type is click.STRING:
            parameter.type = EnvironmentName()
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        complete_environments(below)
