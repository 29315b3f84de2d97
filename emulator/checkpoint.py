"""
A checkpoint file: all state of one emulator at one moment, with what is needed to know that it is whole.

The first line is a JSON object: the fields of :class:`Header`, how the payload is packed, its length in the file and a
SHA-256 over this description and the payload. The rest of the file is the payload. A file that was cut anywhere, or of
which a byte changed, is told from a whole one; a file of a later multistack is told from a broken one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emulator.errors import MultistackError

FORMAT = 1
_MAGIC = "multistack-checkpoint"
# The first line is some 300 bytes; a longer one is not ours, and need not be read to the end to know.
_MOST_HEADER_BYTES = 64 * 1024
_FASTEST = 1


class BrokenCheckpoint(MultistackError):
    """
    A file that was cut, changed or never was a checkpoint: the one before it may do.

    Attributes:
        reason: What is the matter with it, to be read after its name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"checkpoint {path} {reason}")
        self.reason = reason


class NewerCheckpoint(MultistackError):
    """A file whose format a later multistack wrote: nothing older may take its place unasked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """
    Whose state it is.

    Attributes:
        format: The version of the file format.
        emulator: Name and version of the emulator that wrote it, e.g. ``ministack 1.5.33``.
        at: The moment of the state, in UTC: what was acknowledged before is in it.
    """

    format: int = FORMAT
    emulator: str
    at: datetime
    account_id: str
    region: str


def write(path: Path, header: Header, payload: bytes) -> None:
    """
    Replace *path* by a checkpoint of *payload* in one step; it is on the disk when this returns.

    Raises:
        OSError: It can't be written; what was there before stays, and nothing lies beside it.
    """
    packing, body = _pack(payload)
    described = _describe(header, packing, body)
    first = json.dumps({**described, "sha256": _digest(described, body)}).encode() + b"\n"
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(first)
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    _sync_folder(path.parent)


def read(path: Path) -> tuple[Header, bytes]:
    """
    The header and the unpacked payload of *path*.

    Raises:
        BrokenCheckpoint: It can't be read, or is not what was written.
        NewerCheckpoint: Its format is newer than :data:`FORMAT`.
    """
    described, body = _read(path, size=-1)
    if len(body) != described.get("length") or _digest(described, body) != described.get("sha256"):
        raise BrokenCheckpoint(path, "is broken: it is not as it was written")
    return _header(described), zlib.decompress(body) if described["packing"] == "zlib" else body


def read_header(path: Path) -> Header:
    """The header of *path*, unchecked: a later :func:`read` may find it broken; raises as that does."""
    described, _ = _read(path, size=0)
    try:
        return _header(described)
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenCheckpoint(path, "is broken: its first line lacks something") from error


def _read(path: Path, *, size: int) -> tuple[dict[str, Any], bytes]:
    try:
        with path.open("rb") as file:
            return _parse(path, file.readline(_MOST_HEADER_BYTES)), file.read(size)
    except OSError as error:
        raise BrokenCheckpoint(path, f"can't be read: {error.strerror}") from error


def _header(described: Mapping[str, Any]) -> Header:
    return Header(
        emulator=described["emulator"],
        at=datetime.fromisoformat(described["at"]),
        account_id=described["account_id"],
        region=described["region"],
    )


def _parse(path: Path, first: bytes) -> dict[str, Any]:
    try:
        described = json.loads(first)
        kind, version = described["kind"], described["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenCheckpoint(path, "is broken: its first line can't be read") from error
    if kind != _MAGIC or not isinstance(version, int):
        raise BrokenCheckpoint(path, "is broken: it is no checkpoint")
    if version > FORMAT:
        raise NewerCheckpoint(
            f"checkpoint {path} has format {version}, this multistack reads up to {FORMAT}",
            hint="use the multistack that wrote it, or a later one",
        )
    return dict(described)


def _pack(payload: bytes) -> tuple[str, bytes]:
    packed = zlib.compress(payload, _FASTEST)
    return ("zlib", packed) if len(packed) < len(payload) else ("none", payload)


def _describe(header: Header, packing: str, body: bytes) -> dict[str, Any]:
    return {
        "kind": _MAGIC,
        "format": header.format,
        "emulator": header.emulator,
        "at": header.at.astimezone(UTC).isoformat(),
        "account_id": header.account_id,
        "region": header.region,
        "packing": packing,
        "length": len(body),
    }


def _digest(described: Mapping[str, Any], body: bytes) -> str:
    signed = {key: value for key, value in described.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(signed, sort_keys=True).encode())
    digest.update(body)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """A rename is on the disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
