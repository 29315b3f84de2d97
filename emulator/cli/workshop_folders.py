"""Which workshop and which lab a command means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emulator.cli.context import Context

if TYPE_CHECKING:
    from emulator.workshop.lab import Lab
    from emulator.workspace import Workspace


def root_to_start(given: Path | None) -> Path:
    """The workshop's folder, which need not be there: the one that is named or that this is in, else ``./workshop``."""
    from emulator.workshop.folder import DEFAULT, search_root

    cwd = Path.cwd()
    return given.absolute() if given else search_root(cwd) or cwd / DEFAULT


def open_project(folder: Path, *, is_quiet: bool = False) -> Workspace:
    """The project in a lab's folder, whatever project this command was started in."""
    from emulator.workshop.folder import PROJECT_FILE

    return Context(file=folder / PROJECT_FILE).workspace(is_quiet=is_quiet)


def find_lab(number: int) -> Lab:
    """
    A lab by its number.

    Raises:
        ConfigError: There is none.
    """
    from emulator.errors import ConfigError
    from emulator.workshop.labs import LABS

    found = next((lab for lab in LABS if lab.number == number), None)
    if found is None:
        raise ConfigError(f"there is no lab {number}", hint="`multistack workshop list` shows all")
    return found


def started(number: int) -> tuple[Path, Lab]:
    """
    The workshop's folder and a lab in it.

    Raises:
        ConfigError: There is no such lab.
        MultistackError: It was not started.
    """
    from emulator.errors import MultistackError
    from emulator.workshop.folder import find_root

    lab = find_lab(number)
    root = find_root(Path.cwd())
    if not (root / lab.folder).is_dir():
        raise MultistackError(f"lab {number} was not started", hint=f"multistack workshop start {number}")
    return root, lab
