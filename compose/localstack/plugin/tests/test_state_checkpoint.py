"""A checkpoint's file: what is read is what was written, or it is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from multistack_localstack.state import checkpoint
from multistack_localstack.state.checkpoint import BrokenCheckpoint, Contents, ForeignCheckpoint, Header, Segment

HEADER = Header(
    emulator="localstack 4.14.0", at=datetime(2026, 11, 1, tzinfo=UTC), account_id="111111111111", region="eu-west-1"
)


def write(path: Path, raw: dict[str, bytes], objects: dict[str, int] | None = None) -> None:
    """A checkpoint of *raw* at *path*."""
    packed = {name: checkpoint.pack(content) for name, content in raw.items()}
    segments = tuple(
        Segment(name=name, services=(name,), digest="d", length=len(content)) for name, content in packed.items()
    )
    contents = Contents(segments=segments, objects=objects or {})
    checkpoint.write(path, HEADER, contents, packed, aside=path.with_suffix(".aside"))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Header, segments and objects come back, and nothing is left aside."""
    write(tmp_path / "1", {"sqs": b"a" * 1000, "s3": b""}, {"o": 5})
    found = checkpoint.read(tmp_path / "1")
    assert found.header == HEADER
    assert (found.unpack("sqs"), found.unpack("s3")) == (b"a" * 1000, b"")
    assert found.contents.objects == {"o": 5}
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_first_line_is_what_multistack_reads(tmp_path: Path) -> None:
    """The owner of a checkpoint can be told without knowing what is in it."""
    write(tmp_path / "1", {"sqs": b"a"})
    first, _, body = (tmp_path / "1").read_bytes().partition(b"\n")
    described = json.loads(first)
    assert described["kind"] == "multistack-checkpoint"
    assert (described["format"], described["packing"], described["length"]) == (1, "none", len(body))


@pytest.mark.parametrize("position", [0, 30, -40, -1])
def test_changed_byte_is_told(tmp_path: Path, position: int) -> None:
    """No byte of a checkpoint can change unseen."""
    write(tmp_path / "1", {"sqs": b"abc" * 100})
    content = bytearray((tmp_path / "1").read_bytes())
    content[position] ^= 1
    (tmp_path / "1").write_bytes(content)
    with pytest.raises(BrokenCheckpoint):
        checkpoint.read(tmp_path / "1")


@pytest.mark.parametrize("length", [0, 10, 300, -1])
def test_cut_file_is_told(tmp_path: Path, length: int) -> None:
    """A checkpoint that was cut anywhere is broken."""
    write(tmp_path / "1", {"sqs": b"abc" * 100})
    content = (tmp_path / "1").read_bytes()
    (tmp_path / "1").write_bytes(content[:length])
    with pytest.raises(BrokenCheckpoint):
        checkpoint.read(tmp_path / "1")


def test_missing_file_is_broken(tmp_path: Path) -> None:
    """One that can't be read is no better than a broken one."""
    with pytest.raises(BrokenCheckpoint, match="can't be read"):
        checkpoint.read(tmp_path / "1")


@pytest.mark.parametrize("changed", [{"format": 2}, {"layout": 2}, {"layout": None}], ids=str)
def test_newer_or_other_kind_is_foreign(tmp_path: Path, changed: dict[str, int | None]) -> None:
    """What a later version or an embedded emulator wrote is told from what is broken."""
    write(tmp_path / "1", {})
    first, _, body = (tmp_path / "1").read_bytes().partition(b"\n")
    described = {key: value for key, value in (json.loads(first) | changed).items() if value is not None}
    (tmp_path / "1").write_bytes(json.dumps(described).encode() + b"\n" + body)
    with pytest.raises(ForeignCheckpoint):
        checkpoint.read(tmp_path / "1")


def test_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    """A checkpoint that can't be put in its place changes nothing."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "x").touch()
    with pytest.raises(OSError, match="irectory"):
        write(tmp_path / "1", {})
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
