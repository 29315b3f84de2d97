"""One command at a time changes a project; a second one waits its turn."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from emulator.errors import MultistackError, NotReady
from emulator.events import Emit, Event
from emulator.state import make_state_folder


@contextlib.contextmanager
def exclusive(state: Path, command: str, *, emit: Emit, wait: bool = True) -> Iterator[None]:
    """
    Hold the project's lock. The kernel frees it when the process ends, however it ends.

    Args:
        state: The project's state folder.
        command: What runs, for whoever waits to read.
        wait: For another command to end.

    Raises:
        NotReady: Another command holds it, and *wait* is False.
        MultistackError: The state folder can't be written.
    """
    try:
        make_state_folder(state)
        lock = (state / "command.lock").open("ab+", buffering=0)
    except OSError as error:
        raise MultistackError(
            f"can't write {state}: {error.strerror}", hint="check its owner and permissions"
        ) from error
    with lock:
        is_waiting = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not is_waiting:
                    lock.seek(0)
                    other = lock.read().decode().strip() or "multistack"
                    if not wait:
                        raise NotReady(
                            f"another command changes this project: {other}", hint="leave --no-wait out to wait for it"
                        ) from None
                    emit(Event(None, "waiting", f"for another command: {other}"))
                    is_waiting = True
                time.sleep(0.05)
        with contextlib.suppress(OSError):  # only told to whoever waits; on a full disk `down` must work nevertheless
            lock.truncate(0)
            lock.write(f"multistack {command} (pid {os.getpid()})".encode())
        yield
