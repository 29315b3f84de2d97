"""Build a service into an artifact: package it, install what its functions need, zip their code."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator import node_sdk
from emulator.archives import Archive, KeptArchives, Place, stamp_of
from emulator.artifact import BUCKET, ArtifactStore, files_of, key_for, sha256_of, write_zip
from emulator.errors import ArtifactError, ConfigError, file_hint
from emulator.events import Emit, Event
from emulator.frameworks.registry import reader_of
from emulator.frameworks.service import Packaging, Service
from emulator.frameworks.stages import STAGE
from emulator.handlers import check_in_package, check_in_source
from emulator.image_code import Images, NoImages
from emulator.interpreters import Interpreter, choose
from emulator.model import Artifact, Project
from emulator.secret_files import secret_files, warn
from emulator.template import LocalCode, all_resources, inline_definitions, local_code, point_at_code
from emulator.tool_builds import build_by_tool, install_npm, is_built_by_tool, needs_npm

# Bytes. Source: AWS, "Lambda quotas", deployment package size, unzipped.
_UNZIPPED = 262_144_000
# Where a runtime looks for what a layer brings. Source: AWS, "Packaging your layer content".
_LAYER_FOLDERS = {"python": "python/", "nodejs": "nodejs/"}
# What `sam build` can do and this build can't.
_OTHER_TOOLS = ("rust-cargolambda", "go1.x", "dotnet", "java", "ruby", "gradle", "maven")


def build(
    project: Project,
    store: ArtifactStore,
    *,
    emit: Emit,
    python_of: Callable[[str], Interpreter] = choose,
    environ: Mapping[str, str] = {},
    cancelled: Callable[[], None] = lambda: None,
    kept: KeptArchives | None = None,
    images: Images | None = None,
) -> Artifact:
    """
    Build the service of *project* and store it.

    Args:
        python_of: The interpreter that will run a ``Runtime``, for which its dependencies are installed.
        environ: Of the framework's own tool, should it have one.
        cancelled: Called while waiting for that; raises to stop.
        kept: Of earlier builds in this process: what didn't change since is not read again.
        images: What builds those of functions that are container images.

    Raises:
        ConfigError: The template is no template, or names code that is not there.
        ArtifactError: Dependencies can't be installed, a file can't be read, the disk is full, or the tool fails.
    """
    try:
        with tempfile.TemporaryDirectory(dir=store.work_folder()) as name:
            work = Path(name)
            packaging = Packaging(
                environ=environ,
                stages=stages_of(project),
                work=_folder(work / "packaged"),
                emit=emit,
                cancelled=cancelled,
                kept=kept.packages if kept else None,
                awaited=_awaited(project, kept),
                images=images or NoImages(),
            )
            service = reader_of(project.template).read(project.template, packaging)
            requirements = _Requirements(cache=store.dependencies_folder(), python_of=python_of, emit=emit)
            return _store(service, store, _folder(work / "zips"), requirements, kept or KeptArchives())
    except OSError as error:
        raise ArtifactError(
            f"can't build {project.service}: {error.strerror or error} ({error.filename or project.state})",
            hint=f"{file_hint(error)}; nothing was recorded",
        ) from error


def _store(
    service: Service, store: ArtifactStore, work: Path, requirements: _Requirements, kept: KeptArchives
) -> Artifact:
    """What *service* is with all its code in archives, and its template leading to them."""
    sources = list(local_code(service.template, service.folder))
    sources = [source for source in sources if not source.is_guess or _may_run(source)]
    for source in sources:
        check_source(source, service.path)
    complete = {one.path for one in sources} if service.is_complete else service.complete
    made = {path: _as_archived(path) for path in service.archives}
    archives = _archives(sources, work, requirements, complete, kept, made=made)
    check_sizes(service.template, {name: one.unzipped for name, one in archives.items()})
    for source in sources:
        check_in_package(source, archives[source.logical_id].path, service.path)
    keys = {logical_id: key_for(one.sha256) for logical_id, one in archives.items()}
    template = inline_definitions(service.template, service.folder)
    template = point_at_code(template, keys, bucket={"Fn::Sub": BUCKET}, sources=sources)
    artifact = store.add(template, {name: (one.path, one.sha256) for name, one in archives.items()})
    kept.move(artifact, {one.path: archives[one.logical_id] for one in sources})
    return artifact


def stages_of(project: Project) -> Mapping[str, str]:
    """What its framework calls the environments of *project*, and the account of the first that is called so."""
    stages: dict[str, str] = {}
    for one in project.environments:
        stages.setdefault(one.config.get(STAGE, one.name), one.account_id)
    return stages


def _awaited(project: Project, kept: KeptArchives | None) -> list[str]:
    """The stage of the environment that somebody waits for."""
    name = kept.awaited if kept else None
    return [one.config.get(STAGE, one.name) for one in project.environments if one.name == name]


def _as_archived(path: Path) -> Archive:
    """A zip that an earlier build made, or that was made of one."""
    with zipfile.ZipFile(path) as content:
        return Archive(path, sha256_of(path), sum(info.file_size for info in content.infolist()))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def check_source(source: LocalCode, template: Path) -> None:
    """
    Refuse code that can't run before anything is built.

    Raises:
        ConfigError: The folder is missing, or the file of the function's handler is not in it.
    """
    if not source.path.exists():
        raise ConfigError(f"{template}: the code of {source.logical_id} is missing: {source.path} does not exist")
    if str(source.build_method).startswith(_OTHER_TOOLS):
        raise ConfigError(
            f"{template}: {source.logical_id} is built by {source.build_method}, which multistack does not do",
            hint='run `sam build`, then set template = ".aws-sam/build/template.yaml"',
        )
    check_in_source(source, template)


def _may_run(source: LocalCode) -> bool:
    """Beside the code of services there may be other folders."""
    try:
        check_source(source, source.path)
    except ConfigError:
        return False
    return True


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


def _archives(
    sources: list[LocalCode],
    work: Path,
    requirements: _Requirements,
    complete: Collection[Path],
    kept: KeptArchives,
    *,
    made: Mapping[Path, Archive],
) -> dict[str, Archive]:
    """By logical id; functions that share a folder share one zip."""
    known: dict[Place, Archive] = {}
    secrets: list[str] = []
    by_id: dict[str, Place] = {}
    for number, source in enumerate(sources):
        place = (source.path, source.logical_id if is_built_by_tool(source) else source.build_method)
        by_id[source.logical_id] = place
        if place in known:
            continue
        if source.path in made:
            known[place] = made[source.path]
            continue
        installer = None if source.path in complete else requirements
        contents = _contents(source, work / str(number), installer)
        stamp = stamp_of(contents)
        found = kept.find(place, stamp)
        if found is None:
            requirements.emit(Event(None, "building", source.path.name))
            node_sdk.provide(contents, source, requirements.cache, emit=requirements.emit)
            found_secrets = secret_files(contents, installed=requirements.cache)
            secrets += [f"{source.path.name}/{name}" for name in found_secrets]
            unzipped = sum(path.stat().st_size for path in contents.values())
            _check_size(source.logical_id, unzipped)
            archive = work / f"{number}.zip"
            write_zip(archive, contents)
            found = Archive(archive, sha256_of(archive), unzipped)
            kept.keep(place, stamp, found)
        known[place] = found
    warn(secrets, requirements.emit)
    return {logical_id: known[place] for logical_id, place in by_id.items()}


def check_sizes(template: Mapping[str, Any], unzipped: Mapping[str, int]) -> None:
    """
    Hold each function together with its own layers to Lambda's limit.

    Args:
        unzipped: Logical id of a function or layer to its bytes.

    Raises:
        ArtifactError: As Lambda says it.
    """
    for placed in all_resources(template):
        layers = placed.resource.get("Properties", {}).get("Layers")
        refs = [layer.get("Ref") for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []
        total = unzipped.get(placed.logical_id, 0) + sum(unzipped.get(f"{placed.prefix}{name}", 0) for name in refs)
        _check_size(placed.logical_id, total)


def _check_size(logical_id: str, unzipped: int) -> None:
    if unzipped > _UNZIPPED:
        raise ArtifactError(
            f"{logical_id}: Unzipped size must be smaller than {_UNZIPPED} bytes; it has {unzipped}",
            hint="leave out what it doesn't need; files that it reads can be in a bucket",
        )


def _contents(source: LocalCode, work: Path, installer: _Requirements | None) -> Mapping[str, Path]:
    """Archive name to file: the source's own files win over its dependencies'."""
    if source.path.is_file():
        if source.path.suffix == ".zip":
            return _unpacked(source.path, work)
        return {source.path.name: source.path}
    if installer is None:
        return dict(files_of(source.path))
    if is_built_by_tool(source):
        return dict(files_of(build_by_tool(source, work, emit=installer.emit)))
    own = dict(files_of(source.path))
    if needs_npm(source):
        own = {**dict(files_of(install_npm(source, installer.cache, emit=installer.emit))), **own}
    is_layer = not source.type.endswith("::Function")
    folder = _LAYER_FOLDERS.get(re.sub(r"[0-9.x]+$", "", source.build_method or "")) if is_layer else ""
    if folder is None:  # a layer that nobody asks to be built
        return own
    requirements = source.path / "requirements.txt"
    if folder != "nodejs/" and _requires_anything(requirements):
        own = {**dict(files_of(installer.install(requirements, source))), **own}
    return {f"{folder}{name}": path for name, path in own.items()}


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
