"""Whether what a project was read from is still what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from emulator.variables_file import path_of


def stamp_of(file: Path, environments: Sequence[str]) -> str:
    """Hex SHA-256 of the project file and its files of variables; one that can't be read counts as empty."""
    digest = hashlib.sha256()
    for path in (file, *(path_of(file.parent, name) for name in sorted(environments))):
        try:
            content = path.read_bytes()
        except OSError:
            content = b""
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
