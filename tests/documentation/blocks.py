"""
The shell blocks of a page and what comments that no reader sees say about them.

A fenced block whose language is ``console`` holds commands after ``$ `` and what they print; one whose language is
``sh`` holds commands only. Comments stand before the block that they are about::

    <!-- docs-test: skip needs a Docker engine -->     nothing of it is run; a reason is required
    <!-- docs-test: exits 7 -->                        the last command ends with 7; `exits nonzero` with anything but 0
    <!-- docs-test: wait 20 -->                        the last command is repeated until it succeeds, for 20 s at most
    <!-- docs-test: example values are made up -->     it runs, what it prints is not compared; a reason is required
    <!-- docs-test: fresh -->                          from here on in a fresh clone
    <!-- docs-test: run cp -r … -->                    commands that a reader doesn't need, also several lines;
                                                       projects to copy are in $DOCS_PROJECTS

A command under which a line ``error: …`` or an HTTP error is printed must fail, and one before ``echo $?`` end with
what that prints; every other one must succeed, ``curl`` with a status below 400.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

SHELL = ("console", "sh")
PROMPT, CONTINUED, ASKS = "$ ", "> ", "echo $?"
_MARKER = re.compile(r"<!-- docs-test: (\w+)\s*(.*?)\s*-->", re.DOTALL)
_FAILED = re.compile(r"error: |HTTP/[\d.]+ [45]")
_NEEDS = {"skip": "a reason", "example": "a reason", "exits": "an exit code", "wait": "seconds", "run": "commands"}


class BlockError(ValueError):
    """A marker or block that nobody can run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """
    What is given to the shell at once.

    Attributes:
        line: Where it stands in the page, from 1.
        printed: What the page shows as its output; None where that is not to be compared.
        exits: The exit code, or ``nonzero``.
        wait: Seconds to repeat it until it ends so.
    """

    line: int
    text: str
    printed: Sequence[str] | None = None
    exits: str = "0"
    wait: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A shell block; *commands* begins with those of its comments."""

    line: int
    commands: Sequence[Command] = ()
    skipped: str = ""
    is_fresh: bool = False


@dataclass(slots=True)
class _Markers:
    """The comments since the last block."""

    values: dict[str, str] = field(default_factory=dict)
    hidden: list[Command] = field(default_factory=list)

    def take(self, text: str, line: int) -> None:
        for name, value in _MARKER.findall(text):
            if name != "fresh" and name not in _NEEDS:
                raise BlockError(f"line {line}: there is no marker {name}")
            if name in _NEEDS and not value:
                raise BlockError(f"line {line}: {name} needs {_NEEDS[name]}")
            if name == "run":
                self.hidden.append(Command(line=line, text=f"set -e\n{value}\nset +e"))
            else:
                self.values[name] = value


def fences(text: str) -> list[Token]:
    """Every fenced block of a page, those in lists and quotes too."""
    return [token for token in MarkdownIt().parse(text) if token.type == "fence"]


def language(fence: Token) -> str:
    """The language of a fenced block; ``console`` where there is none and a line begins with a prompt."""
    named = str(fence.info).strip()
    has_prompt = any(line.startswith(PROMPT) for line in fence.content.splitlines())
    return named or ("console" if has_prompt else "")


def blocks_of(text: str) -> list[Block]:
    """The shell blocks of a page, in their order."""
    markers, found = _Markers(), []
    for token in MarkdownIt().parse(text):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "html_block":
            markers.take(token.content, line)
        elif token.type == "fence" and language(token) in SHELL:
            found.append(_block(token, line, markers))
            markers = _Markers()
    if markers.hidden or markers.values:
        raise BlockError("no shell block stands under the last marker")
    return found


def pages_in(folder: Path) -> list[Path]:
    """The pages whose shell blocks are run."""
    roots = [folder / "README.md", folder / "CONTRIBUTING.md", folder / "sample_service" / "README.md"]
    return [path for path in [*roots, *sorted((folder / "docs").rglob("*.md"))] if blocks_of(path.read_text("utf-8"))]


def _block(fence: Token, line: int, markers: _Markers) -> Block:
    values = markers.values
    if "skip" in values:
        return Block(line=line, skipped=values["skip"])
    typed = _typed(fence, line + 1) if language(fence) == "console" else [_script(fence.content, line + 1)]
    if not typed:
        raise BlockError(f"line {line}: no line of this block begins with {PROMPT!r}")
    followers = [*typed[1:], None]
    is_compared = "example" not in values
    commands = [_expecting(one, next_one, is_compared) for one, next_one in zip(typed, followers, strict=True)]
    last = commands[-1]
    commands[-1] = Command(
        line=last.line,
        text=last.text,
        printed=last.printed,
        exits=values.get("exits", last.exits),
        wait=int(values.get("wait", 0)),
    )
    return Block(line=line, commands=(*markers.hidden, *commands), is_fresh="fresh" in values)


def _script(content: str, line: int) -> Command:
    return Command(line=line, text=f"set -e\n{content}set +e", printed=None)


def _typed(fence: Token, first: int) -> list[Command]:
    """The commands after prompts, each with what stands under it."""
    found: list[tuple[int, list[str], list[str]]] = []
    for number, row in enumerate(fence.content.splitlines(), first):
        if row.startswith(PROMPT):
            found.append((number, [row.removeprefix(PROMPT)], []))
        elif found and not found[-1][2] and (row.startswith(CONTINUED) or found[-1][1][-1].endswith("\\")):
            found[-1][1].append(row.removeprefix(CONTINUED))
        elif found:
            found[-1][2].append(row)
    return [Command(line=line, text="\n".join(text), printed=printed) for line, text, printed in found]


def _expecting(command: Command, follower: Command | None, is_compared: bool) -> Command:
    """The command with the exit code that its page shows."""
    exits = "nonzero" if any(_FAILED.match(row) for row in command.printed or ()) else "0"
    if follower and follower.text == ASKS and follower.printed:
        exits = follower.printed[0]
    printed = command.printed if is_compared else None
    return Command(line=command.line, text=command.text, printed=printed, exits=exits)
