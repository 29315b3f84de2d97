"""Writes what passes the proxy into a corpus, as long as one is being recorded."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from emulator.model import Exchange, HttpAnswer, HttpRequest, Source
from emulator.replay.headers import answer_headers, request_headers
from emulator.replay.lines import entry_line, head_line, lost_line
from emulator.replay.recording import Recording
from emulator.watched_file import WatchedFile

# Kept of a body. A request with a longer one can't be sent again; an answer's is compared as far as it was kept.
MOST_BYTES = 2**20
# Of a corpus: one that nobody ends must not fill the disk, and a replay reads it whole.
MOST_CORPUS_BYTES = 256 * 2**20

_log = logging.getLogger(__name__)


class CorpusWriter:
    """
    A sink of the proxy's recorder that appends to the corpus of the moment.

    What can't be written, e.g. on a full disk, is counted, and the count is written as soon as that works again: a
    corpus never looks more complete than it is.

    Args:
        switch: Says whether anything is to be written, and where.
    """

    def __init__(self, switch: WatchedFile[Recording | None]) -> None:
        self._switch = switch
        self._lost: dict[Path, int] = {}
        self._told: set[Path] = set()

    @property
    def body_limit(self) -> int | None:
        """Bytes of a body that are wanted; None while nothing is recorded."""
        return MOST_BYTES if self._switch.current() else None

    def accept(self, exchange: Exchange) -> None:
        """Append an exchange, if it is one of the recording."""
        recording = self._switch.current()
        if recording is None or exchange.environment != recording.environment or not is_wanted(exchange):
            return
        self._write(recording, entry_line(recorded_request(exchange), recorded_answer(exchange)))

    def flush(self) -> None:
        """Nothing waits: each line is written at once."""

    def lost(self, count: int) -> None:
        """Write how many are missing here; some may have been another environment's."""
        if recording := self._switch.current():
            self._lost[recording.path] = self._lost.get(recording.path, 0) + count
            self._write(recording, b"")

    def _write(self, recording: Recording, line: bytes) -> None:
        try:
            self._append(recording.path, recording.environment, line)
        except OSError as error:
            self._tell(recording.path, error.strerror or type(error).__name__)
            self._lost[recording.path] = self._lost.get(recording.path, 0) + bool(line)

    def _append(self, path: Path, environment: str, line: bytes) -> None:
        lost = self._lost.get(path, 0)
        with path.open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if line and size + len(line) > MOST_CORPUS_BYTES:
                self._tell(path, f"it has {MOST_CORPUS_BYTES // 2**20} MiB")
                line, lost = b"", lost + 1
            start = b"" if size else head_line(environment)
            _write_whole(file, size, start + (lost_line(lost) if lost else b"") + line)
        self._lost.pop(path, None)

    def _tell(self, path: Path, why: str) -> None:
        """Once in the proxy's log: what is missing is counted in the corpus."""
        if path not in self._told:
            self._told.add(path)
            _log.warning("not everything can be written to %s: %s", path, why)


def _write_whole(file: BinaryIO, size: int, content: bytes) -> None:
    """All of *content*, or nothing of it: half a line would spoil the next one too."""
    try:
        while content:
            content = content[file.write(content) :]
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(size)
        raise


def is_wanted(exchange: Exchange) -> bool:
    """Whether it is a client's request that reached an environment, or would have but for a fault."""
    return exchange.source is Source.CLIENT and (exchange.answer.problem is None or bool(exchange.faults))


def recorded_request(exchange: Exchange) -> HttpRequest:
    """The request without what belonged to its connection only."""
    request = exchange.request
    return HttpRequest(
        method=request.method,
        target=request.target,
        headers=request_headers(request.headers),
        body=request.body,
        body_length=request.body_length,
    )


def recorded_answer(exchange: Exchange) -> HttpAnswer | None:
    """What the environment answered by itself; None when a fault was meant, or the answer broke off."""
    answer = exchange.answer
    if exchange.faults or not answer.is_complete or not answer.status:
        return None
    return HttpAnswer(
        status=answer.status,
        headers=_without_prefix(answer_headers(answer.headers), exchange.environment),
        body=answer.body,
        body_length=answer.body_length,
        seconds=answer.seconds,
    )


def _without_prefix(headers: Sequence[tuple[str, str]], environment: str) -> list[tuple[str, str]]:
    """Locations as a client gets them that names the environment in a header, and not in the path."""
    prefix = f"/{environment}/"
    return [
        (name, "/" + value.removeprefix(prefix))
        if name.lower() in {"location", "content-location"} and value.startswith(prefix)
        else (name, value)
        for name, value in headers
    ]
