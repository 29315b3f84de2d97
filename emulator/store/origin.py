"""
Which folder writes into a store, and from where.

That a list of spaces there is a folder's own is shown by the mark of its last write, which that folder alone has. No
name of the machine shows it, as two may have the same, nor does one that is made once, as folders are copied. So a
folder whose list was not the last to be written is found out, be it a copy, the original of one, or out of a backup.
"""

from __future__ import annotations

import platform
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from emulator.process import write_atomically

MARKS_FILE = "store.marks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """
    A state folder.

    Attributes:
        shown: Its machine and folder, for people.
        place: See :func:`place`.
    """

    state: Path
    shown: str
    place: str

    def marks(self) -> Sequence[str]:
        """Those of its last write, and of one that may have been made without its answer; none before the first."""
        try:
            return (self.state / MARKS_FILE).read_text("utf-8").split()
        except FileNotFoundError:
            return []

    def new_mark(self, found: str) -> str:
        """
        The mark of a write that follows *found*: kept first, so that it is known however the write ends.

        Raises:
            OSError: It can't be kept; the old ones are.
        """
        mark = secrets.token_hex(16)
        write_atomically(self.state / MARKS_FILE, f"{found} {mark}\n".encode())
        return mark


def here(state: Path) -> Origin:
    """*state* as a folder of this machine."""
    return Origin(state=state, shown=f"{socket.gethostname()}:{state}", place=place())


def place(proc: Path = Path("/proc")) -> str:
    """
    Where numbers of processes and loopback addresses mean what they mean here.

    That is one boot of a machine, and the namespaces of this process: no name, which others may have as well. Where
    the system tells of neither, as macOS does, the machine's name and when it was started are all there is.
    """
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except FileNotFoundError:
        return f"{platform.node()} {psutil.boot_time():.0f}"
    return " ".join([boot, *((proc / "self/ns" / name).readlink().name for name in ("net", "pid"))])
