"""
The manual page, made from the commands: ``python -m tests.documentation.manual`` writes ``emulator/multistack.1``.

One page for all of them. click-man makes a page for each command, and dates it, so that it is never the same twice.

Source: man(7): ``.TH`` title, ``.SH`` section, ``.SS`` subsection, ``.TP`` tagged paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from emulator.cli import cli
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "emulator" / "multistack.1"
_EXIT_CODES = {
    "0": "done",
    "1": "another error",
    "2": "wrong configuration or usage",
    "3": "not ready",
    "4": "deployment failed",
    "5": "artifact cannot be built or was changed",
    "6": "promotion refused, or verification failed",
    "7": "differences were found",
    "8": "a function that was called ended with an error",
}


def manual() -> str:
    """The whole page."""
    parts = [
        '.TH MULTISTACK 1 "" multistack "User Commands"',
        ".SH NAME",
        "multistack \\- test, staging and prod of a serverless service on this machine",
        ".SH SYNOPSIS",
        ".B multistack\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGS\\fR]...",
        ".SH DESCRIPTION",
        _text(cli.help or ""),
        ".SH OPTIONS",
        *_options(cli),
        ".SH COMMANDS",
        *(line for name in sorted(cli.commands) for line in _command(cli.commands[name], f"multistack {name}")),
        ".SH EXIT STATUS",
        *(f".TP\n.B {code}\n{meaning}" for code, meaning in _EXIT_CODES.items()),
    ]
    return "\n".join(parts) + "\n"


def _command(command: click.Command, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f'.SS "{_text(name)} {_text(usage)}"'
    yield _text(command.help or "")
    yield from _options(command)
    if isinstance(command, click.Group):
        for below in sorted(command.commands):
            yield from _command(command.commands[below], f"{name} {below}")


def _options(command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            yield f".TP\n\\fB{_text(record[0])}\\fR\n{_text(record[1])}"


def _text(text: str) -> str:
    """Plain text for troff: no dashes that break copying, no line that begins like a request."""
    plain = re.sub(r"[\b]", "", " ".join(text.split()))
    escaped = plain.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("…", "...")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    PAGE.write_text(manual(), encoding="utf-8")
