"""Which frameworks there are, and which one a folder or file is of."""

from __future__ import annotations

import re
from pathlib import Path

from emulator.frameworks.cloudformation import CloudFormation
from emulator.frameworks.sam import Sam
from emulator.frameworks.service import ServiceReader

_SUFFIXES = (".yaml", ".yml", ".json", ".template")
_TEMPLATE = re.compile(r'(?m)^\s*"?Resources"?\s*:(?s:.*)"?Type"?\s*:\s*["\']?(AWS|Custom)::')
# The first that recognises a file has it; CloudFormation takes what is left.
READERS: tuple[ServiceReader, ...] = (Sam(), CloudFormation())


def file_names() -> list[str]:
    """What a service's file may be called, the most likely first."""
    return list(dict.fromkeys(name for reader in READERS for name in reader.files))


def find_service(folder: Path) -> Path | None:
    """The file of the service in *folder*; None when there is none."""
    return next((folder / name for name in file_names() if _is_file(folder / name)), None)


def templates_in(folder: Path) -> list[Path]:
    """Files of *folder* that look like templates, whatever they are called."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and _is_file(path))
        return [path for path in files if _TEMPLATE.search(path.read_text(encoding="utf-8", errors="replace"))]
    except OSError:
        return []


def reader_of(path: Path) -> ServiceReader:
    """Who reads *path*, which need not be there."""
    return next(reader for reader in READERS if reader.recognises(path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
