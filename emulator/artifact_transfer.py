"""An artifact as one file, to be carried to another machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from emulator.artifact import ArtifactStore, is_digest
from emulator.errors import ArtifactError, file_hint
from emulator.provenance import FILE as PROVENANCE

_MANIFEST = "artifact.json"


def export(store: ArtifactStore, digest: str, path: Path) -> int:
    """
    Write the artifact of *digest* to *path*, which takes its place when it is whole; returns its bytes.

    Raises:
        ArtifactError: It isn't here, was changed, or can't be written.
    """
    artifact, folder = store.open(digest), store.folder(digest)
    files = [folder / _MANIFEST, *(code.path for code in artifact.code), folder / PROVENANCE]
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            with tarfile.open(aside, "w") as archive:
                for file in files:
                    if file.exists():
                        archive.add(file, f"{digest}/{file.relative_to(folder).as_posix()}", filter=_nobodys)
            aside.replace(path)
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()
        return path.stat().st_size
    except OSError as error:
        raise ArtifactError(f"can't write {path}: {error.strerror}", hint=file_hint(error)) from error


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whoever exports it, and when, is no part of it."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode, member.mtime = 0o644, 0
    return member


def import_(store: ArtifactStore, path: Path) -> str:
    """
    Take the artifact in *path* into the store, all of it or nothing; returns its digest.

    Raises:
        ArtifactError: It can't be read, is no artifact, or its bytes don't match its digest.
    """
    try:
        with tempfile.TemporaryDirectory(dir=store.work_folder()) as work:
            digest = _unpack(path, Path(work))
            _check(Path(work), digest, path)
            target = store.folder(digest)
            if not _is_whole(store, digest):
                shutil.rmtree(target, ignore_errors=True)  # what a killed build left, or somebody changed
                (Path(work) / digest).rename(target)
            return store.open(digest).digest
    except (tarfile.TarError, EOFError, ValueError, AttributeError, TypeError, RecursionError) as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise ArtifactError(
            f"{path} is no artifact that was exported: {reason}", hint="multistack artifact export DIGEST FILE"
        ) from error
    except OSError as error:
        raise ArtifactError(f"can't import {path}: {error.strerror}", hint=file_hint(error)) from error


def _is_whole(store: ArtifactStore, digest: str) -> bool:
    try:
        store.open(digest)
    except ArtifactError:
        return False
    return True


def _check(work: Path, digest: str, path: Path) -> None:
    try:
        ArtifactStore(work).open(digest)
    except ArtifactError as error:
        raise ArtifactError(
            f"{path} was changed after it was exported; its bytes no longer match its digest {digest[:12]}",
            hint="export it again where it was built",
        ) from error


def _unpack(path: Path, work: Path) -> str:
    """Only what an artifact consists of is taken; returns what it says its digest is."""
    with tarfile.open(path) as archive:
        members = {member.name: member for member in archive.getmembers() if member.isfile()}
        digests = {name.partition("/")[0] for name in members}
        digest = digests.pop() if len(digests) == 1 else ""
        if not is_digest(digest) or f"{digest}/{_MANIFEST}" not in members:
            raise ValueError("it holds no artifact, or several")

        def take(name: str) -> bytes:
            file = archive.extractfile(members[f"{digest}/{name}"])
            content = file.read() if file else b""
            target = work / digest / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            return content

        codes = json.loads(take(_MANIFEST)).get("code", {})
        for name in (PROVENANCE, *(f"code/{code}.zip" for code in codes if is_digest(code))):
            if f"{digest}/{name}" in members:
                take(name)
    return digest
