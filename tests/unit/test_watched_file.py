"""Tests of a file that is asked for with every request."""

from __future__ import annotations

from pathlib import Path

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
