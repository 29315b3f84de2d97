"""Build a service into an artifact: package it, install what its functions need, zip their code."""

from __future__ import annotations

import hashlib
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator.artifact import BUCKET, ArtifactStore, files_of, key_for, sha256_of, write_zip
from emulator.errors import ArtifactError, ConfigError, file_hint
from emulator.events import Emit, Event
from emulator.frameworks.registry import reader_of
from emulator.frameworks.service import Packaging
from emulator.interpreters import Interpreter, choose
from emulator.model import Artifact, Project
from emulator.template import LocalCode, inline_definitions, local_code, point_at_code

# Seconds; no file system that is edited on tells times less apart.
_TICK = 0.05


def build(
    project: Project,
    store: ArtifactStore,
    *,
    emit: Emit,
    python_of: Callable[[str], Interpreter] = choose,
    environ: Mapping[str, str] = {},
    cancelled: Callable[[], None] = lambda: None,
    kept: KeptArchives | None = None,
) -> Artifact:
    """
    Build the service of *project* and store it.

    Args:
        python_of: The interpreter that will run a ``Runtime``, for which its dependencies are installed.
        environ: Of the framework's own tool, should it have one.
        cancelled: Called while waiting for that; raises to stop.
        kept: Of earlier builds in this process: what didn't change since is not read again.

    Raises:
        ConfigError: The template is no template, or names code that is not there.
        ArtifactError: Dependencies can't be installed, a file can't be read, the disk is full, or the tool fails.
    """
    try:
        with tempfile.TemporaryDirectory(dir=store.work_folder()) as name:
            work = Path(name)
            packaging = Packaging(environ=environ, work=_folder(work / "packaged"), emit=emit, cancelled=cancelled)
            service = reader_of(project.template).read(project.template, packaging)
            sources = list(local_code(service.template, service.folder))
            for source in sources:
                check_source(source, service.path)
            requirements = _Requirements(cache=store.dependencies_folder(), python_of=python_of, emit=emit)
            kept = kept or KeptArchives()
            archives = _archives(sources, _folder(work / "zips"), requirements, kept, emit=emit)
            keys = {logical_id: key_for(sha256) for logical_id, (_, sha256) in archives.items()}
            template = inline_definitions(service.template, service.folder)
            artifact = store.add(point_at_code(template, keys, bucket={"Fn::Sub": BUCKET}), archives)
            kept.move(artifact)
            return artifact
    except OSError as error:
        raise ArtifactError(
            f"can't build {project.service}: {error.strerror or error} ({error.filename or project.state})",
            hint=f"{file_hint(error)}; nothing was recorded",
        ) from error


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def check_source(source: LocalCode, template: Path) -> None:
    """
    Refuse code that can't run before anything is built.

    Raises:
        ConfigError: The folder is missing, or a Python function's handler file is not in it.
    """
    if not source.path.exists():
        raise ConfigError(f"{template}: the code of {source.logical_id} is missing: {source.path} does not exist")
    if source.type.endswith("::Function") and str(source.runtime).startswith("python") and source.path.is_dir():
        module, dot, function = str(source.handler).rpartition(".")
        if not dot or not function:
            raise ConfigError(
                f"{template}: Handler of {source.logical_id} is not <module>.<function>: {source.handler}"
            )
        stem = source.path / module.replace(".", "/")
        if not stem.with_suffix(".py").exists() and not (stem / "__init__.py").exists():
            raise ConfigError(
                f"{template}: handler {source.handler} of {source.logical_id} is missing: no {stem.with_suffix('.py')}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Requirements:
    """How the dependencies of functions are installed."""

    cache: Path
    python_of: Callable[[str], Interpreter]
    emit: Emit

    def install(self, requirements: Path, source: LocalCode) -> Path:
        """The folder with them."""
        from emulator.dependencies import install

        return install(requirements, source, self.cache, python=self.python_of(source.runtime or ""), emit=self.emit)


class KeptArchives:
    """What archives were made of, so that a service of many functions is not read whole for a line in one of them."""

    def __init__(self) -> None:
        self._made: dict[Path, tuple[str, Path, str]] = {}

    def find(self, source: Path, stamp: str) -> tuple[Path, str] | None:
        """The archive of *source* and its SHA-256, if it was made of files with this *stamp* and is still there."""
        made = self._made.get(source)
        return made[1:] if stamp and made is not None and made[0] == stamp and made[1].exists() else None

    def keep(self, source: Path, stamp: str, archive: Path, sha256: str) -> None:
        """Remember an archive that was just made."""
        self._made[source] = (stamp, archive, sha256)

    def move(self, artifact: Artifact) -> None:
        """*artifact* has the archives of its build; where they were made is removed."""
        stored = {code.sha256: code.path for code in artifact.code}
        self._made = {
            source: (stamp, stored[sha256], sha256)
            for source, (stamp, _, sha256) in self._made.items()
            if sha256 in stored
        }


def _archives(
    sources: list[LocalCode], work: Path, requirements: _Requirements, kept: KeptArchives, *, emit: Emit
) -> dict[str, tuple[Path, str]]:
    """Logical id to (zip, its SHA-256); functions that share a folder share one zip."""
    by_path: dict[Path, tuple[Path, str]] = {}
    for number, source in enumerate(sources):
        if source.path in by_path:
            continue
        contents = _contents(source, work / str(number), requirements)
        stamp = _stamp(contents)
        found = kept.find(source.path, stamp)
        if found is None:
            emit(Event(None, "building", source.path.name))
            archive = work / f"{number}.zip"
            write_zip(archive, contents)
            found = archive, sha256_of(archive)
            kept.keep(source.path, stamp, *found)
        by_path[source.path] = found
    return {source.logical_id: by_path[source.path] for source in sources}


def _stamp(contents: Mapping[str, Path], *, now: Callable[[], float] = time.time) -> str:
    """
    Changes with what is in *contents*, as far as the file system tells without reading them.

    Empty where it can't tell: the next change of a file that was saved a moment ago may get the same time.
    """
    digest, newest = hashlib.sha256(), 0.0
    for name in sorted(contents):
        status = contents[name].stat()
        newest = max(newest, status.st_mtime)
        digest.update(f"{name}\0{status.st_mtime_ns} {status.st_size} {status.st_mode} {status.st_ino}\0".encode())
    return digest.hexdigest() if now() - newest > _TICK else ""


def _contents(source: LocalCode, work: Path, installer: _Requirements) -> Mapping[str, Path]:
    """Archive name to file: the source's own files win over its dependencies'."""
    if source.path.is_file():
        if source.path.suffix == ".zip":
            return _unpacked(source.path, work)
        return {source.path.name: source.path}
    own = dict(files_of(source.path))
    requirements = source.path / "requirements.txt"
    if not _requires_anything(requirements):
        return own
    return {**dict(files_of(installer.install(requirements, source))), **own}


def _unpacked(archive: Path, work: Path) -> Mapping[str, Path]:
    """Extracted with the executable bits of the zip, which Python drops: a binary without them is no program."""
    try:
        with zipfile.ZipFile(archive) as content:
            work.mkdir()
            for info in content.infolist():
                path = Path(content.extract(info, work))
                if info.external_attr >> 16 & 0o100 and not info.is_dir():  # the high half is Unix's mode
                    path.chmod(0o755)
    except zipfile.BadZipFile as error:
        raise ArtifactError(f"{archive} is not a zip archive") from error
    return dict(files_of(work))


def _requires_anything(requirements: Path) -> bool:
    try:
        lines = requirements.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip() and not line.strip().startswith("#") for line in lines)
