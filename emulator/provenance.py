"""Where an artifact came from: kept beside it, and no part of its digest."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from emulator import git
from emulator.clock import Clock
from emulator.model import Project
from emulator.process import write_atomically

FILE = "provenance.json"
_TOOLS = ("multistack-emulator", "aws-sam-translator", "aws-lambda-builders")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """
    The first build of an artifact.

    Attributes:
        commit: Of git; None where there is none.
        is_dirty: Whether the service's folder had changes that were not committed.
        tools: Name to version of what took part.
        at: In UTC, ISO 8601.
    """

    service: str
    commit: str | None
    branch: str | None
    is_dirty: bool
    tools: dict[str, str]
    at: str
    by: str


def record(folder: Path, project: Project, *, now: Clock) -> None:
    """Write where the artifact in *folder* came from, unless an earlier build did."""
    if (folder / FILE).exists():
        return
    commit = git.line(project.root, "rev-parse", "HEAD")
    found = Provenance(
        service=project.service,
        commit=commit,
        branch=git.line(project.root, "branch", "--show-current") if commit else None,
        is_dirty=bool(commit and git.line(project.root, "status", "--porcelain", "--", ".")),
        tools={"python": platform.python_version(), **{name: version(name) for name in _TOOLS}},
        at=now().isoformat(timespec="seconds"),
        by=project.user,
    )
    write_atomically(folder / FILE, json.dumps(asdict(found), indent=2).encode())


def read(folder: Path) -> Provenance | None:
    """What is on record of the artifact in *folder*; None when nothing is, or not as it was written."""
    try:
        return Provenance(**json.loads((folder / FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
