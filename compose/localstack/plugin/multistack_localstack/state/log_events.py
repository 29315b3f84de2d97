"""
Events of CloudWatch Logs as files beside the checkpoints, all but the newest of each stream.

Every call of a function adds some, and nobody changes one. In a checkpoint, each second anew, they would soon be most
of it: a thousand events take 5 ms to turn into bytes.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from moto.logs.models import LogEvent, LogStream, logs_backends

from multistack_localstack.state import pickling
from multistack_localstack.state.object_files import ObjectFiles

# Events in the smallest file. So many files of one size become one, up to the largest: an event is written three times.
FEWEST, MOST, _TOGETHER = 400, 6400, 4
_FILES = "multistack_files"

# Name of the file, how many events are in it, its size in bytes.
Chunk = tuple[str, int, int]
# Account, region, group, stream.
Place = tuple[str, str, str, str]


class LogEvents:
    """A part of the state of Logs, see :class:`services.Part`."""

    key = "events"

    def __init__(self, files: ObjectFiles) -> None:
        self._files = files
        self._known: set[str] = set()
        pickling.register(LogStream, reduce)

    def prepare(self) -> None:
        """Put what has come to streams into files, and forget those of streams that are gone; nobody writes now."""
        there: set[str] = set()
        for _, stream in _streams():
            if len(stream.events) >= FEWEST:
                self._move(stream)
            there.update(name for name, _, _ in _chunks(stream))
        for name in self._known - there:
            self._files.drop(name)
        self._known = there

    def save(self) -> dict[Place, list[Chunk]]:
        """Which files hold the first events of a stream."""
        return {place: list(chunks) for place, stream in _streams() if (chunks := _chunks(stream))}

    def load(self, saved: dict[Place, list[Chunk]]) -> None:
        """Take what :meth:`save` gave; the streams are there, with their newest events."""
        newest = -1
        for place, stream in _streams():
            chunks = saved.get(place, [])
            older = [event for chunk in chunks for event in self._read(chunk)]
            stream.events = older + stream.events
            vars(stream)[_FILES] = list(chunks)
            newest = max([newest, *(event.event_id for event in stream.events)])
        # Moto counts from 0 in each process; whoever follows a log would take new events for those it has seen.
        LogEvent._event_id = max(LogEvent._event_id, newest + 1)

    def sizes(self) -> dict[str, int]:
        """Name and size in bytes of the files that are needed now."""
        return {name: size for _, stream in _streams() for name, _, size in _chunks(stream)}

    def _move(self, stream: LogStream) -> None:
        chunks = vars(stream).setdefault(_FILES, [])
        done = sum(count for _, count, _ in chunks)
        while len(stream.events) - done >= FEWEST:
            chunks.append(self._write(stream.events[done : done + FEWEST]))
            done += FEWEST
            while chunks[-1][1] < MOST and [count for _, count, _ in chunks[-_TOGETHER:]] == _TOGETHER * [
                chunks[-1][1]
            ]:
                together = _TOGETHER * chunks[-1][1]
                # A checkpoint may need them still: prepare() drops them.
                self._known.update(name for name, _, _ in chunks[-_TOGETHER:])
                chunks[-_TOGETHER:] = [self._write(stream.events[done - together : done])]

    def _write(self, events: Iterable[LogEvent]) -> Chunk:
        kept = [(event.ingestion_time, event.timestamp, event.message, event.event_id) for event in events]
        content = zlib.compress(pickle.dumps(kept, protocol=5), 1)
        name, file = self._files.create()
        with file:
            file.write(content)
        self._files.keep(name)
        return name, len(kept), len(content)

    def _read(self, chunk: Chunk) -> Iterator[LogEvent]:
        with self._files.open(chunk[0]) as file:
            kept = pickle.loads(zlib.decompress(file.read()))  # noqa: S301 (as in ``pickling``)
        for ingestion_time, timestamp, message, event_id in kept:
            event = object.__new__(LogEvent)  # moto's own way would count it
            event.ingestion_time, event.timestamp = ingestion_time, timestamp
            event.message, event.event_id = message, event_id
            yield event


def reduce(stream: LogStream) -> Any:
    """How a stream is pickled: without the events that are in files."""
    state = dict(vars(stream))
    in_files = sum(count for _, count, _ in state.pop(_FILES, ()))
    return _make, (), state | {"events": stream.events[in_files:]}


def _make() -> LogStream:
    return object.__new__(LogStream)


def _chunks(stream: LogStream) -> list[Chunk]:
    return list(vars(stream).get(_FILES, ()))


def _streams() -> Iterator[tuple[Place, LogStream]]:
    for account, regions in list(dict.items(logs_backends)):
        for region, backend in list(dict.items(regions)):
            for group in list(backend.groups.values()):
                for name, stream in list(group.streams.items()):
                    yield (account, region, group.name, name), stream
