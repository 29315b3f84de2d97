"""Which folders are watched: each by itself and not with all below it, so that none has to be watched in vain."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from emulator.left_out import is_left_out, is_of_editor

# Installed packages: tens of thousands of files that nobody edits.
_INSTALLED = "node_modules"
# npm writes the second with each installation.
_INSTALLATION = (_INSTALLED, f"{_INSTALLED}/.package-lock.json")
_VENV = "pyvenv.cfg"
# What frameworks' own tools write while they package: watched, each build would lead to the next.
_WRITTEN = {".serverless", "cdk.out", ".chalice/deployments", ".terraform"}
_PROJECT_FILE = "multistack.toml"
_VARIABLES = ".env."
_COMPILED = (".js", ".js.map", ".d.ts")


def folders_to_watch(sources: Sequence[Path], root: Path) -> frozenset[Path]:
    """
    The folders of *sources*, files and folders of the service, and those of *root*, where tests and all else may be.

    Links are followed in *sources* only, as the build does, and each real folder is there once, so that a link into a
    loop ends. Of what is gone it is the nearest folder that is still there: it will be noticed when it comes back.
    """
    found = {_nearest(root)} | {_nearest(source) for source in sources}
    for source in sources:
        if source.is_dir():
            found |= _below(source, is_skipped=_is_not_edited)
    if root.is_dir():
        found |= _below(root, is_skipped=_is_no_source)
    return frozenset(found)


def _nearest(path: Path) -> Path:
    """The folder *path*, the one that it is in, or the first above it that exists."""
    path = Path(os.path.realpath(path))  # resolve() fails in a loop of links
    return next(one for one in (path, *path.parents) if one.is_dir())


def _is_written(path: Path) -> bool:
    return path.name in _WRITTEN or f"{path.parent.name}/{path.name}" in _WRITTEN


def _is_not_edited(folder: Path) -> bool:
    name = folder.name
    return is_left_out(name) or name == _INSTALLED or _is_written(folder) or (folder / _VENV).exists()


def _is_no_source(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.is_symlink() or _is_not_edited(folder)


def _below(folder: Path, *, is_skipped: Callable[[Path], bool]) -> set[Path]:
    """*folder* with all folders below it, each real one once."""
    found: set[Path] = set()
    waiting = [folder]
    while waiting:
        real = waiting.pop().resolve()
        if real in found:
            continue
        found.add(real)
        try:
            waiting += [below for below in real.iterdir() if below.is_dir() and not is_skipped(below)]
        except OSError:  # it went meanwhile, or nobody may read it: the build says so where it matters
            continue
    return found


def is_watched(path: Path) -> bool:
    """Whether a change of *path*, which is in a watched folder, may mean something."""
    if path.name == _PROJECT_FILE or (path.name.startswith(_VARIABLES) and not is_of_editor(path.name)):
        return True
    return not is_left_out(path.name) and not _is_written(path) and not _is_compiled(path)


def _is_compiled(path: Path) -> bool:
    """Whether a compiler puts it beside its TypeScript: a build that writes it must not start the next one."""
    stems = (path.name.removesuffix(suffix) for suffix in _COMPILED if path.name.endswith(suffix))
    return any(path.with_name(f"{stem}.ts").exists() for stem in stems)


def installed_in(folder: Path) -> list[Path]:
    """What tells of an installation of packages in *folder*, none of whose files is watched."""
    return [folder / name for name in _INSTALLATION]
