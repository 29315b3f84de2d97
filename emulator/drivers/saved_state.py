"""
The files that hold the state of an embedded environment, and copies of them.

In ``state``: ``checkpoints/<number>.checkpoint``, the newest two kept, and beside them what MiniStack keeps as files
(objects, code of functions, keys). A copy is a folder of ``checkpoint`` and ``files/``; see
:class:`emulator.drivers.base.Driver`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emulator import checkpoint
from emulator.errors import MultistackError, file_hint
from emulator.model import Environment

STATE = "state"
FOLDER = "checkpoints"
SUFFIX = ".checkpoint"
KEPT = 2
_CHECKPOINT = "checkpoint"
_FILES = "files"
_OLD_MARK = "__ministack_format__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    The newest state that can be read.

    Attributes:
        header: None for state of the multistack before checkpoints.
        payload: See :class:`emulator.drivers.base.Driver`; None when no state can be read.
        broken: What stands in the way of newer state, a line for each file.
    """

    header: checkpoint.Header | None = None
    payload: bytes | None = None
    broken: tuple[str, ...] = ()


def numbered(state: Path) -> list[tuple[int, Path]]:
    """The checkpoints in *state*, newest first."""
    found = [(path.stem, path) for path in (state / FOLDER).glob(f"*{SUFFIX}")]
    return sorted(((int(stem), path) for stem, path in found if stem.isdecimal()), reverse=True)


def newest(state: Path) -> Found:
    """
    The newest good checkpoint of *state*, or what the multistack before checkpoints left there.

    Raises:
        NewerCheckpoint: A later multistack wrote one: nothing older may take its place.
    """
    broken: list[str] = []
    for _, path in numbered(state):
        try:
            header, payload = checkpoint.read(path)
        except checkpoint.BrokenCheckpoint as error:
            broken.append(error.message)
        else:
            return Found(header=header, payload=payload, broken=tuple(broken))
    return Found(payload=None if broken else _before_checkpoints(state), broken=tuple(broken))


def refuse_newer(state: Path) -> None:
    """
    Look at the first lines of the checkpoints in *state*.

    Raises:
        NewerCheckpoint: A later multistack wrote one.
    """
    for _, path in numbered(state):
        with contextlib.suppress(checkpoint.BrokenCheckpoint):
            checkpoint.read_header(path)


def _before_checkpoints(state: Path) -> bytes | None:
    """MiniStack's own files, one for each service, as one payload."""
    services: dict[str, bytes] = {}
    for path in sorted(state.glob("*.json")):
        content = path.read_bytes()
        with contextlib.suppress(ValueError):  # MiniStack, too, goes on without one that was cut
            if _OLD_MARK in json.loads(content):
                services[path.stem] = content
    return join(services) if services else None


def remove(state: Path, pattern: str) -> None:
    """Remove what of that *pattern* lies beside the checkpoints in *state*; what can't be removed stays."""
    for path in (state / FOLDER).glob(pattern):
        with contextlib.suppress(OSError):
            path.unlink()


def join(services: dict[str, bytes]) -> bytes:
    """A payload of the states of services, which are JSON already."""
    return b"{" + b",\n".join(json.dumps(name).encode() + b":" + state for name, state in services.items()) + b"}"


def write_copy(folder: Path, fill: Callable[[Path], None]) -> None:
    """
    Let *fill* fill a new folder, which then becomes *folder* in one step.

    Raises:
        MultistackError: It exists, or can't be written; nothing stays behind.
    """
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        if folder.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside.mkdir(mode=0o700)
        fill(aside)
        aside.rename(folder)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise MultistackError(f"can't write {folder}: {error.strerror or error}", hint=file_hint(error)) from error
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def fill_copy(aside: Path, state: Path, header: checkpoint.Header, payload: bytes) -> None:
    """What a copy consists of."""
    checkpoint.write(aside / _CHECKPOINT, header, payload)
    copy_files(state, aside / _FILES)


def copy_files(state: Path, target: Path) -> None:
    """What MiniStack keeps in *state* beside its checkpoints; a file that vanishes meanwhile is left out."""
    target.mkdir(mode=0o700)
    for path in sorted(state.glob("*")):
        if path.is_dir() and path.name != FOLDER:
            _copy_tree(path, target / path.name)
        elif path.is_file() and path.suffix not in (".json", ".tmp"):
            _copy_file(path, target / path.name)


def _copy_tree(source: Path, target: Path) -> None:
    """Ends at the first file that can't be written; shutil's goes on, and then no error has the reason."""
    target.mkdir(mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        for path in list(source.iterdir()):
            copy = _copy_tree if path.is_dir() and not path.is_symlink() else _copy_file
            copy(path, target / path.name)


def _copy_file(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(source, target, follow_symlinks=False)
        if not target.is_symlink():
            target.chmod(0o600)


def read_copy(folder: Path) -> tuple[checkpoint.Header, bytes]:
    """The checkpoint of a copy; raises as :func:`emulator.checkpoint.read`."""
    return checkpoint.read(folder / _CHECKPOINT)


def check_owner(folder: Path, environment: Environment, *, version: str) -> None:
    """
    Compare the copy *folder* with who shall get it; *version* is the driver's.

    Raises:
        MultistackError: It is of another emulator, account or region, or broken.
    """
    header, _ = read_copy(folder)
    for what, saved, own in (
        ("emulator", header.emulator.split()[0], version.split(maxsplit=1)[0]),
        ("account", header.account_id, environment.account_id),
        ("region", header.region, environment.region),
    ):
        if saved != own:
            raise MultistackError(
                f"environment {environment.name} can't take the state in {folder}: its {what} is {saved}, not {own}"
            )


def add_files(folder: Path, state: Path) -> None:
    """Put what the copy *folder* has beside its checkpoint into *state*; raises OSError."""
    if (folder / _FILES).is_dir():
        shutil.copytree(folder / _FILES, state, dirs_exist_ok=True)


def as_state(folder: Path, state: Path) -> None:
    """Make the new folder *state* from the copy *folder*; raises OSError."""
    files = folder / _FILES
    if files.is_dir():
        _copy_tree(files, state)
    else:
        state.mkdir(mode=0o700)
    (state / FOLDER).mkdir(mode=0o700)
    shutil.copy(folder / _CHECKPOINT, state / FOLDER / f"1{SUFFIX}")
