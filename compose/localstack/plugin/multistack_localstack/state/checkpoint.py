"""
A checkpoint file: all state of one LocalStack at one moment, with what is needed to know that it is whole.

The first line is a JSON object: the fields of :class:`Header`, the length of the rest and a SHA-256 over both. It is
the first line that multistack's embedded emulators write as well, so that one reader knows the owner of both. The rest
is a line of JSON, the :class:`Contents`, and then the segments one after the other, each packed with zlib.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = 1
# Of what follows the first line; counted apart from the format, which is not LocalStack's alone.
LAYOUT = 1
_KIND = "multistack-checkpoint"
_MOST_HEADER_BYTES = 64 * 1024
_FASTEST = 1


class CheckpointError(Exception):
    """A checkpoint that can't be used; the message says which one and why."""


class BrokenCheckpoint(CheckpointError):
    """A file that was cut, changed or never was a checkpoint: the one before it may do."""


class ForeignCheckpoint(CheckpointError):
    """A file that a newer or another emulator wrote: nothing else may take its place unasked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """
    Whose state it is.

    Attributes:
        emulator: Name and version, e.g. ``localstack 4.14.0``.
        at: The moment of the state, in UTC: what was acknowledged before is in it.
    """

    emulator: str
    at: datetime
    account_id: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """
    The state of one service.

    Attributes:
        services: LocalStack's names of the services that must be loaded before it can be restored.
        digest: Of the unpacked bytes.
        length: Of the packed bytes.
    """

    name: str
    services: tuple[str, ...]
    digest: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """
    What is in a checkpoint.

    Attributes:
        objects: Names of the files beside it without which it is not whole, with their sizes in bytes.
    """

    segments: tuple[Segment, ...] = ()
    objects: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A whole checkpoint, read; its segments are packed."""

    header: Header
    contents: Contents
    packed: Mapping[str, bytes]

    def unpack(self, name: str) -> bytes:
        """The bytes of a segment."""
        return zlib.decompress(self.packed[name])


def pack(raw: bytes) -> bytes:
    """The bytes of a segment, as they lie in the file."""
    return zlib.compress(raw, _FASTEST)


def write(path: Path, header: Header, contents: Contents, packed: Mapping[str, bytes], *, aside: Path) -> None:
    """
    Make *path* a checkpoint in one step; it is on the disk when this returns.

    Args:
        packed: The segments of *contents* by name.
        aside: Where it is written first, on the same file system.

    Raises:
        OSError: It can't be written; what was there before stays, and nothing is left aside.
    """
    body = b"".join([_line(asdict(contents)), *(packed[segment.name] for segment in contents.segments)])
    described = _describe(header, len(body))
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_line({**described, "sha256": _digest(described, body)}))
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    sync_folder(path.parent)


def read(path: Path) -> Checkpoint:
    """
    The checkpoint at *path*.

    Raises:
        BrokenCheckpoint: It can't be read, or is not what was written.
        ForeignCheckpoint: A newer version of this package wrote it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BrokenCheckpoint(f"{path} can't be read: {error.strerror}") from error
    first, _, body = content.partition(b"\n")
    described = _parse(path, first[:_MOST_HEADER_BYTES])
    if len(body) != described.get("length") or _digest(described, body) != described.get("sha256"):
        raise BrokenCheckpoint(f"{path} is broken: it is not as it was written")
    header = Header(
        emulator=described["emulator"],
        at=datetime.fromisoformat(described["at"]),
        account_id=described["account_id"],
        region=described["region"],
    )
    contents, packed = _split(body)
    return Checkpoint(header=header, contents=contents, packed=packed)


def sync_folder(folder: Path) -> None:
    """A rename is on the disk once its folder is; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse(path: Path, first: bytes) -> dict[str, Any]:
    try:
        described = json.loads(first)
        kind, version, layout = described["kind"], described["format"], described.get("layout")
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenCheckpoint(f"{path} is broken: its first line can't be read") from error
    if kind != _KIND or not isinstance(version, int):
        raise BrokenCheckpoint(f"{path} is broken: it is no checkpoint")
    if version > FORMAT or (isinstance(layout, int) and layout > LAYOUT):
        raise ForeignCheckpoint(
            f"{path} has format {version}.{layout}, this image reads up to {FORMAT}.{LAYOUT}: "
            "use the image that wrote it, or a later one"
        )
    if layout is None:
        raise ForeignCheckpoint(f"{path} is not LocalStack's: {described.get('emulator')} wrote it")
    return dict(described)


def _split(body: bytes) -> tuple[Contents, dict[str, bytes]]:
    line, _, rest = body.partition(b"\n")
    described = json.loads(line)
    segments = tuple(Segment(**{**each, "services": tuple(each["services"])}) for each in described["segments"])
    packed, start = {}, 0
    for segment in segments:
        packed[segment.name] = rest[start : start + segment.length]
        start += segment.length
    return Contents(segments=segments, objects=described["objects"]), packed


def _describe(header: Header, length: int) -> dict[str, Any]:
    return {
        "kind": _KIND,
        "format": FORMAT,
        "layout": LAYOUT,
        "emulator": header.emulator,
        "at": header.at.astimezone(UTC).isoformat(),
        "account_id": header.account_id,
        "region": header.region,
        "packing": "none",
        "length": length,
    }


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _digest(described: Mapping[str, Any], body: bytes) -> str:
    signed = {key: value for key, value in described.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(signed, sort_keys=True).encode())
    digest.update(body)
    return digest.hexdigest()
