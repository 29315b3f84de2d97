"""
The folder that holds the state, and which of its checkpoints is the newest good one.

``checkpoints/<number>.checkpoint``, the newest two, and ``objects/``, the files they refer to. Whoever copies the
folder while LocalStack runs gets checkpoints first, by the order of names, and then at least the objects they need.
What is being written lies beside the folder: nothing in it ever grows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from multistack_localstack.state import checkpoint, object_files
from multistack_localstack.state.checkpoint import BrokenCheckpoint, Checkpoint

KEPT = 2
# While somebody may be copying the folder: a minute's, and some more.
KEPT_FOR_COPY = 100
_SUFFIX = ".checkpoint"
_BROKEN = ".broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A checkpoint's file; those with higher numbers are newer."""

    number: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    The newest state that can be used.

    Attributes:
        checkpoint: None when there is none.
        number: Of that checkpoint.
        broken: What stands in the way of newer state, a line for each file.
    """

    checkpoint: Checkpoint | None = None
    number: int = 0
    broken: tuple[str, ...] = ()


class StateFolder:
    """
    The state folder at *path*; made if it is missing.

    Raises:
        OSError: It can't be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints, self.objects = path / "checkpoints", path / "objects"
        self.aside = path.with_name(f".{path.name}-aside")
        for folder in (path, self.checkpoints, self.objects, self.aside):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def numbered(self) -> list[Numbered]:
        """The checkpoints, newest first."""
        found = [(path.stem, path) for path in self.checkpoints.glob(f"*{_SUFFIX}")]
        numbers = [Numbered(number=int(stem), path=path) for stem, path in found if stem.isdecimal()]
        return sorted(numbers, key=lambda each: each.number, reverse=True)

    def path_of(self, number: int) -> Path:
        """Where the checkpoint *number* lies."""
        return self.checkpoints / f"{number}{_SUFFIX}"

    def candidates(self) -> Iterable[tuple[Numbered, Checkpoint | BrokenCheckpoint]]:
        """
        Each checkpoint, newest first, or why it is broken.

        Raises:
            ForeignCheckpoint: Another emulator or a later image wrote one: nothing may take its place unasked.
        """
        for each in self.numbered():
            try:
                yield each, self.read(each)
            except BrokenCheckpoint as error:
                yield each, error

    def read(self, numbered: Numbered) -> Checkpoint:
        """A checkpoint whose objects are there; raises as :func:`checkpoint.read`."""
        found = checkpoint.read(numbered.path)
        if missing := object_files.missing(self.objects, dict(found.contents.objects)):
            raise BrokenCheckpoint(f"{numbered.path} is broken: {len(missing)} of its objects are missing or cut")
        return found

    def needed_objects(self) -> set[str]:
        """Names of the objects that some checkpoint refers to, whole or not."""
        needed: set[str] = set()
        for path in [*self.checkpoints.glob(f"*{_SUFFIX}"), *self.checkpoints.glob(f"*{_BROKEN}")]:
            with contextlib.suppress(checkpoint.CheckpointError):
                needed.update(checkpoint.read(path).contents.objects)
        return needed

    def put_aside(self, broken: Iterable[Numbered]) -> None:
        """Keep the newest of the *broken* ones, under a name that no later one gets; remove the others."""
        for old in self.checkpoints.glob(f"*{_BROKEN}"):
            with contextlib.suppress(OSError):
                old.unlink()
        for index, each in enumerate(broken):
            with contextlib.suppress(OSError):
                if index == 0:
                    each.path.rename(each.path.with_suffix(_BROKEN))
                else:
                    each.path.unlink()

    def prune(self, kept: int = KEPT) -> int:
        """Keep the newest ones; returns the number of the oldest that is left."""
        there = self.numbered()
        for each in there[kept:]:
            with contextlib.suppress(OSError):
                each.path.unlink()
        return there[:kept][-1].number if there else 0
