"""Asks the Docker engine what ``doctor`` judges. Only looks: nothing is made, started or pulled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.drivers import containers, engine
from emulator.drivers.belongings import environments_of
from emulator.drivers.containers import Container, Image
from emulator.drivers.engine import talking
from emulator.drivers.images import find_image
from emulator.errors import NotReady
from emulator.model import Project

if TYPE_CHECKING:
    from docker import DockerClient

_MEGABYTE = 1024 * 1024
# Seconds for one answer: whoever asks what is wrong doesn't want to wait for a minute.
_PATIENCE = 5
# What the engine calls an architecture, and what the kernel calls its emulation.
_KERNEL_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
_EMULATED = Path("/proc/sys/fs/binfmt_misc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """
    An engine that answers.

    Attributes:
        name: ``Docker``, or whatever else is behind the socket, e.g. ``Podman``.
        architecture: As images have it, e.g. ``amd64``.
        memory: Megabytes in all: of this machine, or of the virtual one in which it runs.
        is_remote: It is on another machine.
        emulates: Other architectures that its kernel can run.
        images: Those that were asked for, None where the engine has none of that name.
        running: The project's own containers that run, by environment.
        published: Ports of its machine that containers hold, each with the container's name.
    """

    address: str
    name: str
    version: str
    api: str
    architecture: str
    memory: int
    is_remote: bool = False
    emulates: Collection[str] = ()
    images: Mapping[str, Image | None] = field(default_factory=dict)
    running: Mapping[str, Container] = field(default_factory=dict)
    published: Mapping[int, str] = field(default_factory=dict)


def look(
    project: Project | None, *, images: Collection[str], environ: Mapping[str, str], allow_remote: bool
) -> Engine | NotReady:
    """
    The engine, or why it can't be used.

    Args:
        images: Names to look for.
        environ: The caller's variables: where the engine is.
        allow_remote: It may be on another machine.
    """
    try:
        client = engine.connect(environ, allow_remote=allow_remote, timeout=_PATIENCE)
        return _describe(client, project, images, engine.address(environ))
    except NotReady as error:
        return error


def _describe(client: DockerClient, project: Project | None, images: Collection[str], address: str) -> Engine:
    with talking("doctor"):
        version, info = client.version(), client.info()
        listed = client.api.containers()
    is_remote = _is_remote(address)
    return Engine(
        address=address,
        name=_name(version),
        version=str(version.get("Version", "")),
        api=str(client.api.api_version),
        architecture=str(version.get("Arch", "")),
        memory=int(info.get("MemTotal") or 0) // _MEGABYTE,
        is_remote=is_remote,
        emulates=() if is_remote else _emulated(),
        images={name: find_image(client, name) for name in images},
        running=_running(client, project),
        published={} if is_remote else _published(listed),
    )


def _name(version: Mapping[str, Any]) -> str:
    """Podman answers as Docker does, but its components tell."""
    names = [str(component.get("Name", "")) for component in version.get("Components") or ()]
    return "Podman" if any("podman" in name.lower() for name in names) else "Docker"


def _is_remote(address: str) -> bool:
    try:
        engine.refuse_remote(address)
    except NotReady:
        return True
    return False


def _emulated() -> list[str]:
    return [name for name, kernel in _KERNEL_NAMES.items() if (_EMULATED / f"qemu-{kernel}").exists()]


def _running(client: DockerClient, project: Project | None) -> dict[str, Container]:
    if project is None:
        return {}
    now = datetime.now(UTC)
    found = [containers.read(one, now=now) for one in environments_of(client, project)]
    return {container.environment: container for container in found}


def _published(listed: Collection[Mapping[str, Any]]) -> dict[int, str]:
    return {
        int(port["PublicPort"]): str((one.get("Names") or [one["Id"][:12]])[0]).removeprefix("/")
        for one in listed
        for port in one.get("Ports") or ()
        if port.get("PublicPort")
    }
