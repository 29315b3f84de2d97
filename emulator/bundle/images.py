"""Images between an engine and a bundle: out of the one, and into another one."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from emulator.bundle.manifest import IMAGES, BundledImage
from emulator.bundle.meter import Meter, readable
from emulator.bundle.reader import Bundle, reading
from emulator.bundle.writer import Writer
from emulator.drivers.engine import talking
from emulator.drivers.images import need_hint
from emulator.errors import ArtifactError, ConfigError, NotReady
from emulator.events import Emit, Event

if TYPE_CHECKING:
    from docker import DockerClient

# Seconds that the engine may be silent: it unpacks the last layer when all is sent, on a slow disk.
PATIENCE = 600
# Gzip, which `docker load` takes too; 112 MB of our image's 308, where the fastest level makes 125.
_GZIP, _LEVEL = 31, 6
_CHUNK = 1024 * 1024
_LOADED = re.compile(r"Loaded image: (\S+)")
_NO_SPACE = "no space left on device"


def check_name(name: str) -> None:
    """
    Refuse a name that the image would lose on its way.

    Raises:
        ConfigError: It is a digest's.
    """
    if "@" in name or name.startswith("sha256:"):
        raise ConfigError(
            f"image {name} is named by its digest, and loses that name in a bundle",
            hint="give it a tag (`docker tag`), and name that in the project file",
        )


def find(client: DockerClient, name: str) -> BundledImage | None:
    """The image *name* as the engine describes it; None when it has none."""
    from docker.errors import ImageNotFound

    with talking(f"image {name}"):
        try:
            found = client.images.get(name).attrs
        except ImageNotFound:
            return None
    return BundledImage(
        name=name,
        member=f"{IMAGES}/{_file_name(name)}.tar.gz",
        id=str(found["Id"]),
        architecture=str(found.get("Architecture") or ""),
        layers=tuple((found.get("RootFS") or {}).get("Layers") or ()),
        created=str(found.get("Created") or ""),
        size=int(found.get("Size") or 0),
    )


def need(client: DockerClient, name: str) -> BundledImage:
    """
    The image *name* of the engine.

    Raises:
        NotReady: It isn't there.
    """
    if found := find(client, name):
        return found
    raise NotReady(f"image {name} is not in the Docker engine", hint=need_hint(name))


def tags_of(client: DockerClient, repository: str) -> list[str]:
    """The full names of all images of *repository*."""
    with talking(f"image {repository}"):
        found = client.images.list(name=repository)
    names = {tag.removeprefix("localhost/") for image in found for tag in image.tags}  # which Podman adds
    return sorted(name for name in names if name.rpartition(":")[0] == repository)


def save(client: DockerClient, image: BundledImage, writer: Writer, *, emit: Emit) -> None:
    """
    Write *image* into a bundle.

    Raises:
        NotReady: The engine fails, or has another image of that name by now.
    """
    meter = Meter(emit, "saving", image.name, image.size)
    with talking(f"image {image.name}"):
        chunks = client.api.get_image(image.name)
        member = writer.add_stream(image.member, _compressed(chunks, meter))
    if need(client, image.name).id != image.id:
        raise NotReady(f"image {image.name} was replaced while it was saved", hint="run the same command again")
    meter.finish("saved", f"{image.name}, {readable(member.size)}")


def _compressed(chunks: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    for chunk in chunks:
        meter.add(len(chunk))
        yield packer.compress(chunk)
    yield packer.flush()


def check_architecture(images: Collection[BundledImage], architecture: str, *, where: str) -> None:
    """
    Refuse images that an engine can't run.

    Args:
        architecture: Of the engine; images that tell none are taken.
        where: The bundle, for the message.

    Raises:
        ArtifactError: One is for another processor.
    """
    for image in images:
        if image.architecture and architecture and image.architecture != architecture:
            raise ArtifactError(
                f"bundle {where}: image {image.name} is for {image.architecture}, the engine runs {architecture}",
                hint=f"take a bundle saved on a machine with {architecture}, or `--no-images`",
            )


def load(client: DockerClient, bundle: Bundle, *, emit: Emit) -> None:
    """
    Bring every image of *bundle* into the engine, unless it is there already.

    One after the other, each wholly or not at all: a command that was stopped goes on where it was when it is run
    again.

    Raises:
        NotReady: The engine fails; what was loaded before stays.
        ArtifactError: An image is for another processor; nothing was loaded.
    """
    images = bundle.manifest.images
    with talking("bundle load"):
        architecture = str(client.version().get("Arch", ""))
    check_architecture(images, architecture, where=str(bundle.path))
    for image in images:
        there = find(client, image.name)
        if there is not None and is_same(there, image):
            emit(Event(None, "kept", f"{image.name}: the Docker engine has it"))
            continue
        _load_one(client, bundle, image, emit=emit)


def _load_one(client: DockerClient, bundle: Bundle, image: BundledImage, *, emit: Emit) -> None:
    meter = Meter(emit, "loading", image.name, bundle.manifest.members[image.member].size)
    names = []
    with talking(f"image {image.name}"):
        for answer in client.api.load_image(_unpacked(bundle, image, meter), quiet=True):
            if failed := _failure(answer):
                hint = "free some space, then run the same command again" if _NO_SPACE in failed else None
                raise NotReady(f"image {image.name}: the Docker engine says: {failed}", hint=hint)
            names += _LOADED.findall(str(answer.get("stream", "")))
    _name(client, image, names)
    meter.finish("loaded", image.name)


def _name(client: DockerClient, image: BundledImage, loaded: Sequence[str]) -> None:
    """See that a loaded image has its name: Podman saves ``name`` as ``localhost/name``, and Docker believes it."""
    from docker.utils import parse_repository_tag

    if (there := find(client, image.name)) is not None and is_same(there, image):
        return
    for other in loaded:
        if (there := find(client, other)) is not None and is_same(there, image):
            repository, tag = parse_repository_tag(image.name)
            with talking(f"image {image.name}"):
                client.api.tag(other, repository, tag or "latest", force=True)
                client.api.remove_image(other, noprune=True)  # the name only: the image has another one now
            return
    raise NotReady(f"image {image.name}: the Docker engine took in another image ({', '.join(loaded) or 'none'})")


def _failure(answer: Any) -> str:
    if not isinstance(answer, dict) or not ("error" in answer or "errorDetail" in answer):
        return ""
    detail = answer.get("errorDetail") or {}
    return str(detail.get("message") or answer.get("error") or "it can't be loaded").strip().rstrip(".")


def is_same(one: BundledImage, other: BundledImage) -> bool:
    """
    Whether two engines describe the same image.

    Ids tell only within one kind of store: Docker's older store, its newer one and Podman number images differently.
    """
    if one.id == other.id:
        return True
    return one.layers == other.layers and _seconds(one.created) == _seconds(other.created)


def _seconds(text: str) -> float | str:
    """Engines write fractions of a second in different lengths."""
    try:
        return datetime.fromisoformat(text[:19]).timestamp()
    except ValueError:
        return text


def _unpacked(bundle: Bundle, image: BundledImage, meter: Meter) -> Iterator[bytes]:
    """
    The image as ``docker save`` wrote it, in pieces; that it can't be read is not the engine's fault.

    Docker would take it compressed as well; Podman 4.3 doesn't.
    """
    unpacker = zlib.decompressobj(wbits=_GZIP)
    with reading(bundle.path), bundle.open(image.member) as file:
        while chunk := file.read(_CHUNK):
            meter.add(len(chunk))
            yield unpacker.decompress(chunk)
    yield unpacker.flush()


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in name)
