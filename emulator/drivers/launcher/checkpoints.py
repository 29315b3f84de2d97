"""
Checkpoints while the emulator runs: after a burst of writes has settled, and at least every second while it goes on.

A forked copy of the process writes it, not a thread. Measured on two cores with 1,000 DynamoDB items and eight
connections that put: the emulator spends 3 % more processor time per request either way, but the longest request waits
30 ms beside copies (which spend as much again on the other core, with low priority) and 65 to 140 ms beside a thread,
which holds the interpreter while it encodes. The copy also sees one moment: a thread walks through stores that requests
change meanwhile, and has to begin again, sometimes without end. A copy may meet a lock that nobody will free: it is
killed, and this process writes itself, once.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emulator import checkpoint
from emulator.drivers import saved_state
from emulator.drivers.launcher import forking, persistence
from emulator.errors import MultistackError, file_hint

# Seconds without a write after which a burst has settled.
QUIET = 0.2
# Seconds from a write to the end of the checkpoint that has it.
WITHIN = 0.9
# Work that a request began may go on after its answer: look again soon, then ever more seldom.
_AGAIN, _SELDOM = 2.0, 30.0
_PATIENCE = 3.0
_log = logging.getLogger("multistack.state")


class Checkpointer:
    """
    Keeps the newest checkpoints of this process in its state folder, in a thread of its own.

    Args:
        state: The environment's state folder.
        header: Makes a header for the state of now.

    Attributes:
        problem: Why the last checkpoint could not be written, in one line; empty when it could.
    """

    def __init__(
        self, state: Path, services: persistence.ServiceStates, header: Callable[[], checkpoint.Header]
    ) -> None:
        self.problem = ""
        self._state, self._services, self._header = state, services, header
        self._wake, self._saving, self._ended = threading.Event(), threading.Lock(), threading.Event()
        self._first: float | None = None
        self._last = 0.0
        self._took = 0.05
        self._digest = ""
        self._unused: frozenset[str] = frozenset()
        self._recheck = _SELDOM
        self._thread = threading.Thread(target=self._run, name="multistack-checkpoints", daemon=True)

    def start(self) -> None:
        """Begin to look for writes."""
        self._thread.start()

    def mark(self) -> None:
        """Something may have been written."""
        self._last = time.monotonic()
        if self._first is None:
            self._first = self._last
            self._wake.set()

    def end(self) -> None:
        """Write a last checkpoint, and no more."""
        self._ended.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_PATIENCE)
        self.save()

    def save(self) -> None:
        """Write a checkpoint of now unless nothing has changed; a failure becomes :attr:`problem`, logged once."""
        with self._saving:
            self._first = None
            began = time.monotonic()
            try:
                done = self._take(self._write)
            except OSError as error:
                self._fail(f"{error.filename or self._state}: {error.strerror}")
                return
            except Exception as error:  # of any kind: a thread that ended would save nothing any more, unseen
                self._fail(f"{type(error).__name__}: {error}", error)
                return
            self._took = time.monotonic() - began
            changed = done["digest"] != self._digest
            self._digest = done["digest"]
            self._recheck = _AGAIN if changed else _SELDOM
            if done["unsaved"]:
                self._fail("; ".join(done["unsaved"]))
            else:
                self._succeed(frozenset(done["unused"]), changed=changed)

    def copy(self, folder: Path) -> None:
        """
        Write a copy of the state of now into the new *folder*; see :class:`emulator.drivers.base.Driver`.

        Raises:
            MultistackError: It can't be written.
        """

        def write(payload: bytes, header: checkpoint.Header) -> dict[str, Any]:
            if self._services.unsaved:
                return {"failed": f"can't save {'; '.join(self._services.unsaved)}", "hint": None}
            try:
                saved_state.write_copy(folder, lambda aside: saved_state.fill_copy(aside, self._state, header, payload))
            except MultistackError as error:
                return {"failed": error.message, "hint": error.hint}
            return {}

        with self._saving:
            try:
                done = self._take(write, timeout=100.0)
            except OSError as error:
                reason = f"{error.filename or self._state}: {error.strerror}"
                raise MultistackError(f"its state can't be saved: {reason}", hint=file_hint(error)) from error
        if "failed" in done:
            raise MultistackError(done["failed"], hint=done["hint"])

    def _take(
        self,
        write: Callable[[bytes, checkpoint.Header], dict[str, Any]],
        *,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Let a forked copy write; where it can't, write from this thread."""
        header = self._header()

        def job(payload: Callable[[], bytes]) -> dict[str, Any]:
            try:
                return write(payload(), header)
            except OSError as error:
                return {"errno": error.errno, "strerror": error.strerror or str(error), "filename": error.filename}

        try:
            done = forking.run(
                lambda: job(self._services.payload_of_copy),
                timeout=timeout or _PATIENCE + 4 * self._took,
                nice=0 if self._ended.is_set() else forking.NICE,
            )
        except forking.Abandoned as error:
            _log.warning("the copy of this process that should save its state was given up: %s", error)
            saved_state.remove(self._state, ".*")  # what it had begun to write
            done = job(self._services.payload)
        if "errno" in done:
            raise OSError(done["errno"], done["strerror"], done["filename"])
        return done

    def _write(self, payload: bytes, header: checkpoint.Header) -> dict[str, Any]:
        digest = hashlib.sha256(payload).hexdigest()
        checkpoints = saved_state.numbered(self._state)
        if digest != self._digest or not checkpoints:
            folder = self._state / saved_state.FOLDER
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = checkpoints[0][0] + 1 if checkpoints else 1
            checkpoint.write(folder / f"{number}{saved_state.SUFFIX}", header, payload)
            for _, path in checkpoints[saved_state.KEPT - 1 :]:
                path.unlink(missing_ok=True)
        return {
            "digest": digest,
            "unused": sorted(self._services.unused_code),
            "unsaved": list(self._services.unsaved),
        }

    def _succeed(self, unused: frozenset[str], *, changed: bool) -> None:
        if changed:
            persistence.remove_code(unused & self._unused)
            self._unused = unused
        if self.problem:
            _log.warning("state is saved again")
            self.problem = ""

    def _fail(self, reason: str, unexpected: Exception | None = None) -> None:
        problem = f"its state can't be saved: {reason}"
        if problem != self.problem:
            _log.error("%s; a stop now loses what is new", problem, exc_info=unexpected)
        self.problem = problem
        self.mark()
        self._recheck = _AGAIN

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(timeout=self._recheck)
            self._wake.clear()
            if not self._ended.is_set():
                self._settle()
                self.save()

    def _settle(self) -> None:
        """Wait until the burst of writes that began is over, or as long as there is time."""
        if self.problem:
            self._ended.wait(1.0)
        first = self._first if self._first is not None else time.monotonic() - WITHIN
        latest = first + max(QUIET, WITHIN - self._took)
        while (left := min(self._last + QUIET, latest) - time.monotonic()) > 0:
            if self._ended.wait(left):
                return
