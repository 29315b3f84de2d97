"""Building the image: which base, what is built, and what is said when it can't be."""

from __future__ import annotations

import io
import tarfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound

from emulator.errors import MultistackError
from emulator.events import Event
from emulator.images import bases, debootstrap
from emulator.images.build import build, list_images
from emulator.images.recipe import Recipe, read_proxy_recipe, read_recipe
from emulator.model import OWN_IMAGE
from tests.conftest import REPOSITORY

RECIPE = Recipe({"Dockerfile": b"FROM scratch", "plugin/a.py": b"a = 1"})
LABEL = "dev.multistack.image"


@dataclass
class FakeImage:
    """An image of the engine."""

    tags: list[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    id: str = "sha256:1"

    @property
    def attrs(self) -> dict[str, Any]:
        """What the engine tells of it."""
        return {"Size": 300_000_000, "Created": "2026-11-26T00:00:00Z"}


class FakeEngine:
    """An engine with some images, and with a registry that has some."""

    def __init__(
        self,
        images: Iterable[FakeImage] = (),
        *,
        registry: Iterable[str] = (),
        output: Iterable[Mapping[str, str]] = (),
    ) -> None:
        self.have = {tag: image for image in images for tag in image.tags}
        self.registry = set(registry)
        self.output = list(output)
        self.built: list[dict[str, Any]] = []
        self.removed: list[str] = []
        self.images = self
        self.api = self

    def get(self, name: str) -> FakeImage:
        """One image."""
        if name not in self.have:
            raise ImageNotFound(name)
        return self.have[name]

    def list(self, filters: Mapping[str, str]) -> list[FakeImage]:
        """Those with a label."""
        return [image for image in self.have.values() if filters["label"] in image.labels]

    def pull(self, name: str) -> None:
        """From the registry, or AWS's words for its absence."""
        if name not in self.registry:
            raise APIError("x", explanation="Get https://registry/v2/: dial tcp: lookup registry: no such host")
        self.have[name] = FakeImage([name])

    def remove(self, name: str, *, noprune: bool) -> None:
        """Forget an image; one with a name can't be removed by its number."""
        self.removed.append(name)
        assert noprune

    def build(self, **arguments: Any) -> list[Mapping[str, str]]:
        """Make the image unless the output has an error."""
        self.built.append(arguments)
        if not any("error" in line for line in self.output):
            self.have[arguments["tag"]] = FakeImage([arguments["tag"]], labels=arguments["labels"], id="sha256:2")
        return self.output


class Said:
    """Events in the order in which they came."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, event: Event) -> None:
        """Take one."""
        self.lines.append(f"{event.step} {event.detail}")


def own(digest: str = RECIPE.digest, base: str = "python:3.13-slim") -> FakeImage:
    """Our image as it was built."""
    return FakeImage([OWN_IMAGE], labels={LABEL: digest, f"{LABEL}.base": base})


def make(engine: FakeEngine, said: Said | None = None, **options: Any) -> Any:
    """Build with few words."""
    return build(engine, environ={}, emit=said or Said(), recipe=RECIPE, **options)  # type: ignore[arg-type]


def test_current_image_is_not_built_again() -> None:
    """A second build with nothing changed does nothing, and says so."""
    engine, said = FakeEngine([own()]), Said()
    assert make(engine, said).is_current
    assert engine.built == []
    assert said.lines == [f"current {OWN_IMAGE}, nothing to build"]


@pytest.mark.parametrize(
    ("image", "options"),
    [
        pytest.param(own(digest="old"), {}, id="changed recipe"),
        pytest.param(own(), {"is_fresh": True}, id="on request"),
        pytest.param(own(), {"base": "debian:trixie-slim"}, id="another base"),
    ],
)
def test_image_is_built_when_it_would_differ(image: FakeImage, options: Mapping[str, Any]) -> None:
    """The recipe's hash and the base say whether a build would make the same."""
    engine = FakeEngine([image, FakeImage(["python:3.13-slim"]), FakeImage(["debian:trixie-slim"])])
    built = make(engine, **options)
    [arguments] = engine.built
    assert built.digest == arguments["labels"][LABEL] == RECIPE.digest
    assert arguments["buildargs"]["BASE"] == built.base == options.get("base", "python:3.13-slim")
    assert arguments["nocache"] is options.get("is_fresh", False)
    assert engine.removed == [image.id]


def test_build_finds_the_http_proxy_of_this_machine() -> None:
    """As build arguments, which the image doesn't keep."""
    engine = FakeEngine([FakeImage(["python:3.13-slim"])])
    build(
        engine,  # type: ignore[arg-type]
        environ={"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "localhost", "FTP_PROXY": "x"},
        emit=Said(),
        recipe=RECIPE,
    )
    [arguments] = engine.built
    assert arguments["buildargs"] == {
        "BASE": "python:3.13-slim",
        "HTTPS_PROXY": "http://proxy:3128",
        "https_proxy": "http://proxy:3128",
        "NO_PROXY": "localhost",
        "no_proxy": "localhost",
    }


def test_context_has_the_recipe_and_this_machines_settings() -> None:
    """What is sent to the engine is the recipe, and beside it what pip needs, which doesn't change the hash."""
    packed = RECIPE.context({"pip.conf": b"[global]\n"})
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        names = tar.getnames()
    assert names == ["Dockerfile", "host/pip.conf", "plugin/a.py"]
    assert RECIPE.digest == Recipe(dict(RECIPE.files)).digest
    assert RECIPE.digest != Recipe({**RECIPE.files, "new": b""}).digest


def test_proxys_image_has_all_that_the_wheel_is_made_of() -> None:
    """Its build makes the wheel; what `pyproject.toml` includes and isn't there would end it."""
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    files = read_proxy_recipe().files
    for included in wheel["force-include"]:
        assert any(name == included or name.startswith(f"{included}/") for name in files), included
    assert not any(name.startswith("init/") for name in read_recipe().files)


def test_recipe_of_this_version_is_found() -> None:
    """The Dockerfile, the pinned packages and the plugin are there; tests and caches are no part of an image."""
    files = read_recipe().files
    assert {"Dockerfile", "constraints.txt", "plugin/pyproject.toml", "host/README.md"} <= set(files)
    assert not [name for name in files if "/tests/" in name or "__pycache__" in name]


@pytest.mark.parametrize(
    ("have", "registry", "expected"),
    [
        pytest.param(["python:3.13-slim", debootstrap.BASE], [], "python:3.13-slim", id="there"),
        pytest.param([], ["python:3.13-slim"], "python:3.13-slim", id="pulled"),
        pytest.param([debootstrap.BASE], [], debootstrap.BASE, id="made before"),
    ],
)
def test_base_is_chosen(have: list[str], registry: list[str], expected: str) -> None:
    """Python's own image if it can be had, else the one that was made before."""
    labels = {"dev.multistack.base": debootstrap.recipe_hash()}
    engine = FakeEngine([FakeImage([name], labels=labels) for name in have], registry=registry)
    assert bases.choose(engine, wanted=None, cache=None, emit=Said()) == expected  # type: ignore[arg-type]


def test_base_that_cannot_be_had_is_one_line() -> None:
    """A wrong name says what the registry said."""
    with pytest.raises(MultistackError, match="base image nothing:1 can't be had: lookup registry: no such host"):
        make(FakeEngine(), base="nothing:1")


@pytest.mark.parametrize(
    ("which", "user", "expected"),
    [
        pytest.param("/usr/sbin/debootstrap", 0, "", id="can be run"),
        pytest.param("/usr/sbin/debootstrap", 1000, "debootstrap needs root", id="no root"),
    ],
)
def test_debootstrap_says_what_it_lacks(which: str | None, user: int, expected: str) -> None:
    """Somebody without root, or without the program, learns it before anything is downloaded."""
    assert debootstrap.missing(which=lambda _: which, user=lambda: user) == expected


@pytest.mark.parametrize(
    ("output", "message", "hint"),
    [
        pytest.param("No space left on device", "debootstrap failed", "free some space", id="full disk"),
        pytest.param("E: Failed getting release file", "debootstrap failed", "reaches Debian's archive", id="network"),
    ],
)
def test_debootstrap_that_fails_says_why(tmp_path: Path, output: str, message: str, hint: str) -> None:
    """Its last lines, and what to do."""
    with pytest.raises(MultistackError, match=message) as caught:
        debootstrap._debootstrap(tmp_path / "tree", lambda _: (1, f"I: first\n{output}\n"))
    assert caught.value.details[-1] == output
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        pytest.param(["write /x: no space left on device"], "the disk is full", "docker system prune", id="full disk"),
        pytest.param(
            ["WARNING: Retrying", "ERROR: Could not find a version that satisfies the requirement a==1"],
            "does not reach its package index",
            "PIP_INDEX_URL",
            id="no network",
        ),
        pytest.param(["SyntaxError: x"], "can't be built: The command", "lines above", id="a step"),
    ],
)
def test_build_that_fails_is_one_line_and_its_reason(lines: list[str], message: str, hint: str) -> None:
    """A full disk, no network and a bug are told apart."""
    output = [{"stream": "Step 1/2 : RUN x\n"}, *({"stream": line} for line in lines)]
    engine = FakeEngine(
        [FakeImage(["python:3.13-slim"])], output=[*output, {"error": "The command returned a non-zero code: 1"}]
    )
    said = Said()
    with pytest.raises(MultistackError, match=message) as caught:
        make(engine, said)
    assert hint in (caught.value.hint or "")
    assert "step 1/2 RUN x" in said.lines


def test_images_are_listed_with_their_state() -> None:
    """Ours, and whether this version would build the same."""
    stranger = FakeImage(["postgres:17"])
    found = list_images(FakeEngine([own(), stranger]), RECIPE)  # type: ignore[arg-type]
    assert [(image.name, image.is_current) for image in found] == [(OWN_IMAGE, True)]
    found = list_images(FakeEngine([own(digest="old")]), RECIPE)  # type: ignore[arg-type]
    assert [image.is_current for image in found] == [False]
