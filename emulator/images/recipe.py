"""What our image is made from: the files of ``compose/localstack``, their hash, and the same as a build context."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import emulator
from emulator.errors import MultistackError

_PACKAGE = Path(emulator.__file__).parent
# In an installed wheel, and in a clone.
_PLACES = (_PACKAGE / "compose" / "localstack", _PACKAGE.parent / "compose" / "localstack")
# Tests don't change what the image does; caches and what a build leaves are no files of ours.
_LEFT_OUT = {"tests", "__pycache__", "build", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
# Filled for the time of a build only, from this machine's settings.
HOST = "host"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The files an image is made from, by their path in the build context."""

    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """Names the content of all files; an image carries it as a label."""
        total = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            total.update(f"{name}\0{len(data)}\0".encode())
            total.update(data)
        return total.hexdigest()

    def context(self, host: Mapping[str, bytes]) -> bytes:
        """
        A build context: a tar of all files.

        Args:
            host: Files for the folder ``host``: settings of this machine, no part of what the image is.
        """
        packed = io.BytesIO()
        added = {f"{HOST}/{name}": data for name, data in host.items()}
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, data in sorted({**self.files, **added}.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o644
                tar.addfile(entry, io.BytesIO(data))
        return packed.getvalue()


def read_recipe(folder: Path | None = None) -> Recipe:
    """
    The recipe that came with this version of multistack.

    Raises:
        MultistackError: It is missing: the installation is damaged.
    """
    found = folder or next((place for place in _PLACES if (place / "Dockerfile").is_file()), None)
    if found is None:
        raise MultistackError(
            f"the image's recipe is missing: there is no {_PLACES[0]}", hint="install multistack again"
        )
    return Recipe({name: path.read_bytes() for name, path in _files(found)})


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        is_left_out = any(part in _LEFT_OUT or part.endswith(".egg-info") for part in relative.parts)
        if path.is_file() and not is_left_out:
            yield str(relative), path
