"""The file that holds an emulator's state of one moment."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator import checkpoint
from emulator.checkpoint import BrokenCheckpoint, Header, NewerCheckpoint

HEADER = Header(
    emulator="ministack 1.5.33",
    at=datetime(2026, 11, 25, 17, 0, 0, 123456, tzinfo=UTC),
    account_id="111111111111",
    region="eu-west-1",
)
# Bytes that don't pack, so that the file is as long as they are.
PAYLOAD = random.Random(7).randbytes(40_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good checkpoint."""
    path = tmp_path / "1.checkpoint"
    checkpoint.write(path, HEADER, PAYLOAD)
    return path


def test_what_was_written_is_read(path: Path) -> None:
    """Header and payload come back as they were; the file is its owner's only, and nothing lies beside it."""
    assert checkpoint.read(path) == (HEADER, PAYLOAD)
    assert checkpoint.read_header(path) == HEADER
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("payload", [b"", b"{}", b"x" * 100_000], ids=["empty", "short", "long"])
def test_any_payload_comes_back(tmp_path: Path, payload: bytes) -> None:
    """Packed where that pays."""
    checkpoint.write(tmp_path / "c", HEADER, payload)
    assert checkpoint.read(tmp_path / "c") == (HEADER, payload)
    assert (tmp_path / "c").stat().st_size < 1000


def test_a_file_cut_anywhere_is_broken(path: Path) -> None:
    """At every 1,000th byte, at each of the first and last thousand."""
    whole = path.read_bytes()
    cuts = {*range(0, len(whole), 1000), *range(1000), *range(len(whole) - 1000, len(whole))}
    for cut in sorted(cuts):
        path.write_bytes(whole[:cut])
        with pytest.raises(BrokenCheckpoint):
            checkpoint.read(path)


def test_any_changed_byte_breaks_it(path: Path) -> None:
    """Also one of the description, e.g. of the account."""
    whole = path.read_bytes()
    for position in [*range(400), *range(400, len(whole), 997)]:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises((BrokenCheckpoint, NewerCheckpoint)):
            checkpoint.read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b"{",
        b"\xff\xfe\n",
        b'{"kind": "multistack-checkpoint"}\n',
        b"x" * 200_000,
    ],
    ids=["empty", "blank", "list", "null", "object", "cut", "binary", "no format", "no line"],
)
def test_what_is_no_checkpoint_is_broken(tmp_path: Path, content: bytes) -> None:
    """One clear line, whatever lies there."""
    path = tmp_path / "c"
    path.write_bytes(content)
    for read in (checkpoint.read, checkpoint.read_header):
        with pytest.raises(BrokenCheckpoint, match=r"^checkpoint .* is broken: [^\n]*$"):
            read(path)


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: None], ids=["a folder", "nothing"])
def test_what_cannot_be_read_is_broken(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """The system's reason is in the message."""
    make(tmp_path / "c")
    with pytest.raises(BrokenCheckpoint, match="can't be read: "):
        checkpoint.read(tmp_path / "c")


def test_a_newer_format_is_told_from_a_broken_one(path: Path) -> None:
    """A later multistack may say more in it, so nothing else of it is looked at."""
    first, _, body = path.read_bytes().partition(b"\n")
    newer = {**json.loads(first), "format": checkpoint.FORMAT + 1, "sha256": "of another kind"}
    path.write_bytes(json.dumps(newer).encode() + b"\n" + body)
    for read in (checkpoint.read, checkpoint.read_header):
        with pytest.raises(NewerCheckpoint, match="has format 2, this multistack reads up to 1"):
            read(path)


def test_a_write_that_fails_leaves_what_was_there(path: Path) -> None:
    """Nothing lies beside it afterwards."""
    taken = path.with_name("taken")
    taken.mkdir()
    with pytest.raises(IsADirectoryError):
        checkpoint.write(taken, HEADER, PAYLOAD)
    assert sorted(path.parent.iterdir()) == [path, taken]
    assert checkpoint.read(path) == (HEADER, PAYLOAD)
