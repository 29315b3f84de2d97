"""A folder of rendered files: written whole, without a look at anything that somebody else put there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from emulator.errors import ConfigError, file_hint
from emulator.kubernetes.files import MARK
from emulator.process import write_atomically


def write_files(folder: Path, files: Mapping[str, str], *, mark: str) -> None:
    """
    Make *folder* hold *files*, and remove those of an earlier rendering that are no longer among them.

    Args:
        mark: The first line of all files of this project's renderings.

    Raises:
        ConfigError: It holds something else where one of them goes, or another project's; nothing was written.
            Or it can't be written.
    """
    try:
        before = _rendered(folder)
        _check(folder, files, before, mark)
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if before.get(target) != text:
                write_atomically(target, text.encode())
        _remove(folder, before.keys() - {folder / path for path in files})
    except OSError as error:
        raise ConfigError(
            f"--output: {error.filename or folder} can't be written: {error.strerror}", hint=file_hint(error)
        ) from error


def _rendered(folder: Path) -> dict[Path, str]:
    """Files in *folder* that a rendering wrote, with their text; what is behind a symbolic link is not in it."""
    places = [folder, folder / "base", *sorted((folder / "namespaces").glob("*"))]
    found = {}
    for place in places:
        if place != folder and (place.is_symlink() or not place.resolve().is_relative_to(folder.resolve())):
            continue
        for path in sorted(place.glob("*.yaml")):
            if path.is_file() and not path.is_symlink():
                text = path.read_text(encoding="utf-8", errors="replace")
                if text.startswith(MARK):
                    found[path] = text
    return found


def _check(folder: Path, files: Mapping[str, str], before: Mapping[Path, str], mark: str) -> None:
    for path, text in before.items():
        if not text.startswith(mark):
            raise ConfigError(
                f"--output: {path} was rendered for another project", hint="name another folder, or remove it"
            )
    for target in (folder / path for path in files):
        if target not in before and (target.exists() or target.is_symlink()):
            raise ConfigError(
                f"--output: {target} exists and was not rendered by multistack",
                hint="name another folder, or remove it",
            )


def _remove(folder: Path, stale: Iterable[Path]) -> None:
    for path in sorted(stale):
        path.unlink()
        if path.parent != folder:
            with contextlib.suppress(OSError):  # somebody's own file is in it
                path.parent.rmdir()
