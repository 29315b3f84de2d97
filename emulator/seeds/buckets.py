"""Objects of a bucket, from a folder and to a folder."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.endpoint import client
from emulator.errors import ConfigError
from emulator.model import Endpoint

_UNTOLD = "binary/octet-stream"  # what S3 makes of an object without a type


def read_objects(folder: Path, *, shown: str) -> Mapping[str, Path]:
    """
    Key to file of every file below *folder*, hidden ones too; by key.

    Raises:
        ConfigError: One can't be read.
    """
    found = {}
    for path in _files(folder, shown):
        if not path.is_file():
            raise ConfigError(f"{shown}/{path.relative_to(folder)} is no file")
        found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


def _files(folder: Path, shown: str) -> Iterator[Path]:
    try:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                yield from _files(path, f"{shown}/{path.name}")
            else:
                yield path
    except OSError as error:
        raise ConfigError(f"{shown} can't be read: {error.strerror}") from error


def put_objects(endpoint: Endpoint, bucket: str, objects: Mapping[str, Path]) -> int:
    """
    Put *objects* that are not there yet with the same content; returns how many.

    Raises:
        ConfigError: A file can't be read.
    """
    s3, done = client(endpoint, "s3"), 0
    there = {one["Key"]: one["ETag"].strip('"') for one in _listed(endpoint, bucket)}
    for key, path in objects.items():
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror}") from error
        if there.get(key) != hashlib.md5(content, usedforsecurity=False).hexdigest():
            s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=mimetypes.guess_type(key)[0] or _UNTOLD)
            done += 1
    return done


def _listed(endpoint: Endpoint, bucket: str) -> Iterator[Mapping[str, Any]]:
    for page in client(endpoint, "s3").get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from page.get("Contents", [])


def dump_objects(endpoint: Endpoint, bucket: str, folder: Path) -> tuple[int, Sequence[str]]:
    """
    Write every object of *bucket* into *folder*.

    Returns:
        How many, and the keys that no file can have.
    """
    left_out, done = [], 0
    for key in sorted(one["Key"] for one in _listed(endpoint, bucket)):
        if not _is_path(key):
            left_out.append(key)
            continue
        content = client(endpoint, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        try:
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            done += 1
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            left_out.append(key)  # another key goes on where this one ends
    return done, left_out


def _is_path(key: str) -> bool:
    """Whether *key* as a path stays below its folder, and is found again under the same name."""
    parts = key.split("/")
    return "\0" not in key and not any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts)
