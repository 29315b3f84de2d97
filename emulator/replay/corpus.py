"""A corpus: requests and what they were answered, as a JSON-lines file for git and for editing by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.errors import ConfigError
from emulator.model import HttpAnswer, HttpRequest, Project
from emulator.replay.lines import VERSION, EntryLine, HeadLine, LostLine, body_of, parse_line
from emulator.settings import CORPUS_PATTERN

FOLDER = "corpora"
_SUFFIX = ".jsonl"
_NAME = re.compile(CORPUS_PATTERN)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One request of a corpus.

    Attributes:
        line: Where it stands in the file, the first line being 1.
        answer: None when nothing is known that it should be answered with.
    """

    line: int
    request: HttpRequest
    answer: HttpAnswer | None

    @property
    def is_write(self) -> bool:
        """Whether it may change the environment."""
        return self.request.method not in _READING


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """
    Attributes:
        environment: Where it was recorded; None when it was written by hand or comes from elsewhere.
        lost: Exchanges that the recording could not write down.
    """

    name: str
    environment: str | None
    entries: Sequence[Entry]
    lost: int = 0


def corpus_path(project: Project, name: str) -> Path:
    """
    The file of a corpus, whether it exists or not.

    Raises:
        ConfigError: *name* can't be one.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a corpus", hint="take up to 64 letters, digits, dots, dashes and underscores"
        )
    return project.root / FOLDER / f"{name}{_SUFFIX}"


def corpus_names(project: Project) -> list[str]:
    """Every corpus of the project, sorted."""
    names = (path.name.removesuffix(_SUFFIX) for path in (project.root / FOLDER).glob(f"*{_SUFFIX}"))
    return sorted(name for name in names if _NAME.fullmatch(name))


def read_corpus(path: Path, *, shown: str) -> Corpus:
    """
    Read and check a corpus.

    Args:
        shown: How messages name the file.

    Raises:
        ConfigError: It is missing or unreadable, or a line of it is wrong.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError as error:
        name = path.name.removesuffix(_SUFFIX)
        raise ConfigError(f"there is no corpus {shown}", hint=f"multistack record start {name}") from error
    except OSError as error:
        raise ConfigError(f"{shown} cannot be read: {error.strerror}") from error
    head = parse_line(HeadLine, lines[0], f"{shown}:1")
    if head.corpus != VERSION:
        raise ConfigError(f"{shown}:1: corpus {head.corpus} is of another multistack, which knows {VERSION}")
    entries: list[Entry] = []
    lost = 0
    for number, line in enumerate(lines[1:], start=2):
        where = f"{shown}:{number}"
        if line.lstrip().startswith(b'{"lost"'):
            lost += parse_line(LostLine, line, where).lost
        elif line.strip():
            entries.append(_entry(parse_line(EntryLine, line, where), number, where))
    return Corpus(name=path.name.removesuffix(_SUFFIX), environment=head.environment, entries=entries, lost=lost)


def _entry(line: EntryLine, number: int, where: str) -> Entry:
    asked, answered = line.request, line.answer
    body, length = body_of(asked, f"{where}: request")
    request = HttpRequest(
        method=asked.method, target=asked.target, headers=asked.headers, body=body, body_length=length
    )
    answer = None
    if answered is not None:
        body, length = body_of(answered, f"{where}: answer")
        answer = HttpAnswer(
            status=answered.status, headers=answered.headers, body=body, body_length=length, seconds=answered.seconds
        )
    return Entry(line=number, request=request, answer=answer)
