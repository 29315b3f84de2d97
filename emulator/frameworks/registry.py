"""Which frameworks there are, and which one a folder or file is of."""

from __future__ import annotations

import re
from pathlib import Path

from emulator.frameworks.cdk import Cdk
from emulator.frameworks.chalice import Chalice
from emulator.frameworks.cloudformation import CloudFormation
from emulator.frameworks.foreign import FOREIGN
from emulator.frameworks.sam import Sam
from emulator.frameworks.serverless import Serverless
from emulator.frameworks.service import ServiceReader
from emulator.frameworks.services import Services
from emulator.settings import TEMPLATE_NAMES

# The first that recognises a file has it; CloudFormation takes what is left.
READERS: tuple[ServiceReader, ...] = (Serverless(), Cdk(), Chalice(), Sam(), *FOREIGN, CloudFormation())
_SUFFIXES = (".yaml", ".yml", ".json", ".template")
_TEMPLATE = re.compile(r'(?s)\bResources["\']?\s*:.*\bType["\']?\s*:\s*["\']?(AWS|Custom)::')


def file_names() -> list[str]:
    """What a service's file may be called, the most likely first."""
    return list(dict.fromkeys(name for reader in READERS for name in reader.files))


def looked_for() -> str:
    """The files that a service is found by, for a sentence."""
    others = [reader.name for reader in READERS if not set(reader.files) & set(TEMPLATE_NAMES)]
    return f"{', '.join(TEMPLATE_NAMES)}, and files of {', '.join(others)}"


def find_service(folder: Path) -> Path | None:
    """The file of the service in *folder*; None when there is none."""
    return next((folder / name for name in file_names() if _is_file(folder / name)), None)


def project_folder(path: Path) -> Path:
    """The folder in which *path* would be found as the file of a service."""
    for name in (Path(one) for one in file_names() if "/" in one):
        if path.parts[-len(name.parts) :] == name.parts:
            return path.parents[len(name.parts) - 1]
    return path.parent


def templates_in(folder: Path) -> list[Path]:
    """Files of *folder* that look like templates, whatever they are called."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and _is_file(path))
        return [path for path in files if _TEMPLATE.search(path.read_text(encoding="utf-8", errors="replace"))]
    except OSError:
        return []


def _reader_of_one(path: Path) -> ServiceReader:
    return next(reader for reader in READERS if reader.recognises(path))


_SERVICES = Services(_reader_of_one, find_service)


def reader_of(path: Path) -> ServiceReader:
    """Who reads *path*, which need not be there: a framework's file, or a project file that lists several services."""
    return _SERVICES if _SERVICES.recognises(path) else _reader_of_one(path)


def framework_of(path: Path) -> str:
    """What *path* is of, as its users write it; of several services, each."""
    return _SERVICES.described(path) if _SERVICES.recognises(path) else _reader_of_one(path).name


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
