"""Which driver ``driver = "auto"`` means on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emulator.drivers.containers import TOKEN
from emulator.drivers.embedded import EmbeddedDriver
from emulator.drivers.engine import connect
from emulator.drivers.images import check_token, find_image, is_made_here, is_outdated, need_image, pull
from emulator.drivers.localstack import LocalstackDriver
from emulator.errors import ConfigError, NotReady
from emulator.events import Emit, Event
from emulator.model import OWN_IMAGE, DriverName, Environment, Project

if TYPE_CHECKING:
    from docker import DockerClient


Connect = Callable[..., "DockerClient"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """
    A driver and the reason for it.

    Attributes:
        reason: E.g. ``no Docker engine answers at unix:///var/run/docker.sock``; empty when nothing was to be chosen.
    """

    driver: DriverName
    reason: str = ""


def settle(
    project: Project, *, environ: Mapping[str, str], pulls: bool = False, connect: Connect = connect
) -> tuple[Project, Choice | None]:
    """
    Give every environment of *project* whose driver is ``auto`` one that can run it; all of them the same.

    What runs decides first, so that no command looks for an environment in the wrong place.

    Args:
        environ: The caller's variables: where the engine is.
        pulls: Missing images can be had.
        connect: See :func:`emulator.drivers.engine.connect`.

    Returns:
        The project, and what was chosen; None when no environment asked.
    """
    undecided = [one for one in project.environments if one.driver is DriverName.AUTO]
    if not undecided:
        return project, None
    choice = _running(project, undecided, environ, connect) or _possible(
        project, undecided, environ, pulls=pulls, connect=connect
    )
    environments = tuple(
        replace(one, driver=choice.driver) if one.driver is DriverName.AUTO else one for one in project.environments
    )
    return replace(project, environments=environments), choice


def _running(
    project: Project, environments: list[Environment], environ: Mapping[str, str], connect: Connect
) -> Choice | None:
    embedded, localstack = EmbeddedDriver(project, path=""), LocalstackDriver(project, environ=environ)
    for environment in environments:
        if embedded.runs(environment):
            return Choice(driver=DriverName.EMBEDDED, reason=f"{environment.name} runs with it")
        if localstack.may_run(environment):
            reason = f"{environment.name} runs with it"
            try:
                connect(environ, allow_remote=project.allow_remote)
            except NotReady:  # another driver would begin with other data, and nobody would notice
                reason = f"the last state of {environment.name} is in the Docker engine, which can't be asked"
            return Choice(driver=DriverName.LOCALSTACK, reason=reason)
    return None


def _possible(
    project: Project, environments: list[Environment], environ: Mapping[str, str], *, pulls: bool, connect: Connect
) -> Choice:
    enforcing = [environment.name for environment in environments if environment.enforce_iam]
    if enforcing:
        reason = f"{enforcing[0]} enforces IAM, which only this driver does"
        return Choice(driver=DriverName.EMBEDDED, reason=reason)
    try:
        for environment in environments:
            check_token(environment.container.image, environ.get(TOKEN))
        client = connect(environ, allow_remote=project.allow_remote)
        images = sorted({environment.container.image for environment in environments})
        missing = [image for image in images if find_image(client, image) is None]
    except (ConfigError, NotReady) as error:
        return Choice(driver=DriverName.EMBEDDED, reason=error.message)
    if missing and (not pulls or any(map(is_made_here, missing))):
        return Choice(
            driver=DriverName.EMBEDDED, reason=f"the Docker engine answers, but has no image {', '.join(missing)}"
        )
    reason = "the Docker engine answers" + ("" if missing else f" and has image {', '.join(images)}")
    return Choice(driver=DriverName.LOCALSTACK, reason=reason)


def pull_images(project: Project, *, environ: Mapping[str, str], emit: Emit, connect: Connect = connect) -> None:
    """
    Get what the containers of *project* are made of and the engine doesn't have.

    Raises:
        ConfigError: One would not run without a token.
        NotReady: An image can't be had; ours can't from any registry.
    """
    wanted = {one.container.image for one in project.environments if one.driver is DriverName.LOCALSTACK}
    if not wanted:
        return
    for image in sorted(wanted):
        check_token(image, environ.get(TOKEN))
    client = connect(environ, allow_remote=project.allow_remote)
    for image in sorted(wanted):
        if is_made_here(image):
            need_image(client, image)
        elif find_image(client, image) is None:
            emit(Event(None, "pulling", image))
            pull(client, image)


def outdated_images(
    project: Project, environments: Sequence[Environment], *, environ: Mapping[str, str], connect: Connect = connect
) -> list[str]:
    """Images of ours that *environments* run on, and that another version of multistack made."""
    wanted = {one.container.image for one in environments if one.driver is DriverName.LOCALSTACK}
    if OWN_IMAGE not in wanted:
        return []
    with contextlib.suppress(NotReady):  # whoever needs the engine says so
        found = find_image(connect(environ, allow_remote=project.allow_remote), OWN_IMAGE)
        return [OWN_IMAGE] if found is not None and is_outdated(found) else []
    return []
