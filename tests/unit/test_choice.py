"""Which driver ``auto`` becomes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import ImageNotFound

from emulator.drivers.choice import outdated_images, pull_images, settle
from emulator.drivers.containers import IMAGE
from emulator.drivers.kept_state import KeptState
from emulator.drivers.localstack import LocalstackDriver
from emulator.errors import ConfigError, NotReady
from emulator.events import Event
from emulator.images.recipe import read_recipe
from emulator.model import OWN_IMAGE, ContainerSettings, DriverName, Environment, Project


def environment(name: str, driver: DriverName = DriverName.AUTO, *, image: str = OWN_IMAGE, iam: bool = False) -> Any:
    """An environment; *iam* says whether it enforces IAM."""
    return Environment(
        name=name,
        driver=driver,
        account_id="111111111111",
        region="eu-west-1",
        enforce_iam=iam,
        container=ContainerSettings(image=image),
    )


def project(folder: Path, *environments: Environment) -> Project:
    """A project with *environments*."""
    return Project(file=folder / "m.toml", service="s", template=folder / "t", environments=environments)


def engine(*images: str) -> Any:
    """What connects to an engine with *images*."""

    def get(name: str) -> Any:
        if name not in images:
            raise ImageNotFound("404")
        return SimpleNamespace(id="1", labels={}, attrs={})

    return lambda _environ, **_: SimpleNamespace(images=SimpleNamespace(get=get))


def no_engine(_environ: Any, **_: Any) -> Any:
    """What connects to none."""
    raise NotReady("no Docker engine answers at unix:///var/run/docker.sock")


def settled(project: Project, connect: Any, **given: Any) -> tuple[list[DriverName], str]:
    """The drivers and the reason."""
    result, choice = settle(project, environ={}, connect=connect, **given)
    assert choice is not None
    assert {choice.driver} <= {one.driver for one in result.environments}
    return [one.driver for one in result.environments], choice.reason


def test_nothing_is_asked_where_nothing_is_to_be_chosen(tmp_path: Path) -> None:
    """Who does without Docker never waits for it."""

    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("asked")

    fixed = project(tmp_path, environment("a", DriverName.EMBEDDED), environment("b", DriverName.LOCALSTACK))
    assert settle(fixed, environ={}, connect=forbidden) == (fixed, None)


def test_containers_where_engine_and_image_are_there(tmp_path: Path) -> None:
    """Only those that ask for it get it; the reason names both."""
    wanted = project(tmp_path, environment("a"), environment("b", DriverName.EMBEDDED))
    drivers, reason = settled(wanted, engine(OWN_IMAGE))
    assert drivers == [DriverName.LOCALSTACK, DriverName.EMBEDDED]
    assert reason == f"the Docker engine answers and has image {OWN_IMAGE}"


def test_embedded_without_an_engine(tmp_path: Path) -> None:
    """The reason is what is wrong with it."""
    drivers, reason = settled(project(tmp_path, environment("a")), no_engine)
    assert (drivers, reason) == (
        [DriverName.EMBEDDED],
        "no Docker engine answers at unix:///var/run/docker.sock",
    )


def test_embedded_without_the_image_unless_it_is_pulled(tmp_path: Path) -> None:
    """A pull is done only when it was asked for."""
    wanted = project(tmp_path, environment("a", image="x:1"), environment("b", image="y:1"))
    drivers, reason = settled(wanted, engine("x:1"))
    assert drivers == [DriverName.EMBEDDED] * 2
    assert reason == "the Docker engine answers, but has no image y:1"
    assert settled(wanted, engine("x:1"), pulls=True) == ([DriverName.LOCALSTACK] * 2, "the Docker engine answers")


def test_embedded_where_the_image_would_end_at_once(tmp_path: Path) -> None:
    """An image that asks for a token can't run without."""
    drivers, reason = settled(project(tmp_path, environment("a", image="localstack/localstack")), engine())
    assert drivers == [DriverName.EMBEDDED]
    assert "LOCALSTACK_AUTH_TOKEN" in reason


def test_embedded_where_iam_is_enforced(tmp_path: Path) -> None:
    """Nobody loses it silently."""
    drivers, reason = settled(project(tmp_path, environment("a"), environment("b", iam=True)), engine(OWN_IMAGE))
    assert drivers == [DriverName.EMBEDDED] * 2
    assert reason == "b enforces IAM, which only this driver does"


def test_what_runs_decides_first(tmp_path: Path) -> None:
    """No command looks for an environment in the wrong place when the engine comes or goes."""
    wanted = project(tmp_path, environment("a"), environment("b"))
    KeptState(wanted.environment_state("b")).begin()
    assert settled(wanted, engine()) == ([DriverName.LOCALSTACK] * 2, "b runs with it")


def test_what_is_in_an_engine_that_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    """Another driver would serve other data under the same name; the reason says where the data is."""
    wanted = project(tmp_path, environment("a"), environment("b"))
    KeptState(wanted.environment_state("b")).begin()
    assert settled(wanted, no_engine) == (
        [DriverName.LOCALSTACK] * 2,
        "the last state of b is in the Docker engine, which can't be asked",
    )


def test_driver_says_whose_state_an_engine_has_that_can_not_be_asked(tmp_path: Path) -> None:
    """With what to do: start the engine, or begin without that state."""
    one = environment("b", DriverName.LOCALSTACK)
    wanted = project(tmp_path, one)
    KeptState(wanted.environment_state("b")).begin()
    driver = LocalstackDriver(wanted, environ={"DOCKER_HOST": f"unix://{tmp_path}/none"})
    for ask in (driver.observe, driver.stop):
        with pytest.raises(NotReady, match="environment b: its last state is in a Docker engine") as refused:
            ask(one)
        assert "environments.b.driver=embedded up b" in str(refused.value.hint)


def test_our_image_is_never_pulled(tmp_path: Path) -> None:
    """No registry has it; whoever took the name there could put anything into it."""
    asked: list[str] = []
    there = engine()("")
    there.images.pull = asked.append
    own = project(tmp_path, environment("a", DriverName.LOCALSTACK))
    with pytest.raises(NotReady, match=f"image {OWN_IMAGE} is not in the Docker engine") as refused:
        pull_images(own, environ={}, emit=lambda _: None, connect=lambda *_, **__: there)
    assert "`multistack image build` makes it" in str(refused.value.hint)
    assert asked == []
    drivers, reason = settled(project(tmp_path, environment("a")), engine(), pulls=True)
    assert (drivers, reason) == (
        [DriverName.EMBEDDED],
        f"the Docker engine answers, but has no image {OWN_IMAGE}",
    )


@pytest.mark.parametrize(
    ("label", "expected"),
    [(read_recipe().digest, []), ("of another version", [OWN_IMAGE]), (None, [OWN_IMAGE])],
    ids=["current", "older", "without"],
)
def test_image_of_another_version_is_told(tmp_path: Path, label: str | None, expected: list[str]) -> None:
    """Only where an environment runs on it, and only ours."""

    def connect(_environ: Any, **_: Any) -> Any:
        found = SimpleNamespace(id="1", labels={IMAGE: label} if label else {}, attrs={})
        return SimpleNamespace(images=SimpleNamespace(get=lambda _name: found))

    def outdated(one: Environment) -> list[str]:
        return outdated_images(project(tmp_path, one), [one], environ={}, connect=connect)

    assert outdated(environment("a", DriverName.LOCALSTACK)) == expected
    assert outdated(environment("a", DriverName.LOCALSTACK, image="x:1")) == []
    assert outdated(environment("a", DriverName.EMBEDDED)) == []


def test_nothing_is_pulled_that_would_end_at_once(tmp_path: Path) -> None:
    """The refusal comes before a gigabyte."""
    said: list[Event] = []
    wanted = project(tmp_path, environment("a", DriverName.LOCALSTACK, image="localstack/localstack:latest"))
    with pytest.raises(ConfigError, match="ends at once"):
        pull_images(wanted, environ={"DOCKER_HOST": "unix:///nowhere"}, emit=said.append)
    assert said == []
    pull_images(project(tmp_path, environment("a", DriverName.EMBEDDED)), environ={}, emit=said.append)
