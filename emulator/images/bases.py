"""Which base image a build starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emulator.drivers.engine import talking
from emulator.errors import MultistackError, NotReady
from emulator.events import Emit, Event
from emulator.images import debootstrap

if TYPE_CHECKING:
    from docker import DockerClient

DEFAULT = "python:3.13-slim"


def choose(client: DockerClient, *, wanted: str | None, cache: Path | None, emit: Emit) -> str:
    """
    The name of an image that is in the engine: *wanted*, or Python's own, or one made with debootstrap.

    Args:
        cache: See :func:`emulator.images.debootstrap.make_base`.

    Raises:
        MultistackError: There is none, and none can be had.
    """
    if wanted is not None:
        reason = _get(client, wanted, emit)
        if reason:
            raise MultistackError(
                f"base image {wanted} can't be had: {reason}", hint="check its name; `docker images` lists what is here"
            )
        return wanted
    if _labels(client, DEFAULT) is not None:
        return DEFAULT
    if debootstrap.is_current(_labels(client, debootstrap.BASE)):
        emit(Event(None, "using", f"the base image {debootstrap.BASE}"))
        return debootstrap.BASE
    if not (reason := _get(client, DEFAULT, emit)):
        return DEFAULT
    emit(Event(None, "without", f"{DEFAULT}: {reason}"))
    return debootstrap.make_base(client, cache=cache, emit=emit)


def _labels(client: DockerClient, name: str) -> dict[str, str] | None:
    """The labels of an image of the engine; None when it isn't there."""
    from docker.errors import ImageNotFound

    with talking(f"image {name}"):
        try:
            return dict(client.images.get(name).labels or {})
        except ImageNotFound:
            return None


def _get(client: DockerClient, name: str, emit: Emit) -> str:
    """Pull *name* unless it is there; returns why it can't be had."""
    if _labels(client, name) is not None:
        return ""
    emit(Event(None, "pulling", name))
    try:
        with talking(f"image {name}"):
            client.images.pull(name)
    except NotReady as error:
        said = error.message.partition("the Docker engine says: ")[2] or error.message
        return said.rpartition("dial tcp: ")[2] or said
    return ""
