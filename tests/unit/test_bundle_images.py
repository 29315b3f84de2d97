"""Images go from one engine into another, each wholly or not at all, and are known again there."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from docker.errors import ImageNotFound

from emulator.bundle import images, loading, saving
from emulator.bundle.manifest import BundledImage, Manifest
from emulator.bundle.reader import Bundle, open_bundle
from emulator.bundle.targets import Target, this_machine
from emulator.bundle.writer import Writer, replacing
from emulator.errors import ArtifactError, ConfigError, NotReady
from emulator.events import Event
from emulator.model import OWN_IMAGE, ContainerSettings, DriverName, Environment, Project

IMAGE = BundledImage(
    name="own/localstack:1",
    member="images/own-localstack-1.tar.gz",
    id="sha256:11",
    architecture="amd64",
    layers=("sha256:a", "sha256:b"),
    created="2026-11-26T12:56:48.516226845Z",
    size=1000,
)


class FakeEngine:
    """
    An engine that keeps images by name; what is saved is a name and an id.

    Args:
        prefix: Put before a name that is loaded, as Docker does with what Podman saved.
    """

    def __init__(self, *, architecture: str = "amd64", prefix: str = "") -> None:
        self.architecture = architecture
        self.prefix = prefix
        self.there: dict[str, dict[str, Any]] = {}
        self.refuses: dict[str, str] = {}
        self.taken: list[str] = []
        self.images = self.api = self

    def add(self, name: str, number: int) -> None:
        """Have an image."""
        self.there[name] = {
            "Id": f"sha256:{number}",
            "Architecture": self.architecture,
            "RootFS": {"Layers": [f"sha256:{number}a"]},
            "Created": f"2026-11-26T12:56:{number:02}.5Z",
            "Size": 1000,
        }

    def version(self) -> dict[str, Any]:
        """As ``/version``."""
        return {"Arch": self.architecture}

    def get(self, name: str) -> Any:
        """As ``images.get``."""
        if name not in self.there:
            raise ImageNotFound(name)
        return type("Image", (), {"attrs": self.there[name]})

    def get_image(self, name: str) -> Iterator[bytes]:
        """As ``api.get_image``."""
        yield from (name.encode(), b" ", self.there[name]["Id"].encode())

    def load_image(self, data: Iterator[bytes], *, quiet: bool) -> Iterator[dict[str, Any]]:
        """As ``api.load_image``."""
        assert quiet
        name, number = b"".join(data).decode().split(" ")
        self.taken.append(name)
        if name in self.refuses:
            yield {"errorDetail": {"message": self.refuses[name]}, "error": self.refuses[name]}
            return
        self.add(self.prefix + name, int(number.removeprefix("sha256:")))
        yield {"stream": f"Loaded image: {self.prefix}{name}\n"}

    def tag(self, name: str, repository: str, tag: str, *, force: bool) -> None:
        """As ``api.tag``."""
        assert force
        self.there[f"{repository}:{tag}"] = self.there[name]

    def remove_image(self, name: str, *, noprune: bool) -> None:
        """As ``api.remove_image``."""
        assert noprune
        del self.there[name]


def ignore(_event: Event) -> None:
    """Nobody listens."""


@contextmanager
def bundle_of(path: Path, engine: FakeEngine, *names: str) -> Iterator[Bundle]:
    """A bundle with images of *engine*, open."""
    found = [images.need(engine, name) for name in names]
    with replacing(path, mtime=0) as writer:
        for image in found:
            images.save(engine, image, writer, emit=ignore)
        writer.finish(
            Manifest(
                version="0.1.0",
                at=datetime(2026, 11, 26, tzinfo=UTC),
                targets=(this_machine(),),
                packages=(),
                images=tuple(found),
                members=writer.members,
            )
        )
    bundle = open_bundle(path)
    try:
        yield bundle
    finally:
        bundle.close()


@pytest.fixture
def source() -> FakeEngine:
    """The facilitator's engine."""
    engine = FakeEngine()
    engine.add("own/localstack:1", 11)
    engine.add("own/proxy:1", 12)
    return engine


def test_images_arrive_under_their_names(tmp_path: Path, source: FakeEngine) -> None:
    """What was saved is what the other engine has."""
    target = FakeEngine()
    with bundle_of(tmp_path / "b.tar", source, "own/localstack:1", "own/proxy:1") as bundle:
        images.load(target, bundle, emit=ignore)
    assert target.there == source.there


def test_loading_again_sends_nothing(tmp_path: Path, source: FakeEngine) -> None:
    """What is there stays as it is."""
    target, events = FakeEngine(), []
    target.add("own/localstack:1", 11)
    with bundle_of(tmp_path / "b.tar", source, "own/localstack:1") as bundle:
        images.load(target, bundle, emit=events.append)
    assert target.taken == []
    assert [event.step for event in events] == ["kept"]


def test_another_image_of_that_name_is_replaced(tmp_path: Path, source: FakeEngine) -> None:
    """An older build must not pass for the one in the bundle."""
    target = FakeEngine()
    target.add("own/localstack:1", 7)
    with bundle_of(tmp_path / "b.tar", source, "own/localstack:1") as bundle:
        images.load(target, bundle, emit=ignore)
    assert target.there["own/localstack:1"]["Id"] == "sha256:11"


def test_stopped_load_goes_on_where_it_was(tmp_path: Path, source: FakeEngine) -> None:
    """An image that is there is not sent again; the one that failed is."""
    target = FakeEngine()
    target.refuses["own/proxy:1"] = "write /layer.tar: no space left on device"
    with bundle_of(tmp_path / "b.tar", source, "own/localstack:1", "own/proxy:1") as bundle:
        with pytest.raises(NotReady, match=r"image own/proxy:1: .*no space left on device") as error:
            images.load(target, bundle, emit=ignore)
        assert error.value.hint == "free some space, then run the same command again"
        target.refuses.clear()
        images.load(target, bundle, emit=ignore)
    assert target.taken == ["own/localstack:1", "own/proxy:1", "own/proxy:1"]
    assert target.there == source.there


def test_name_that_podman_changed_is_put_right(tmp_path: Path, source: FakeEngine) -> None:
    """Its archives say ``localhost/name``."""
    target = FakeEngine(prefix="localhost/")
    with bundle_of(tmp_path / "b.tar", source, "own/localstack:1") as bundle:
        images.load(target, bundle, emit=ignore)
    assert list(target.there) == ["own/localstack:1"]


def test_engine_of_another_processor_gets_nothing(tmp_path: Path, source: FakeEngine) -> None:
    """Told before anything is sent, in one line."""
    target = FakeEngine(architecture="arm64")
    with (
        bundle_of(tmp_path / "b.tar", source, "own/localstack:1") as bundle,
        pytest.raises(ArtifactError, match=r"image own/localstack:1 is for amd64, the engine runs arm64$"),
    ):
        images.load(target, bundle, emit=ignore)
    assert target.taken == []


def test_image_that_changes_while_it_is_saved_is_refused(source: FakeEngine) -> None:
    """Somebody builds it anew: the file may hold either."""
    before = images.need(source, "own/localstack:1")
    source.add("own/localstack:1", 13)
    with pytest.raises(NotReady, match="was replaced while it was saved"):
        images.save(source, before, Writer(io.BytesIO(), mtime=0), emit=ignore)


def test_missing_image_is_told_with_the_way_to_it() -> None:
    """As everywhere else."""
    with pytest.raises(NotReady, match="is not in the Docker engine") as error:
        images.need(FakeEngine(), OWN_IMAGE)
    assert "multistack image build" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"id": "sha256:22"}, True),
        ({"id": "sha256:22", "created": "2026-11-26T12:56:48.516Z"}, True),
        ({"id": "sha256:22", "created": "2026-11-26T12:57:48Z"}, False),
        ({"id": "sha256:22", "layers": ("sha256:a",)}, False),
        ({"id": "sha256:22", "created": ""}, False),
    ],
    ids=["itself", "other store", "other fractions", "built later", "other layers", "no time"],
)
def test_image_is_known_again_in_another_kind_of_engine(changes: dict[str, Any], expected: bool) -> None:
    """Ids differ between Docker's stores and Podman's; layers and time of making don't."""
    assert images.is_same(replace(IMAGE, **changes), IMAGE) is expected


@pytest.mark.parametrize("name", ["a/b@sha256:12", "sha256:12"])
def test_image_named_by_digest_is_refused(name: str) -> None:
    """It would arrive without any name."""
    with pytest.raises(ConfigError, match="loses that name"):
        images.check_name(name)


def environment(driver: DriverName, image: str = OWN_IMAGE) -> Environment:
    return Environment(
        name=f"{driver.value}-{image}",
        driver=driver,
        account_id="111111111111",
        region="eu-west-1",
        container=ContainerSettings(image=image),
    )


@pytest.mark.parametrize(
    ("environments", "expected"),
    [
        (None, ([OWN_IMAGE], [])),
        ([environment(DriverName.EMBEDDED)], ([], [])),
        ([environment(DriverName.LOCALSTACK), environment(DriverName.LOCALSTACK, "a:1")], (["a:1", OWN_IMAGE], [])),
        ([environment(DriverName.AUTO), environment(DriverName.AUTO, "a:1")], ([], ["a:1", OWN_IMAGE])),
        ([environment(DriverName.AUTO), environment(DriverName.LOCALSTACK)], ([OWN_IMAGE], [])),
        ([environment(DriverName.EXTERNAL)], ([], [])),
    ],
    ids=["no project", "embedded", "containers", "auto", "both", "external"],
)
def test_images_are_those_that_the_project_can_use(
    environments: list[Environment] | None, expected: tuple[list[str], list[str]]
) -> None:
    """What ``auto`` would use is taken if it is there: without it, ``auto`` is embedded."""
    project = environments and Project(
        file=Path("/x/multistack.toml"), service="s", template=Path("/x/t.yaml"), environments=tuple(environments)
    )
    assert saving.images_of(project or None) == expected


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"wanted": ["a@sha256:1"]}, "loses that name"),
        ({"packages": ["a b"]}, "--package a b"),
        ({"packages": [""]}, "--package"),
        ({"folders": [Path("/nowhere/x")]}, "no such folder"),
        ({"folders": [Path("/")]}, "a bundle has another root"),
    ],
    ids=["digest", "package", "empty package", "no folder", "root"],
)
def test_wrong_contents_are_refused_before_anything_is_done(contents: dict[str, Any], message: str) -> None:
    """A minute of downloading must not end in a typing mistake."""
    target = Target(python="3.12", platform="linux/amd64")
    with pytest.raises(ConfigError, match=message):
        saving.check(saving.Contents(targets=[target], **contents))


def test_folder_named_like_a_part_of_the_bundle_is_refused(tmp_path: Path) -> None:
    """Its files would mix with the wheels."""
    (tmp_path / "wheels").mkdir()
    with pytest.raises(ConfigError, match="a bundle has another wheels"):
        saving.check(saving.Contents(targets=[], folders=[tmp_path / "wheels"]))


def test_image_for_another_platform_is_not_saved() -> None:
    """It would load on none of the machines that the wheels are for."""
    target = Target(python="3.12", platform="linux/arm64")
    with pytest.raises(ConfigError, match="is for linux/amd64, the bundle for linux/arm64"):
        saving.check_platforms([IMAGE], [target])
    saving.check_platforms([replace(IMAGE, architecture="")], [target])


def test_bundle_for_another_platform_is_not_loaded() -> None:
    """Also where it has no images."""
    manifest = Manifest(
        version="0.1.0",
        at=datetime(2026, 11, 26, tzinfo=UTC),
        targets=(Target(python="3.12", platform="linux/arm64"),),
        packages=(),
        images=(),
        members={},
    )
    loading.check_platform(manifest, "linux/arm64", where="b")
    with pytest.raises(ArtifactError, match="bundle b is for linux/arm64, this machine is linux/amd64"):
        loading.check_platform(manifest, "linux/amd64", where="b")
