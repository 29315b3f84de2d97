"""Tests of a file that is asked for with every request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulator.process import write_atomically
from emulator.watched_file import WatchedFile


def test_a_replaced_file_is_read_again_and_another_look_reads_nothing(tmp_path: Path) -> None:
    """Whoever is told of changes is told once for each."""
    path, reads, told = tmp_path / "file", [], []

    def load(file: Path) -> bytes:
        reads.append(file)
        return file.read_bytes()

    watched = WatchedFile(path, load, missing=b"nothing", on_change=told.append)
    assert watched.current() == b"nothing"
    for content in (b"one", b"two"):
        write_atomically(path, content)
        assert [watched.current(), watched.current()] == [content, content]
    assert (reads, told) == ([path, path], [b"one", b"two"])
    path.unlink()
    assert watched.current() == b"nothing"


def test_a_file_removed_between_look_and_read_is_missing(tmp_path: Path) -> None:
    """Nobody's request fails for it."""
    path = tmp_path / "file"
    path.write_bytes(b"one")

    def load(file: Path) -> bytes:
        file.unlink()
        return file.read_bytes()

    assert WatchedFile(path, load, missing=b"nothing").current() == b"nothing"


def test_an_unreadable_file_says_what_it_said_last(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody's editor fails no request; it is said once, and counts again as soon as it can be read."""
    path = tmp_path / "file"
    path.write_text("{")
    watched = WatchedFile(path, lambda file: dict(json.loads(file.read_text())), missing={"a": 0})
    assert [watched.current(), watched.current()] == [{"a": 0}] * 2
    for content, expected in [('{"a": 1}', 1), ("7", 1), ("{}{", 1), ('{"a": 2}', 2)]:
        write_atomically(path, content.encode())
        assert [watched.current(), watched.current()] == [{"a": expected}] * 2
    assert len([record for record in caplog.records if "can't be read" in record.message]) == 3
