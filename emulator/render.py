"""Events and results for people (aligned, coloured on a terminal only) or machines (JSON)."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from emulator.errors import MultistackError
from emulator.events import Event

_COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "bright_red")
_STATUS_COLOURS = {"ready": "green", "starting": "yellow", "unhealthy": "red", "stopped": "bright_black"}


class Progress:
    """
    Prints events to stderr as they come, one line each; callable from several threads.

    Args:
        names: All environments, so that lines align and each keeps its colour.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._width = max((len(name) for name in names), default=0)
        self._colours = colours_of(names)
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Print one event."""
        name = event.environment or ""
        label = click.style(f"{name:{self._width}}", fg=self._colours.get(name))
        text = f"{event.step} {event.detail}".rstrip()
        took = click.style(f" ({event.seconds:.1f} s)", dim=True) if event.seconds is not None else ""
        with self._lock:
            _say(f"{label}  {text}{took}".lstrip() if not name else f"{label}  {text}{took}")


def colours_of(names: Sequence[str]) -> Mapping[str, str]:
    """The same colour for the same environment in every command."""
    return {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns with upper-case headings; an empty cell is a dash."""
    cells = [[column.upper() for column in columns], *([cell or "-" for cell in row] for row in rows)]
    widths = [max(len(click.unstyle(row[index])) for row in cells) for index in range(len(columns))]
    lines = []
    for row in cells:
        padded = [cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def prose(text: str) -> str:
    """Words of ours; what is typed stands out in them: in bold on a terminal, and else between backticks."""
    parts = text.split("`")
    if not sys.stdout.isatty() or len(parts) % 2 == 0:
        return text
    return "".join(click.style(part, bold=True) if index % 2 else part for index, part in enumerate(parts))


def status_cell(status: str) -> str:
    """An environment's status in its colour."""
    return click.style(status, fg=_STATUS_COLOURS.get(status))


def print_json(value: Any) -> None:
    """Dataclasses, lists and plain values as indented JSON on stdout."""
    click.echo(json_text(value))


def json_text(value: Any) -> str:
    """The same as text."""
    return json.dumps(value, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_error(error: MultistackError) -> None:
    """One line that says what is wrong, details below it, and what to do next, on stderr."""
    _say(f"{click.style('error:', fg='red', bold=True)} {error.message}")
    for line in error.details:
        _say(f"  {line}")
    if error.hint:
        _say(f"{click.style('hint:', fg='cyan')} {error.hint}")


def _say(line: str) -> None:
    """A line on stderr; when nobody reads it any more, the work goes on and the exit code tells."""
    with contextlib.suppress(OSError):
        click.echo(line, err=True)
