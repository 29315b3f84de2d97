"""What a bundle holds, and how it is written down: every member with its size and digest, and a digest over it all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.bundle.targets import Target
from emulator.errors import ArtifactError

FORMAT = 1
KIND = "multistack-bundle"
# The folder that a bundle is unpacked to, and the member that tells what belongs into it.
FOLDER = "multistack-bundle"
MANIFEST = "manifest.json"
WHEELS, IMAGES = "wheels", "images"


class BrokenBundle(ArtifactError):
    """A bundle that was cut or changed on its way."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="copy it again from where it came; `bundle show --verify` checks a copy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """
    A file of the bundle.

    Attributes:
        size: Bytes.
        sha256: Hex digest of its bytes.
    """

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledImage:
    """
    An image, and what tells it in whatever engine it is.

    Attributes:
        member: The file that holds it, as ``docker save`` writes it, compressed.
        id: In the engine it comes from; engines that store images in another way give it another one.
        layers: Digests of its layers, the same in every engine.
        created: RFC 3339, likewise.
        size: Bytes in the engine.
    """

    name: str
    member: str
    id: str
    architecture: str
    layers: tuple[str, ...]
    created: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """
    All that is known of a bundle.

    Attributes:
        version: Of the multistack in it.
        at: When it was saved, UTC.
        packages: What is to be installed, each a distribution's name; the other wheels are what they need.
        members: Path in the bundle to file; all but the manifest itself.
    """

    version: str
    at: datetime
    targets: tuple[Target, ...]
    packages: tuple[str, ...]
    images: tuple[BundledImage, ...]
    members: Mapping[str, Member]

    @property
    def platforms(self) -> list[str]:
        """The platforms it is for."""
        return sorted({target.platform for target in self.targets})

    @property
    def size(self) -> int:
        """Bytes of all members together."""
        return sum(member.size for member in self.members.values())

    def under(self, folder: str) -> dict[str, Member]:
        """The members in *folder*."""
        return {name: member for name, member in self.members.items() if name.startswith(f"{folder}/")}


def to_json(manifest: Manifest) -> bytes:
    """The manifest as the file that :func:`parse` reads."""
    described: dict[str, Any] = {
        "kind": KIND,
        "format": FORMAT,
        **asdict(manifest),
        "at": manifest.at.astimezone(UTC).isoformat(timespec="seconds"),
        "members": {name: asdict(member) for name, member in sorted(manifest.members.items())},
    }
    return json.dumps({**described, "sha256": _digest(described)}, indent=1).encode() + b"\n"


def parse(data: bytes, *, source: str) -> Manifest:
    """
    The manifest that *data* holds.

    Args:
        source: The bundle, for messages.

    Raises:
        ArtifactError: It was changed, is none, or is of a later multistack.
    """
    try:
        described = json.loads(data)
        kind, version = described["kind"], described["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenBundle(f"bundle {source} is broken: its manifest can't be read") from error
    if kind != KIND or not isinstance(version, int):
        raise ArtifactError(f"{source} is no bundle of multistack")
    if version > FORMAT:
        raise ArtifactError(
            f"bundle {source} has format {version}, this multistack reads up to {FORMAT}",
            hint="unpack it with `tar xf`, and run the install.sh in it",
        )
    signed = {key: value for key, value in described.items() if key != "sha256"}
    if described.get("sha256") != _digest(signed):
        raise BrokenBundle(f"bundle {source} is broken: its manifest is not as it was written")
    try:
        return _manifest(described)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenBundle(f"bundle {source} is broken: its manifest lacks something") from error


def _manifest(described: Mapping[str, Any]) -> Manifest:
    return Manifest(
        version=str(described["version"]),
        at=datetime.fromisoformat(described["at"]),
        targets=tuple(Target(**target) for target in described["targets"]),
        packages=tuple(described["packages"]),
        images=tuple(_image(image) for image in described["images"]),
        members={str(name): Member(**member) for name, member in described["members"].items()},
    )


def _image(described: Mapping[str, Any]) -> BundledImage:
    return BundledImage(**{**described, "layers": tuple(described["layers"])})


def _digest(described: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
