"""The folder that holds all state of a project: deployed secrets and data, so for its owner only, and never in git."""

from __future__ import annotations

import contextlib
from pathlib import Path

from emulator.model import STATE_FOLDER
from emulator.process import write_atomically

IGNORE_FILE = ".gitignore"
# The lab has a project of its own, in the state folder beside which it was made.
LAB_FOLDER = "lab"
_OTHERS = 0o077


def make_state_folder(state: Path) -> None:
    """
    Make *state*, or close to others one that was made before they were kept out.

    Raises:
        OSError: It can't be made, or can't be closed.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = state.stat().st_mode
    if mode & _OTHERS:
        with contextlib.suppress(PermissionError):  # somebody else's folder, which is theirs to close
            state.chmod(mode & 0o7700)
    ignore = state / IGNORE_FILE
    if not ignore.exists():
        with contextlib.suppress(OSError):  # on a full disk `down` must work nevertheless
            write_atomically(ignore, b"*\n")


def is_lab(folder: Path) -> bool:
    """Whether *folder* is that of a lab's project."""
    return (folder.name, folder.parent.name) == (LAB_FOLDER, STATE_FOLDER)
