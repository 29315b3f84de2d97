"""Which images need a token, and finding images."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound

from emulator.drivers.images import check_token, find_image, need_image, pull
from emulator.errors import ConfigError, NotReady
from emulator.model import OWN_IMAGE

DIGEST = "@sha256:" + "0" * 64
WITHOUT = [
    "localstack/localstack:4",
    "localstack/localstack:4.14",
    "localstack/localstack:4.14.0",
    "localstack/localstack:4.14.0-amd64",
    "localstack/localstack:3.8.1",
    "localstack/localstack:2.0.1",
    f"localstack/localstack:4.14.0{DIGEST}",
    f"localstack/localstack{DIGEST}",
    "registry.example:5000/mirror/localstack/localstack:4.14.0",
    OWN_IMAGE,
    "ministackorg/ministack:latest",
    "mylocalstack/localstack-like:latest",
]
WITH = [
    "localstack/localstack",
    "localstack/localstack:latest",
    "localstack/localstack:stable",
    "localstack/localstack:4.14.1",
    "localstack/localstack:4.15",
    "localstack/localstack:2026.3.0",
    "localstack/localstack:2026.3",
    "localstack/localstack-pro:4.14.0",
    "localstack/localstack-pro",
    f"localstack/localstack:latest{DIGEST}",
    "registry.example/localstack/localstack:latest",
    "registry.example:5000/localstack/localstack",
]


@pytest.mark.parametrize("image", WITHOUT)
def test_image_runs_without_a_token(image: str) -> None:
    """Those up to 4.14.0, those of others, and those of which nobody can tell."""
    check_token(image, None)


@pytest.mark.parametrize("image", WITH)
def test_image_without_its_token_is_refused(image: str) -> None:
    """Before anything starts, with both ways out; with a token it may run."""
    with pytest.raises(ConfigError, match="ends at once without LOCALSTACK_AUTH_TOKEN") as refused:
        check_token(image, None)
    assert "set LOCALSTACK_AUTH_TOKEN" in str(refused.value.hint)
    assert "localstack/localstack:4.14.0" in str(refused.value.hint)
    check_token(image, "token")


class Engine:
    """An engine with one image; *pulled* is what its registry has."""

    def __init__(self, *there: str, pulled: tuple[str, ...] = (), labels: dict[str, str] | None = None) -> None:
        self._there = set(there)
        self._pulled = pulled
        self._labels = labels
        self.images: Any = SimpleNamespace(get=self._get, pull=self._pull)

    def _get(self, name: str) -> Any:
        if name not in self._there:
            raise ImageNotFound("404 Client Error", explanation=f"No such image: {name}")
        return SimpleNamespace(id="sha256:1", labels=self._labels, attrs={"Architecture": "amd64"})

    def _pull(self, name: str) -> None:
        if name not in self._pulled:
            raise APIError("500 Server Error", explanation=f"dial tcp: lookup for {name}: no such host")
        self._there.add(name)


def test_own_image_is_told_by_its_label() -> None:
    """A name alone proves nothing."""
    found = find_image(Engine("a", labels={"dev.multistack.image": "4f"}), "a")  # type: ignore[arg-type]
    assert found is not None
    assert (found.is_own, found.architecture, found.id) == (True, "amd64", "sha256:1")
    foreign = find_image(Engine(OWN_IMAGE), OWN_IMAGE)  # type: ignore[arg-type]
    assert foreign is not None
    assert not foreign.is_own


def test_missing_image_is_none_or_an_error_with_the_way_to_it() -> None:
    """Ours is built, others are pulled."""
    engine: Any = Engine()
    assert find_image(engine, "a") is None
    with pytest.raises(NotReady, match="image a is not in the Docker engine") as missing:
        need_image(engine, "a")
    assert "multistack up --pull" in str(missing.value.hint)
    with pytest.raises(NotReady) as own:
        need_image(engine, OWN_IMAGE)
    assert "multistack image build" in str(own.value.hint)


@pytest.mark.parametrize("name", [OWN_IMAGE, "multistack/localstack", "docker.io/multistack/localstack:4.13"])
def test_ours_is_not_asked_of_a_registry(name: str) -> None:
    """Whatever tag: nobody publishes it."""
    with pytest.raises(NotReady, match=f"image {name} is not in the Docker engine") as refused:
        pull(Engine(pulled=(name,)), name)  # type: ignore[arg-type]
    assert "multistack image build" in str(refused.value.hint)
    assert "--pull" not in str(refused.value.hint)


def test_pull_gets_what_is_missing() -> None:
    """What is there is not asked for again; what can't be had is told with the engine's words."""
    engine: Any = Engine("a", pulled=("b",))
    assert pull(engine, "a").id == "sha256:1"
    assert pull(engine, "b").id == "sha256:1"
    with pytest.raises(NotReady, match="image c: the Docker engine says: dial tcp"):
        pull(engine, "c")
