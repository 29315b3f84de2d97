"""Builds our image, unless the engine has one of the same recipe."""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.drivers.containers import IMAGE
from emulator.drivers.engine import talking
from emulator.errors import MultistackError
from emulator.events import Emit, Event
from emulator.images import bases
from emulator.images.host_pip import host_files, proxies
from emulator.images.recipe import Recipe, read_embedded_recipe, read_proxy_recipe, read_recipe, source_root

if TYPE_CHECKING:
    from docker import DockerClient

_BASE_LABEL = f"{IMAGE}.base"
_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """
    One of our images in the engine.

    Attributes:
        digest: Of the recipe it was made from.
        base: What it was made on.
        size: Bytes.
        created: When, as the engine writes it.
        is_current: This version of multistack would make the same.
    """

    name: str
    id: str
    digest: str
    base: str
    size: int
    created: str
    is_current: bool


def build(
    client: DockerClient,
    *,
    environ: Mapping[str, str],
    emit: Emit,
    base: str | None = None,
    cache: Path | None = None,
    is_fresh: bool = False,
    recipe: Recipe | None = None,
) -> BuiltImage:
    """
    Make sure that the engine has our image as this version of multistack makes it.

    Args:
        environ: The caller's variables: settings of pip.
        base: The image to build on; None chooses one.
        cache: A folder for a base made with debootstrap.
        is_fresh: Build also what is there already.

    Raises:
        MultistackError: No base, no network, a full disk, or a step of the build failed.
    """
    wanted = recipe or read_recipe()
    name = wanted.image
    found = _find(client, wanted)
    if found is not None and found.is_current and base in (None, found.base) and not is_fresh:
        emit(Event(None, "current", f"{name}, nothing to build"))
        return found
    began = time.monotonic()
    chosen = bases.choose(client, wanted=base, cache=cache, emit=emit)
    emit(Event(None, "building", f"{name} on {chosen}"))
    _run(client, wanted, base=chosen, environ=environ, is_fresh=is_fresh, emit=emit)
    built = _find(client, wanted)
    if built is None:
        raise MultistackError("the build ended without an image", hint="run it again with --no-cache")
    if found is not None and found.id != built.id:
        _remove(client, found)
    emit(Event(None, "built", f"{name}, {built.size / 1e6:.0f} MB", seconds=time.monotonic() - began))
    return built


def _run(
    client: DockerClient, wanted: Recipe, *, base: str, environ: Mapping[str, str], is_fresh: bool, emit: Emit
) -> None:
    """Build *wanted* on the image *base*, step by step."""
    with talking("image build"):
        progress = client.api.build(
            fileobj=io.BytesIO(wanted.context(host_files(environ))),
            custom_context=True,
            dockerfile=wanted.dockerfile,
            tag=wanted.image,
            buildargs={"BASE": base, **proxies(environ)},
            labels={wanted.label: wanted.digest, _BASE_LABEL: base},
            nocache=is_fresh,
            rm=True,
            forcerm=True,
            decode=True,
        )
        _follow(progress, emit)


def list_images(client: DockerClient, recipe: Recipe | None = None) -> list[BuiltImage]:
    """Our images in the engine, newest first."""
    images = []
    ours = [read_recipe(), read_embedded_recipe(), *([read_proxy_recipe()] if source_root() else [])]
    for wanted in [recipe] if recipe else ours:
        with talking("images"):
            found = client.images.list(filters={"label": wanted.label})
        images += [_describe(image, name, wanted) for image in found for name in (image.tags or [""])]
    return sorted(images, key=lambda image: image.created, reverse=True)


def _find(client: DockerClient, recipe: Recipe) -> BuiltImage | None:
    from docker.errors import ImageNotFound

    with talking(f"image {recipe.image}"):
        try:
            return _describe(client.images.get(recipe.image), recipe.image, recipe)
        except ImageNotFound:
            return None


def _remove(client: DockerClient, replaced: BuiltImage) -> None:
    """Give the space of a replaced image back, unless a container or another name needs it."""
    from docker.errors import APIError

    with contextlib.suppress(APIError):
        client.images.remove(replaced.id, noprune=True)  # else the next build would begin anew


def _describe(image: Any, name: str, recipe: Recipe) -> BuiltImage:
    labels = image.labels or {}
    digest = labels.get(recipe.label, "")
    return BuiltImage(
        name=name,
        id=str(image.id),
        digest=digest,
        base=labels.get(_BASE_LABEL, ""),
        size=int(image.attrs.get("Size", 0)),
        created=str(image.attrs.get("Created", "")),
        is_current=digest == recipe.digest,
    )


def _follow(progress: Iterable[Mapping[str, Any]], emit: Emit) -> None:
    """
    Tell each step as it begins.

    Raises:
        MultistackError: A step failed; its last lines are the details.
    """
    last: deque[str] = deque(maxlen=8)
    for message in progress:
        if "error" in message:
            raise _failure(str(message["error"]), list(last))
        text = _COLOUR.sub("", str(message.get("stream", ""))).strip()
        if step := _STEP.fullmatch(text):
            emit(Event(None, "step", f"{step[1]}/{step[2]} {' '.join(step[3].split())[:70]}"))
            last.clear()
        elif text and not text.startswith("--->"):
            last.extend(text.splitlines())


def _failure(said: str, output: list[str]) -> MultistackError:
    everything = "\n".join([said, *output]).lower()
    if "no space left on device" in everything or "disk quota exceeded" in everything:
        return MultistackError(
            "the disk is full: the image can't be built",
            hint="free some space, e.g. with `docker system prune`, then run the same command again",
        )
    if any(sign in everything for sign in _NO_NETWORK):
        return MultistackError(
            "the image can't be built: the build does not reach its package index",
            hint="connect this machine, or load the image with `multistack bundle load`; behind a proxy or a mirror set"
            " pip up for it (PIP_INDEX_URL, PIP_CERT, HTTPS_PROXY)",
            details=output[-4:],
        )
    return MultistackError(
        f"the image can't be built: {said.strip()[:200]}", hint="see the lines above it", details=output
    )


_NO_NETWORK = (
    "temporary failure in name resolution",
    "temporary failure resolving",
    "name or service not known",
    "network is unreachable",
    "no matching distribution found",
    "could not find a version that satisfies",
    "connection refused",
    "certificate verify failed",
)
