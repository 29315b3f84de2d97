"""
Checkpoints while LocalStack runs: after a burst of writes has settled, and at least every second while it goes on.

Little state is turned into bytes here, while requests wait for the few milliseconds that takes. More of it is turned
into bytes by a forked copy of the process: requests wait only for the fork, and the copy sees one moment however long
it takes. Compressing, writing and syncing happen beside the requests either way. Only services that requests have
touched are looked at, and all of them every few seconds.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from multistack_localstack.state import checkpoint, forking, moment
from multistack_localstack.state.activity import Gate
from multistack_localstack.state.checkpoint import Checkpoint
from multistack_localstack.state.folder import KEPT_FOR_COPY, StateFolder
from multistack_localstack.state.moment import Moment, Source
from multistack_localstack.state.object_files import ObjectFiles

# Seconds without a write after which a burst has settled.
QUIET = 0.2
# Seconds from a write to the end of the checkpoint that has it.
WITHIN = 0.9
# Seconds that turning the state into bytes may hold up requests, before a copy of the process does it.
LITTLE = 0.025
# Work that a request began may go on after its answer: look again soon, then ever more seldom.
_AGAIN, _SELDOM = 2.0, 30.0
# Seconds after which all services are looked at, also those that no request has touched.
_ALL = 5.0
# A checkpoint that took this long is followed by a pause of as long again, so that they never take all of a processor.
_LONG = 0.3
_PATIENCE = 5.0
_LEAST_UNDISTURBED, _MOST_UNDISTURBED = 0.02, 0.5
_log = logging.getLogger("multistack.state")


class Checkpointer:
    """
    Keeps the newest checkpoints of this process in *folder*, in a thread of its own.

    Attributes:
        problem: Why the last checkpoint could not be written, in one line; empty when it could.
        at: The moment of the newest checkpoint in ISO 8601; empty before the first.
    """

    def __init__(self, folder: StateFolder, files: ObjectFiles, source: Source, gate: Gate) -> None:
        self.problem, self.at = "", ""
        self._folder, self._files, self._source, self._gate = folder, files, source, gate
        self._wake, self._saving, self._ended = threading.Event(), threading.Lock(), threading.Event()
        self._first: float | None = None
        self._last = 0.0
        self._touched: set[str] = set()
        self._took, self._all = 0.05, 0.0
        # Seconds of processor time that turning a group into bytes took when that was last done, by its name.
        self._encoding: dict[str, float] = {}
        self._newest: Checkpoint | None = None
        self._number = 0
        self._recheck = _SELDOM
        self._thread = threading.Thread(target=self._run, name="multistack-checkpoints", daemon=True)

    def start(self, number: int, took: Mapping[str, float]) -> None:
        """
        Begin to look for writes.

        Args:
            number: That of the newest checkpoint there is, or 0.
            took: Seconds of processor time that turning a group into bytes may take, by its name.
        """
        self._number = number
        self._encoding.update(took)
        self._thread.start()

    def mark(self, service: str) -> None:
        """Something of *service* may have been written."""
        self._touched.add(service)
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
        self.save(everything=True, anyway=not self._number)

    def save(self, *, everything: bool = False, anyway: bool = False) -> None:
        """
        Write a checkpoint of now; a failure becomes :attr:`problem`, logged once.

        Args:
            everything: Look also at services that no request has touched.
            anyway: Also if nothing has changed since the newest one.
        """
        with self._saving:
            began = time.monotonic()
            everything = everything or anyway or self._newest is None or began - self._all > _ALL
            touched, self._touched, self._first = self._touched, set(), None
            try:
                done = self._save(None if everything else touched, anyway=anyway)
            except OSError as error:
                self._fail(f"{error.filename or self._folder.path}: {error.strerror}", touched)
            except Exception as error:  # of any kind: a thread that ended would save nothing any more, unseen
                self._fail(f"{type(error).__name__}: {error}", touched, error)
            else:
                self._took = time.monotonic() - began
                self._encoding.update(done["took"])
                self._all = began if everything else self._all
                self._note(done, touched)

    def _save(self, touched: set[str] | None, *, anyway: bool) -> dict[str, Any]:
        """Take the moment, here or in a copy of this process, and write it."""
        number, last = self._number + 1, self._newest
        written: list[Checkpoint] = []

        def take() -> Moment:
            # What comes in from now on is not in it, and touches its service again.
            new = None if touched is None else frozenset(touched | self._touched)
            return moment.take(self._source, last, new)

        def write(taken: Moment) -> dict[str, Any]:
            made = moment.put_together(taken, last)
            is_new = anyway or last is None or made.contents != last.contents or not self._is_there()
            if is_new:
                self._files.sync(unsynced)
                moment.write(made, self._folder.path_of(number), aside=self._folder.aside / f"{number}.checkpoint")
                written.append(made)
            return {"is_new": is_new, "took": dict(taken.took), "unsaved": list(taken.unsaved)}

        with self._gate.closed():
            self._source.prepare()
            expected = self._expected(touched)
            unsynced = self._files.unsynced()
            copy = self._fork(lambda: write(take())) if expected > LITTLE else None
            if copy is None:
                with _undisturbed(2 * expected):
                    taken = take()
            self._files.taken(number)
        done = write(taken) if copy is None else self._await(copy, lambda: write(take()))
        if done["is_new"]:
            # A copy of this process writes for itself only.
            self._newest = written[0] if written else checkpoint.read(self._folder.path_of(number))
            self._number = number
            self._files.synced(unsynced)
        return done

    def _expected(self, touched: set[str] | None) -> float:
        """Seconds that turning what was *touched* into bytes will take."""
        changed = (group.name for group in self._source.groups() if not moment.is_same(group, touched))
        return sum(self._encoding.get(name, 0.0) for name in changed)

    def _is_there(self) -> bool:
        return self._folder.path_of(self._number).exists()

    def _fork(self, work: Callable[[], dict[str, Any]]) -> forking.Copy | None:
        def careful() -> dict[str, Any]:
            try:
                return work()
            except OSError as error:
                return {"errno": error.errno, "strerror": error.strerror or str(error), "filename": error.filename}

        try:
            return forking.Copy(careful)
        except forking.Abandoned as error:
            _log.warning("this process can't be copied to save its state: %s", error)
            return None

    def _await(self, copy: forking.Copy, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            done = copy.wait(_PATIENCE + 4 * self._took)
        except forking.Abandoned as error:
            _log.warning("the copy of this process that should save its state was given up: %s", error)
            with self._gate.closed(), _undisturbed(_MOST_UNDISTURBED):
                return work()
        if "errno" in done:
            raise OSError(done["errno"], done["strerror"], done["filename"])
        return done

    def _note(self, done: Mapping[str, Any], touched: set[str]) -> None:
        encoding = sum(done["took"].values())
        _log.debug("checkpoint %d: %.3f s, %.3f of them to encode", self._number, self._took, encoding)
        self._recheck = _AGAIN if done["is_new"] else _SELDOM
        if done["is_new"] and self._newest:
            self.at = self._newest.header.at.isoformat()
            if self._files.is_held():
                self._folder.prune(KEPT_FOR_COPY)
            else:
                self._files.clean(self._folder.prune())
        if done["unsaved"]:
            self._fail("; ".join(done["unsaved"]), touched)
        elif self.problem:
            _log.warning("state is saved again")
            self.problem = ""

    def _fail(self, reason: str, touched: set[str], unexpected: Exception | None = None) -> None:
        problem = f"its state can't be saved: {reason}"
        if problem != self.problem:
            _log.error("%s; a stop now loses what is new", problem, exc_info=unexpected)
        self.problem = problem
        self._touched |= touched
        self._all = 0.0
        self._recheck = _AGAIN

    def _run(self) -> None:
        while not self._ended.is_set():
            is_marked = self._wake.wait(timeout=self._recheck)
            self._wake.clear()
            if not self._ended.is_set():
                self._settle()
                self.save(everything=not is_marked)
                if self._took > _LONG:
                    self._ended.wait(self._took)

    def _settle(self) -> None:
        """Wait until the burst of writes that began is over, or as long as there is time."""
        if self.problem:
            self._ended.wait(1.0)
        first = self._first if self._first is not None else time.monotonic() - WITHIN
        latest = first + max(QUIET, WITHIN - self._took)
        while (left := min(self._last + QUIET, latest) - time.monotonic()) > 0:
            if self._ended.wait(left):
                return


@contextmanager
def _undisturbed(seconds: float) -> Iterator[None]:
    """
    No other thread of this process gets the interpreter meanwhile, unless this one waits for something.

    Args:
        seconds: About how long. Threads that wait for the interpreter may wait for each other as long, once.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(max(seconds, _LEAST_UNDISTURBED), _MOST_UNDISTURBED))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
