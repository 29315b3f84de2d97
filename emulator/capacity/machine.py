"""What this machine has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil

from emulator.capacity.limits import Machine
from emulator.errors import MultistackError

# What a container may use of its machine's memory; a file that isn't there, or says max, limits nothing.
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def this_machine(
    *, total: Callable[[], int] = lambda: psutil.virtual_memory().total, cgroup: Path = _CGROUP
) -> Machine:
    """
    Its memory and the cores that this process may use.

    Raises:
        MultistackError: The system doesn't say how much memory there is.
    """
    try:
        memory = total()
    except (OSError, ValueError, KeyError, RuntimeError, psutil.Error) as error:
        raise MultistackError(
            f"this machine doesn't say how much memory it has: {error}", hint="say it: --memory 16GiB"
        ) from error
    return Machine(memory=min(memory, _allowed(cgroup) or memory), cores=len(os.sched_getaffinity(0)))


def _allowed(cgroup: Path) -> int | None:
    try:
        text = cgroup.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
