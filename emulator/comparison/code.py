"""The code of two artifacts held against each other: which files came, went or changed in which functions."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator.comparison.structure import Kind
from emulator.errors import ArtifactError
from emulator.model import Artifact, Code


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """
    One file that differs between two archives.

    Attributes:
        functions: Logical ids of what runs it.
    """

    functions: tuple[str, ...]
    file: str
    kind: Kind


def code_changes(before: Artifact, after: Artifact) -> Iterator[FileChange]:
    """Each file that differs, once for all functions that share both archives."""
    sides = (_by_function(before), _by_function(after))
    pairs: dict[tuple[str, str], list[str]] = {}
    for function in sorted({*sides[0], *sides[1]}):
        old, new = (side[function].sha256 if function in side else "" for side in sides)
        if old != new:
            pairs.setdefault((old, new), []).append(function)
    for functions in pairs.values():
        old_files, new_files = (_files(side[functions[0]].path) if functions[0] in side else {} for side in sides)
        for name in sorted({*old_files, *new_files}):
            if old_files.get(name) != new_files.get(name):
                kind = Kind.CHANGED if name in old_files and name in new_files else None
                kind = kind or (Kind.ADDED if name in new_files else Kind.REMOVED)
                yield FileChange(functions=tuple(functions), file=name, kind=kind)


def _by_function(artifact: Artifact) -> Mapping[str, Code]:
    return {function: code for code in artifact.code for function in code.functions}


def _files(archive: Path) -> Mapping[str, tuple[int, int, int]]:
    """File to what tells its content and mode from another's, without reading it."""
    try:
        with zipfile.ZipFile(archive) as content:
            return {one.filename: (one.CRC, one.file_size, one.external_attr) for one in content.infolist()}
    except zipfile.BadZipFile as error:
        raise ArtifactError(f"{archive} is not a zip archive") from error
