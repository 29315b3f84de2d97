"""The page that holds what every command says about itself: made from the code, so never behind it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from emulator.cli import cli

_WIDTH = 100
_HEAD = """\
# What `--help` says

The help of every command, as this version prints it. [Commands](commands.md) tells more.
"""


def help_page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *(_entry(context) for context in contexts(_context(cli, None, "multistack")))])


def contexts(context: click.Context) -> Iterator[click.Context]:
    """A command and, below it, each of its commands."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None and not command.hidden:
                yield from contexts(_context(command, context, name))


def _context(command: click.Command, parent: click.Context | None, name: str) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH)


def _entry(context: click.Context) -> str:
    text = context.command.get_help(context).rstrip()
    return f"## {context.command_path}\n\n```text\n{text}\n```\n"
