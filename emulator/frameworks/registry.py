"""Which frameworks there are, and which one a folder or file is of."""

from __future__ import annotations

from pathlib import Path

from emulator.frameworks.cloudformation import CloudFormation
from emulator.frameworks.sam import Sam
from emulator.frameworks.service import ServiceReader

# The first that recognises a file has it; CloudFormation takes what is left.
READERS: tuple[ServiceReader, ...] = (Sam(), CloudFormation())


def file_names() -> list[str]:
    """What a service's file may be called, the most likely first."""
    return list(dict.fromkeys(name for reader in READERS for name in reader.files))


def find_service(folder: Path) -> Path | None:
    """The file of the service in *folder*; None when there is none."""
    return next((folder / name for name in file_names() if _is_file(folder / name)), None)


def reader_of(path: Path) -> ServiceReader:
    """Who reads *path*, which need not be there."""
    return next(reader for reader in READERS if reader.recognises(path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
