"""
Archives that are the same wherever they are made, and a store that keeps artifacts by what they are.

The same source gives the same digest in any folder, umask, locale and time: entries are sorted, times and modes fixed,
and archives stored uncompressed, because zlib's output differs between its versions.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from emulator.errors import ArtifactError
from emulator.left_out import is_left_out
from emulator.model import Artifact, Code
from emulator.process import write_atomically

# The template is the same everywhere, and a bucket serves functions of its own region only.
BUCKET = "multistack-artifacts-${AWS::Region}"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MANIFEST = "artifact.json"
# In the folder of an artifact that nobody asked for by name: a save made it.
_PASSING = "passing"
_HEX = re.compile("[0-9a-f]{64}")


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """
    Every file below *folder* that belongs to the service, as (posix name, path).

    Links are followed: a folder that is there under two names is there twice. A link to a folder that it is in is not.

    Raises:
        OSError: A folder can't be read.
    """
    for path in _walk(folder, within=frozenset()):
        yield path.relative_to(folder).as_posix(), path


def _walk(folder: Path, *, within: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in within:
        return
    for path in sorted(folder.iterdir()):
        if is_left_out(path.name):
            continue
        if path.is_dir():
            yield from _walk(path, within=within | {real})
        elif path.is_file():
            yield path


def write_zip(archive: Path, contents: Mapping[str, Path]) -> None:
    """A zip whose bytes depend on names, bytes and the executable bit, and on nothing else."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as output:
        for name in sorted(contents):
            info = zipfile.ZipInfo(name, _EPOCH)
            executable = contents[name].stat().st_mode & 0o100
            info.create_system = 3  # Unix, whatever builds it
            info.external_attr = (0o100755 if executable else 0o100644) << 16
            output.writestr(info, contents[name].read_bytes())


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def code_sha256(hex_digest: str) -> str:
    """A hex digest as Lambda writes it in ``CodeSha256``."""
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()


def key_for(sha256: str) -> str:
    """Where the archive of that hash lies in an artifact, and in a bucket."""
    return f"code/{sha256}.zip"


def bucket_of(region: str) -> str:
    """The bucket of an environment that its artifacts go into."""
    return BUCKET.replace("${AWS::Region}", region)


def key_of(code: Code) -> str:
    """Where *code* lives in the bucket of every environment."""
    return key_for(code.sha256)


def is_digest(text: str) -> bool:
    """Whether it is a hex SHA-256, and so no path to elsewhere."""
    return _HEX.fullmatch(text) is not None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class ArtifactStore:
    """
    Artifacts in a folder, one folder per digest. What is read is hashed again; nothing is ever changed.

    Args:
        folder: Made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def work_folder(self) -> Path:
        """A folder on the same file system, for unfinished builds; older leftovers in it are removed."""
        folder = self._folder / "tmp"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def dependencies_folder(self) -> Path:
        """Where installed dependencies are kept between builds."""
        return self._folder / "dependencies"

    def add(self, template: Mapping[str, object], archives: Mapping[str, tuple[Path, str]]) -> Artifact:
        """
        Keep a build; the same build twice is one artifact.

        Args:
            archives: Logical id to (zip, its SHA-256).
        """
        functions: dict[str, list[str]] = {}
        for logical_id, (_, sha256) in archives.items():
            functions.setdefault(sha256, []).append(logical_id)
        manifest = json.dumps({"template": template, "code": functions}, sort_keys=True).encode()
        digest = _digest(manifest)
        folder = self._folder / digest
        if not (folder / _MANIFEST).exists():
            (folder / "code").mkdir(parents=True, exist_ok=True)
            for archive, sha256 in archives.values():
                shutil.copyfile(archive, folder / key_for(sha256))
            # Last, and in one step: an artifact with a manifest is whole.
            write_atomically(folder / _MANIFEST, manifest)
        return self.open(digest)

    def adopt(self, digest: str, other: ArtifactStore) -> Artifact:
        """
        The artifact of *digest*, taken over from another store unless it is here.

        Raises:
            ArtifactError: It is not there, or its bytes no longer match the digest.
        """
        if not (self._folder / digest / _MANIFEST).exists():
            work = self.work_folder() / digest
            shutil.copytree(other.folder(digest), work)
            work.rename(self._folder / digest)
        return self.open(digest)

    def folder(self, digest: str) -> Path:
        """Where an artifact is, or would be."""
        return self._folder / digest

    def digests(self) -> list[str]:
        """Of every artifact that is whole."""
        return sorted(path.parent.name for path in self._folder.glob(f"*/{_MANIFEST}"))

    def passing(self) -> set[str]:
        """Of those that may go when nothing needs them any more."""
        return {path.parent.name for path in self._folder.glob(f"*/{_PASSING}")}

    def set_passing(self, digest: str, *, is_passing: bool) -> None:
        """Whether the artifact of *digest* may go when nothing needs it any more; by default it stays."""
        mark = self._folder / digest / _PASSING
        if is_passing:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)

    def remove(self, digest: str) -> None:
        """Forget an artifact; cut at any moment, what is left of it is none."""
        (self._folder / digest / _MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(self._folder / digest, ignore_errors=True)

    def find(self, start: str) -> str:
        """
        The only digest that begins with *start*.

        Raises:
            ArtifactError: None does, or several do.
        """
        found = [digest for digest in self.digests() if digest.startswith(start.lower())] if start else []
        if len(found) != 1:
            problem = f"{len(found)} artifacts have a digest" if found else "no artifact has a digest"
            raise ArtifactError(f"{problem} that begins with {start!r}", hint="multistack artifact list")
        return found[0]

    def open(self, digest: str) -> Artifact:
        """
        The artifact of *digest*.

        Raises:
            ArtifactError: It is not here, or its bytes no longer match the digest.
        """
        folder = self._folder / digest
        try:
            manifest = (folder / _MANIFEST).read_bytes()
            content = json.loads(manifest) if _digest(manifest) == digest else None
            if content and not all(map(is_digest, content["code"])):
                content = None  # it names files elsewhere
            code = tuple(
                Code(path=folder / key_for(sha256), sha256=sha256, functions=tuple(functions))
                for sha256, functions in (content["code"].items() if content else ())
            )
            intact = content is not None and all(sha256_of(one.path) == one.sha256 for one in code)
        except OSError as error:
            raise ArtifactError(
                f"artifact {digest[:12]} is not in {self._folder}: {error.strerror}",
                hint="bring it back with `multistack artifact import`, or build that source again: `multistack build`",
            ) from error
        if content is None or not intact:
            raise ArtifactError(
                f"artifact {digest[:12]} was changed after it was built; its bytes no longer match its digest",
                hint=f"bring it back with `multistack artifact import`, or remove {folder} and build it again",
            )
        return Artifact(digest=digest, template=content["template"], code=code)
