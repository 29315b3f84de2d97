"""What a bundle says of itself comes back as it was written, or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.bundle.manifest import BrokenBundle, BundledImage, Manifest, Member, parse, to_json
from emulator.bundle.targets import Target
from emulator.errors import ArtifactError

IMAGE = BundledImage(
    name="multistack/localstack:4.14.0",
    member="images/multistack-localstack-4.14.0.tar.gz",
    id="sha256:1",
    architecture="amd64",
    layers=("sha256:a", "sha256:b"),
    created="2026-11-26T12:56:48.516226845Z",
    size=308_000_000,
)
MANIFEST = Manifest(
    version="0.1.0",
    at=datetime(2026, 11, 26, 13, 0, tzinfo=UTC),
    targets=(Target(python="3.12", platform="linux/amd64"), Target(python="3.13", platform="linux/amd64")),
    packages=("multistack-emulator", "pip"),
    images=(IMAGE,),
    members={IMAGE.member: Member(size=3, sha256="c" * 64), "wheels/a-1-py3-none-any.whl": Member(size=4, sha256="d")},
)


def changed(**given: Any) -> bytes:
    """The manifest with other values, signed anew only where the test says so."""
    return json.dumps({**json.loads(to_json(MANIFEST)), **given}).encode()


def test_manifest_comes_back_as_it_was_written() -> None:
    """Nothing is lost on the way."""
    assert parse(to_json(MANIFEST), source="b") == MANIFEST


def test_manifest_is_written_the_same_each_time() -> None:
    """Members stand in order, whatever the order in which they were added."""
    turned = dict(reversed(MANIFEST.members.items()))
    other = Manifest(
        version=MANIFEST.version,
        at=MANIFEST.at,
        targets=MANIFEST.targets,
        packages=MANIFEST.packages,
        images=MANIFEST.images,
        members=turned,
    )
    assert to_json(other) == to_json(MANIFEST)


def test_platforms_and_sizes_are_added_up() -> None:
    """What `show` and `load` ask for."""
    assert (MANIFEST.platforms, MANIFEST.size) == (["linux/amd64"], 7)
    assert list(MANIFEST.under("wheels")) == ["wheels/a-1-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b"", BrokenBundle, "bundle b is broken: its manifest can't be read"),
        (to_json(MANIFEST)[:-40], BrokenBundle, "bundle b is broken: its manifest can't be read"),
        (b"[]", BrokenBundle, "bundle b is broken: its manifest can't be read"),
        (b"\xff\xfe{}", BrokenBundle, "bundle b is broken: its manifest can't be read"),
        (changed(kind="checkpoint"), ArtifactError, "b is no bundle of multistack"),
        (changed(format="1"), ArtifactError, "b is no bundle of multistack"),
        (changed(format=2), ArtifactError, "bundle b has format 2, this multistack reads up to 1"),
        (changed(version="0.2.0"), BrokenBundle, "bundle b is broken: its manifest is not as it was written"),
        (changed(members={}), BrokenBundle, "bundle b is broken: its manifest is not as it was written"),
    ],
    ids=["empty", "cut", "list", "bytes", "other kind", "strange format", "newer", "changed", "without members"],
)
def test_manifest_that_is_not_as_written_is_refused(data: bytes, kind: type[ArtifactError], message: str) -> None:
    """Each in one line; a newer bundle is told from a broken one."""
    with pytest.raises(kind) as error:
        parse(data, source="b")
    assert error.value.message == message
    assert type(error.value) is kind
