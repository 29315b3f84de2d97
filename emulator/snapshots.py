"""
Snapshots on disk: ``snapshots/<name>/<environment>/`` holds a ``snapshot.json`` and the saved ``state/``.

A snapshot is written aside and renamed, and renamed before it is removed: whoever is killed leaves the old or the new.
Names that begin with a dot are such leavings; :meth:`Snapshots.sweep` puts them right.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from emulator.errors import ConfigError, MultistackError
from emulator.model import Api, Release
from emulator.process import write_atomically

FORMAT = 1
_ABOUT = "snapshot.json"
_STATE = "state"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")
# Of a snapshot that is being made; of one that is being replaced; of what goes.
_NEW, _OLD, _GONE = ".new", ".old-", ".gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """
    The state of one environment at one moment, and whose it is.

    Attributes:
        driver_version: Name and version of the emulator, e.g. ``ministack 1.5.33``.
        release: What the environment served; None when nothing had been deployed.
        at: When it was taken, in UTC.
    """

    name: str
    environment: str
    service: str
    driver: str
    driver_version: str
    account_id: str
    region: str
    at: datetime
    release: Release | None = None
    apis: Sequence[Api] = ()
    skipped: Sequence[str] = ()


class Snapshots:
    """
    All snapshots of one project.

    Args:
        root: The folder they are in; it need not exist.
        order: The project's environments, in order of promotion.
    """

    def __init__(self, root: Path, *, order: Sequence[str] = ()) -> None:
        self._root = root
        self._places = {name: number for number, name in enumerate(order)}

    def names(self) -> list[str]:
        """The name of every snapshot, sorted; one that is just being replaced is there too."""
        try:
            entries = [entry.name for entry in self._root.iterdir() if entry.is_dir()]
        except FileNotFoundError:
            return []
        return sorted({entry.removeprefix(_OLD) for entry in entries if not entry.startswith((_NEW, _GONE))})

    def environments(self, name: str) -> list[str]:
        """
        Which environments snapshot *name* holds: those of the project in order of promotion, then others by name.

        Raises:
            ConfigError: There is no such snapshot.
        """
        if name not in self.names():
            raise _unknown(name, self.names())
        held = [entry.name for entry in self._folder(name).iterdir() if not entry.name.startswith(".")]
        return self._in_order(held)

    def _in_order(self, environments: Iterable[str]) -> list[str]:
        return sorted(environments, key=lambda name: (self._places.get(name, len(self._places)), name))

    def find(self, name: str, environment: str) -> Snapshot:
        """
        What snapshot *name* says about the state that it holds of *environment*.

        Raises:
            ConfigError: It holds none of it.
            MultistackError: It is broken, or a later multistack wrote it.
        """
        held = self.environments(name)
        if environment not in held:
            raise ConfigError(
                f"snapshot {name} holds no state of {environment}", hint=f"it holds: {', '.join(held) or 'nothing'}"
            )
        return _read(self._folder(name) / environment / _ABOUT, name, environment)

    def state(self, name: str, environment: str) -> Path:
        """The folder of a saved state, as its driver wrote it."""
        return self._folder(name) / environment / _STATE

    def size(self, name: str, environment: str) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in (self._folder(name) / environment).rglob("*") if path.is_file())

    @contextlib.contextmanager
    def making(self, name: str, environments: Sequence[str], *, replace: bool) -> Iterator[Path]:
        """
        Put a new snapshot together in the yielded folder; it gets its name when everything is in it, or never.

        Args:
            environments: What it will hold.
            replace: Take the place of a snapshot of that name.

        Raises:
            ConfigError: The name can't be one, or is taken; or replacing would lose an environment that isn't in it.
        """
        self._check_new(name, environments, replace=replace)
        with self.aside() as folder:
            yield folder
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o700 if path.is_dir() else 0o600)
            if (self._root / name).exists():
                (self._root / name).rename(self._root / f"{_OLD}{name}")
            folder.rename(self._root / name)
            shutil.rmtree(self._root / f"{_OLD}{name}", ignore_errors=True)

    def _check_new(self, name: str, environments: Sequence[str], *, replace: bool) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{name!r} can't be the name of a snapshot",
                hint="use up to 30 lower-case letters, digits and hyphens, a letter first, no hyphen last",
            )
        if name not in self.names():
            return
        held = self.environments(name)
        if not replace:
            raise ConfigError(
                f"there is a snapshot {name} already, of {', '.join(held) or 'nothing'}",
                hint="add --replace, or take another name",
            )
        if lost := [other for other in held if other not in environments]:
            raise ConfigError(
                f"snapshot {name} also holds {', '.join(lost)}, which replacing it would lose",
                hint=self._both_ways(name, environments, lost),
            )

    def _both_ways(self, name: str, environments: Sequence[str], lost: Sequence[str]) -> str:
        """What to type to keep the *lost* ones in a new snapshot, where the project still has them, or to lose them."""
        delete = f"`multistack snapshot delete {name} {' '.join(lost)}` first"
        if not all(one in self._places for one in lost):
            return f"run {delete}"
        together = " ".join(self._in_order({*environments, *lost}))
        return f"save all of them with `multistack snapshot save --replace {name} {together}`, or run {delete}"

    @contextlib.contextmanager
    def aside(self) -> Iterator[Path]:
        """An empty folder that nobody takes for a snapshot; removed at the end, unless it was renamed."""
        folder = self._root / _NEW
        shutil.rmtree(folder, ignore_errors=True)
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def delete(self, name: str, environments: Sequence[str]) -> list[str]:
        """
        Delete snapshot *name*, or only its state of *environments*; returns what went.

        Raises:
            ConfigError: There is no such snapshot, or it holds none of one of them.
        """
        held = self.environments(name)
        for environment in environments:
            if environment not in held:
                raise ConfigError(
                    f"snapshot {name} holds no state of {environment}", hint=f"it holds: {', '.join(held)}"
                )
        going = [environment for environment in held if environment in environments or not environments]
        folders = [self._folder(name)] if going == held else [self._folder(name) / one for one in going]
        gone = self._root / _GONE
        for folder in folders:
            shutil.rmtree(gone, ignore_errors=True)
            folder.rename(gone)  # needs no space: a full disk may be why it goes
        shutil.rmtree(gone, ignore_errors=True)
        return going

    def sweep(self) -> None:
        """Put right what a killed command left: called by whoever alone changes the project."""
        if not self._root.is_dir():
            return
        for entry in list(self._root.iterdir()):
            kept = self._root / entry.name.removeprefix(_OLD)
            if entry.name.startswith(_OLD) and not kept.exists():
                entry.rename(kept)
            elif entry.name.startswith("."):
                shutil.rmtree(entry, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        folder = self._root / name
        return folder if folder.exists() else self._root / f"{_OLD}{name}"


def describe(folder: Path, snapshot: Snapshot) -> Path:
    """Write what *snapshot* says into its folder below *folder*; returns where the state belongs."""
    own = folder / snapshot.environment
    own.mkdir(mode=0o700)
    content = {"format": FORMAT, **asdict(snapshot), "at": snapshot.at.isoformat()}
    write_atomically(own / _ABOUT, json.dumps(content, indent=2).encode())
    return own / _STATE


def _read(path: Path, name: str, environment: str) -> Snapshot:
    place = f"snapshot {name} of {environment}"
    try:
        content = json.loads(path.read_bytes())
        if content["format"] > FORMAT:
            raise MultistackError(
                f"{place} has format {content['format']}, newer than this multistack knows ({FORMAT})",
                hint="use the multistack that took it, or a later one",
            )
        return _parse(content, name, environment)
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not as it was written"
        raise broken(name, environment, f"{_ABOUT}: {why}") from error


def broken(name: str, environment: str, reason: str) -> MultistackError:
    """What to say about a snapshot that was damaged, and what to do with it."""
    return MultistackError(
        f"snapshot {name} of {environment} is broken: {reason}", hint=f"multistack snapshot delete {name} {environment}"
    )


def _parse(content: dict[str, Any], name: str, environment: str) -> Snapshot:
    """Named after where it lies: a folder may have been renamed by hand."""
    return Snapshot(
        name=name,
        environment=environment,
        service=str(content["service"]),
        driver=str(content["driver"]),
        driver_version=str(content["driver_version"]),
        account_id=str(content["account_id"]),
        region=str(content["region"]),
        at=datetime.fromisoformat(content["at"]),
        release=Release(**content["release"]) if content["release"] else None,
        apis=tuple(Api(**api) for api in content["apis"]),
        skipped=tuple(content["skipped"]),
    )


def _unknown(name: str, names: Sequence[str]) -> ConfigError:
    near = get_close_matches(name, names, n=1)
    known = (
        f"snapshots: {', '.join(names)}" if names else "there is none yet; `multistack snapshot save NAME` takes one"
    )
    return ConfigError(f"there is no snapshot {name}", hint=f"did you mean {near[0]}?" if near else known)
