"""Which images containers may be made of, and finding them in the engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emulator.drivers.containers import IMAGE, TOKEN, Image
from emulator.drivers.engine import talking
from emulator.errors import ConfigError, NotReady
from emulator.images.recipe import read_recipe
from emulator.model import OWN_IMAGE

if TYPE_CHECKING:
    from docker import DockerClient

# The last release that runs without a token. Source: LocalStack's announcement for 23 March 2026.
LAST_WITHOUT_TOKEN = (4, 14, 0)
# No registry has what `multistack image build` makes: whoever had that name there could answer for it.
_OURS = re.compile(r"(?:docker\.io/)?multistack/localstack(?:[:@].*)?")
_OFFICIAL = re.compile(r"(?:.+/)?localstack/localstack(?P<edition>-[a-z0-9-]+)?(?::(?P<tag>[^@]+))?(?P<digest>@.+)?")


def check_token(image: str, token: str | None) -> None:
    """
    Refuse an image of LocalStack that would end at once because it has no token.

    Raises:
        ConfigError: *image* needs one; the hint has both ways out.
    """
    match = _OFFICIAL.fullmatch(image)
    if match is None or token or (match["edition"] is None and _runs_without(match["tag"], match["digest"])):
        return
    pinned = ".".join(map(str, LAST_WITHOUT_TOKEN))
    raise ConfigError(
        f"image {image} ends at once without {TOKEN}: since 23 March 2026 LocalStack's images need it",
        hint=f"set {TOKEN}, or use localstack/localstack:{pinned}, the last one without, or {OWN_IMAGE}",
    )


def _runs_without(tag: str | None, digest: str | None) -> bool:
    """Whether the community image of that *tag* is one of those before the token; ``latest`` is not."""
    if tag is None and digest:
        return True  # it may be any release, and says so itself when it ends
    numbers = re.fullmatch(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-(?:amd64|arm64|s3|bigdata.*))?", tag or "")
    if numbers is None:
        return False
    # "4" and "4.14" move on with each release, but no release of 4 came after 4.14.
    return tuple(int(part) for part in numbers.groups("0")) <= LAST_WITHOUT_TOKEN


def find_image(client: DockerClient, name: str) -> Image | None:
    """The image *name* of the engine, or None when it isn't there."""
    from docker.errors import ImageNotFound

    with talking(f"image {name}"):
        try:
            found = client.images.get(name)
        except ImageNotFound:
            return None
    labels = found.labels or {}
    return Image(
        name=name,
        id=str(found.id),
        is_own=IMAGE in labels,
        architecture=str(found.attrs.get("Architecture", "")),
        recipe=labels.get(IMAGE, ""),
    )


def need_image(client: DockerClient, name: str) -> Image:
    """
    The image *name* of the engine.

    Raises:
        NotReady: It isn't there; the hint says how it gets there.
    """
    if image := find_image(client, name):
        return image
    raise NotReady(f"image {name} is not in the Docker engine", hint=need_hint(name))


def is_made_here(name: str) -> bool:
    """Whether *name* is one of ours, which no registry has."""
    return _OURS.fullmatch(name) is not None


def is_outdated(image: Image) -> bool:
    """Whether *image* is called as ours and is not what this version of multistack would build."""
    return image.name == OWN_IMAGE and image.recipe != read_recipe().digest


def need_hint(name: str) -> str:
    """How the image *name* gets into the engine."""
    if is_made_here(name) and name != OWN_IMAGE:
        return f"no registry has it: set image = {OWN_IMAGE!r}, which `multistack image build` makes"
    way = "`multistack image build` makes it" if name == OWN_IMAGE else "`multistack up --pull` gets it"
    return f"{way}, or load one with `multistack bundle load`"


def pull(client: DockerClient, name: str) -> Image:
    """
    The image *name*, from its registry when the engine doesn't have it.

    Raises:
        NotReady: It can't be pulled, or is one of ours.
    """
    if is_made_here(name):
        return need_image(client, name)
    if image := find_image(client, name):
        return image
    with talking(f"image {name}"):
        client.images.pull(name)
    return need_image(client, name)
