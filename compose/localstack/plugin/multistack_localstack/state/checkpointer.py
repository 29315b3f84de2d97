"""
Checkpoints while LocalStack runs: after a burst of writes has settled, and at least every second while it goes on.

Little state is turned into bytes here, while requests wait for the few milliseconds that takes. More of it is turned
into bytes by a forked copy of the process: requests wait only for the fork, and the copy sees one moment however long
it takes. Compressing, writing and syncing happen beside the requests either way. Where to draw the line was measured,
see :data:`LITTLE`.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from multistack_localstack.state import checkpoint, forking, pickling
from multistack_localstack.state.activity import Gate
from multistack_localstack.state.checkpoint import Contents, Header, Segment
from multistack_localstack.state.folder import StateFolder
from multistack_localstack.state.object_files import ObjectFiles
from multistack_localstack.state.services import Group

# Seconds without a write after which a burst has settled.
QUIET = 0.2
# Seconds from a write to the end of the checkpoint that has it.
WITHIN = 0.9
# Seconds that turning the state into bytes may hold up requests, before a copy of the process does it.
LITTLE = 0.025
# Work that a request began may go on after its answer: look again soon, then ever more seldom.
_AGAIN, _SELDOM = 2.0, 30.0
# A checkpoint that took this long is followed by a pause of as long again, so that they never take all of a processor.
_LONG = 0.3
_PATIENCE = 5.0
_LEAST_UNDISTURBED, _MOST_UNDISTURBED = 0.02, 0.5
_log = logging.getLogger("multistack.state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """
    All state of one moment.

    Attributes:
        raw: Bytes by the name of the group.
        unsaved: Why a group is not in it, a line for each.
    """

    groups: tuple[Group, ...]
    raw: Mapping[str, bytes]
    objects: Mapping[str, int]
    unsaved: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    Where state comes from.

    Attributes:
        objects: Name and size in bytes of the files that the state refers to.
        header: Made for the state of now.
    """

    groups: Callable[[], tuple[Group, ...]]
    objects: Callable[[], Mapping[str, int]]
    header: Callable[[], Header]


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
        self._took, self._encoding = 0.05, 0.0
        self._written: Contents | None = None
        self._number = 0
        self._recheck = _SELDOM
        self._thread = threading.Thread(target=self._run, name="multistack-checkpoints", daemon=True)

    def start(self, number: int) -> None:
        """Begin to look for writes; *number* is that of the newest checkpoint there is, or 0."""
        self._number = number
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
        self.save(anyway=not self._number)

    def save(self, *, anyway: bool = False) -> None:
        """
        Write a checkpoint of now; a failure becomes :attr:`problem`, logged once.

        Args:
            anyway: Also if nothing has changed since the newest one.
        """
        with self._saving:
            self._first = None
            began = time.monotonic()
            try:
                done = self._take(anyway=anyway)
            except OSError as error:
                self._fail(f"{error.filename or self._folder.path}: {error.strerror}")
            except Exception as error:  # of any kind: a thread that ended would save nothing any more, unseen
                self._fail(f"{type(error).__name__}: {error}", error)
            else:
                self._took = time.monotonic() - began
                self._encoding = done["encoding"]
                self._note(done)

    def _take(self, *, anyway: bool) -> dict[str, Any]:
        """Take a moment, here or in a copy, and write it."""
        number = self._number + 1
        unsynced: list[str] = []
        header = self._source.header()

        def job(moment: Moment, encoding: float) -> dict[str, Any]:
            self._files.sync(unsynced)
            contents = self._write(moment, header, number, anyway=anyway)
            return {"written": contents is not None, "encoding": encoding, "unsaved": moment.unsaved, **_plain(contents)}

        def encode_and_write() -> dict[str, Any]:
            began = time.monotonic()
            moment = take(self._source)
            return job(moment, time.monotonic() - began)

        copy = None
        with self._gate.closed():
            self._source.groups()  # known before the fork: no copy should have to import
            header, unsynced = self._source.header(), self._files.unsynced()
            if self._encoding > LITTLE:
                copy = self._fork(encode_and_write)
            if copy is None:
                began = time.monotonic()
                with _undisturbed(2 * self._encoding):
                    moment = take(self._source)
                encoding = time.monotonic() - began
            self._files.taken(number)
        done = job(moment, encoding) if copy is None else self._await(copy, encode_and_write)
        self._files.synced(unsynced)
        return {**done, "number": number, "at": header.at.isoformat()}

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
            with self._gate.closed(), _undisturbed(2 * self._encoding):
                return work()
        if "errno" in done:
            raise OSError(done["errno"], done["strerror"], done["filename"])
        return done

    def _write(self, moment: Moment, header: Header, number: int, *, anyway: bool) -> Contents | None:
        """Write *moment*; None if it is what was written last."""
        digests = {name: hashlib.sha256(raw).hexdigest() for name, raw in moment.raw.items()}
        if not anyway and self._is_written(digests, moment.objects):
            return None
        packed = {name: checkpoint.pack(raw) for name, raw in moment.raw.items()}
        segments = tuple(
            Segment(name=each.name, services=each.services, digest=digests[each.name], length=len(packed[each.name]))
            for each in moment.groups
            if each.name in packed
        )
        contents = Contents(segments=segments, objects=moment.objects)
        aside = self._folder.aside / f"{number}.checkpoint"
        checkpoint.write(self._folder.path_of(number), header, contents, packed, aside=aside)
        return contents

    def _is_written(self, digests: Mapping[str, str], objects: Mapping[str, int]) -> bool:
        if self._written is None or not self._folder.path_of(self._number).exists():
            return False
        written = {segment.name: segment.digest for segment in self._written.segments}
        return written == digests and self._written.objects == objects

    def _note(self, done: Mapping[str, Any]) -> None:
        self._recheck = _AGAIN if done["written"] else _SELDOM
        if done["written"]:
            self._number, self.at = done["number"], done["at"]
            segments = tuple(Segment(**{**each, "services": tuple(each["services"])}) for each in done["segments"])
            self._written = Contents(segments=segments, objects=done["objects"])
            if not self._files.is_held():
                self._files.clean(self._folder.prune())
        if done["unsaved"]:
            self._fail("; ".join(done["unsaved"]))
        elif self.problem:
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


def take(source: Source) -> Moment:
    """All state of now."""
    groups = source.groups()
    raw, unsaved = {}, []
    for group in groups:
        try:
            if saved := group.save():
                raw[group.name] = pickling.dumps(saved)
        except Exception as error:  # of any kind: the other services can be saved
            unsaved.append(f"{group.name}: {type(error).__name__}: {error}")
    return Moment(groups=groups, raw=raw, objects=source.objects(), unsaved=tuple(unsaved))


def _plain(contents: Contents | None) -> dict[str, Any]:
    """*contents* as JSON values."""
    if contents is None:
        return {}
    segments = [
        {"name": each.name, "services": each.services, "digest": each.digest, "length": each.length}
        for each in contents.segments
    ]
    return {"segments": segments, "objects": dict(contents.objects)}


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
