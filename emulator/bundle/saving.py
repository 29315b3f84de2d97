"""Puts a bundle together: images, wheels, the folders that are to come along, and what installs it all."""

from __future__ import annotations

import importlib.resources
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from emulator.bundle import images, own_wheel, texts, wheels
from emulator.bundle.manifest import IMAGES, MANIFEST, WHEELS, BundledImage, Manifest
from emulator.bundle.targets import Target
from emulator.bundle.writer import PLAIN, PROGRAM, Writer, aside_of, replacing
from emulator.drivers.engine import connect
from emulator.errors import ConfigError, NotReady, file_hint
from emulator.events import Emit, Event
from emulator.model import OWN_IMAGE, DriverName, Project

if TYPE_CHECKING:
    from docker import DockerClient

README, INSTALL, INSTALLER = "README.txt", "install.sh", "install.py"
_RESERVED = {README, INSTALL, INSTALLER, MANIFEST, WHEELS, IMAGES, ".venv"}
# Made by tools, and made again by them where it is needed.
_LEFT_OUT = {
    *(".git", ".venv", ".multistack", "__pycache__", "node_modules", ".DS_Store"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
}
# Built by `multistack image build --proxy`: saved along where it is there.
_PROXY_IMAGE = "multistack/proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """
    What a bundle is to hold.

    Attributes:
        wanted: Images that must be in it.
        optional: Images that are taken if the engine has them.
        packages: Requirements beyond multistack.
        folders: Come along as they are.
    """

    targets: Sequence[Target]
    wanted: Sequence[str] = ()
    optional: Sequence[str] = ()
    packages: Sequence[str] = ()
    folders: Sequence[Path] = ()


def images_of(project: Project | None) -> tuple[list[str], list[str]]:
    """The images that *project* can't do without, and those that it could use; outside of one, that of multistack."""
    if project is None:
        return [OWN_IMAGE], []
    by_driver: dict[DriverName, set[str]] = {}
    for one in project.promotion_order:
        by_driver.setdefault(one.driver, set()).add(one.container.image)
    wanted = by_driver.get(DriverName.LOCALSTACK, set())
    return sorted(wanted), sorted(by_driver.get(DriverName.AUTO, set()) - wanted)


def check(contents: Contents) -> None:
    """
    Refuse what can't be put into a bundle, before anything is done.

    Raises:
        ConfigError: A name or a folder is wrong.
    """
    for name in (*contents.wanted, *contents.optional):
        images.check_name(name)
    for package in contents.packages:
        try:
            Requirement(package)
        except InvalidRequirement as error:
            raise ConfigError(f"--package {package}: no requirement, e.g. `awscli` or `pytest==8.4`") from error
    for folder in contents.folders:
        if not folder.is_dir():
            raise ConfigError(f"--with {folder}: no such folder")
        if not folder.resolve().name or folder.resolve().name in _RESERVED:
            raise ConfigError(f"--with {folder}: a bundle has another {folder.resolve().name or 'root'}")


def save(path: Path, contents: Contents, *, environ: Mapping[str, str], allow_remote: bool, emit: Emit) -> Manifest:
    """
    Write the bundle *path*; when anything fails, what was there before stays.

    Args:
        environ: The caller's variables: where the engine is, pip's settings.

    Raises:
        MultistackError: See :func:`check`, :mod:`emulator.bundle.wheels`, :mod:`emulator.bundle.images`.
    """
    check(contents)
    at = datetime.now(UTC).replace(microsecond=0)
    with replacing(path, mtime=int(at.timestamp())) as writer:
        client, chosen = _choose_images(contents, environ=environ, allow_remote=allow_remote, emit=emit)
        check_platforms(chosen, contents.targets)
        version = own_wheel.find().version
        packages = ["pip", *contents.packages]
        writer.add(README, texts.readme(version, at, contents.targets, chosen))
        writer.add(INSTALL, texts.install_script(contents.targets), mode=PROGRAM)
        installer = importlib.resources.files("emulator.bundle").joinpath("installer.py")
        writer.add(INSTALLER, installer.read_bytes())
        with tempfile.TemporaryDirectory(prefix="multistack-bundle-") as work:
            for wheel in wheels.collect(contents.targets, packages, Path(work), environ=environ, emit=emit):
                writer.add_file(f"{WHEELS}/{wheel.path.name}", wheel.path)
                version = str(wheel.version) if wheel.name == own_wheel.DISTRIBUTION else version
        for folder in contents.folders:
            _add_folder(writer, folder.resolve(), itself=path)
        for image in chosen:
            if client is not None:
                images.save(client, image, writer, emit=emit)
        manifest = Manifest(
            version=version,
            at=at,
            targets=tuple(contents.targets),
            packages=(own_wheel.DISTRIBUTION, *packages),
            images=tuple(chosen),
            members=writer.members,
        )
        writer.finish(manifest)
    return manifest


def _choose_images(
    contents: Contents, *, environ: Mapping[str, str], allow_remote: bool, emit: Emit
) -> tuple[DockerClient | None, list[BundledImage]]:
    """The engine, unless no image is asked for, and the images as they are in it."""
    if not contents.wanted and not contents.optional:
        return None, []
    try:
        client = connect(environ, allow_remote=allow_remote, timeout=images.PATIENCE)
    except NotReady as error:
        if contents.wanted:
            raise NotReady(error.message, hint=f"{error.hint}; `--no-images` leaves images out") from error
        emit(Event(None, "left out", f"{', '.join(contents.optional)}: {error.message}"))
        return None, []
    chosen = [images.need(client, name) for name in contents.wanted]
    for name in contents.optional:
        if found := images.find(client, name):
            chosen.append(found)
        else:
            emit(Event(None, "left out", f"image {name} is not in the Docker engine"))
    names = {image.name for image in chosen}
    proxies = [name for name in images.tags_of(client, _PROXY_IMAGE) if name not in names]
    return client, chosen + [images.need(client, name) for name in proxies]


def check_platforms(chosen: Collection[BundledImage], targets: Sequence[Target]) -> None:
    """
    Refuse images for other machines than the wheels: an engine has an image for one processor only.

    Raises:
        ConfigError: A target has another processor than an image.
    """
    for image in chosen:
        for target in targets:
            if image.architecture and target.platform != f"linux/{image.architecture}":
                raise ConfigError(
                    f"image {image.name} in the Docker engine is for linux/{image.architecture}, "
                    f"the bundle for {target.platform}",
                    hint="save one bundle per platform, each where the images are for it, or use --no-images",
                )


def _add_folder(writer: Writer, folder: Path, *, itself: Path) -> None:
    own = {itself.resolve(), aside_of(itself).resolve()}
    for path in _files(folder):
        if path not in own:
            mode = PROGRAM if os.access(path, os.X_OK) else PLAIN
            writer.add_file(f"{folder.name}/{path.relative_to(folder)}", path, mode=mode)


def _files(folder: Path) -> Iterator[Path]:
    """The files below *folder* in order; no links to folders, which may lead in a circle or anywhere."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"--with {folder}: can't be read: {error.strerror}", hint=file_hint(error)) from error
    for entry in entries:
        if entry.name in _LEFT_OUT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.is_file():
            yield entry
