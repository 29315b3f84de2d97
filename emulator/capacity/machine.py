"""What this machine has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil

from emulator.errors import MultistackError

# What a container may use of its machine's memory; a file that isn't there, or says max, limits nothing.
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def own_memory(*, total: Callable[[], int] = lambda: psutil.virtual_memory().total, cgroup: Path = _CGROUP) -> float:
    """
    Bytes that it has, or that this container may use of them.

    Raises:
        MultistackError: The system doesn't say.
    """
    try:
        memory = total()
    except (OSError, ValueError, KeyError, RuntimeError, psutil.Error) as error:
        raise MultistackError(
            f"this machine doesn't say how much memory it has: {error}", hint="say it: --memory 16GiB"
        ) from error
    return min(memory, _allowed(cgroup) or memory)


def own_cores() -> float:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def _allowed(cgroup: Path) -> int | None:
    try:
        text = cgroup.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
