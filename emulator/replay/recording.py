"""Whether requests are being recorded, and into which corpus: a file that commands write and the proxy reads."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from emulator.process import write_atomically
from emulator.watched_file import WatchedFile

RECORDING_FILE = "recording.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """
    A recording that goes on.

    Attributes:
        path: The corpus's file, absolute.
        environment: Whose requests are recorded.
    """

    name: str
    path: Path
    environment: str


def write_recording(file: Path, recording: Recording) -> None:
    """Let the proxy record from now on."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"name": recording.name, "path": str(recording.path), "environment": recording.environment}
    write_atomically(file, json.dumps(content).encode())


def read_recording(file: Path) -> Recording | None:
    """What is being recorded; None for nothing."""
    try:
        content = json.loads(file.read_bytes())
        return Recording(name=str(content["name"]), path=Path(content["path"]), environment=str(content["environment"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def end_recording(file: Path) -> None:
    """Let the proxy record nothing from now on."""
    with contextlib.suppress(FileNotFoundError):
        file.unlink()


def watch_recording(file: Path) -> WatchedFile[Recording | None]:
    """What is being recorded, as the proxy asks with every request; None while nothing is."""
    return WatchedFile(file, read_recording, missing=None)
