"""What environments in containers need: an engine, images for it, memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from emulator.doctor.check import Check, Verdict
from emulator.doctor.engine import Engine
from emulator.drivers.choice import Choice
from emulator.drivers.containers import Image
from emulator.drivers.images import check_token, is_outdated, need_hint
from emulator.errors import ConfigError, NotReady
from emulator.model import DriverName, Environment

# Megabytes of a running LocalStack with the sample service deployed, measured.
CONTAINER_MEMORY = 300
_MEGABYTE = 1024 * 1024


def check_engine(found: Engine | NotReady, *, needed_by: Sequence[str]) -> Check:
    """
    Which engine there is.

    Args:
        needed_by: The environments that run in containers: without any, nothing is a problem.
    """
    name = "docker"
    if isinstance(found, NotReady):
        if not needed_by:
            advice = "the embedded driver does not need it"
            return Check(name=name, verdict=Verdict.INFO, found=found.message, advice=advice)
        needed = f"{', '.join(needed_by)} can't start"
        advice = f"{needed}: {found.hint}" if found.hint else needed
        return Check(name=name, verdict=Verdict.PROBLEM, found=found.message, advice=advice)
    is_podman = found.name == "Podman"
    behind = " behind Docker's API" if is_podman else ""
    told = f"{found.name} {found.version}{behind} (API {found.api}, {found.architecture}) at {found.address}"
    if found.is_remote:
        return Check(
            name=name,
            verdict=Verdict.WARNING if needed_by else Verdict.INFO,
            found=f"{told}, on another machine",
            advice="containers publish their ports on 127.0.0.1 of that machine only: forward them to this one",
        )
    return Check(name=name, verdict=Verdict.OK, found=told)


def check_choice(choice: Choice, environments: Sequence[str]) -> Check:
    """What ``driver = "auto"`` means here, and why; the other checks say what containers lack."""
    found = f"{choice.driver.value} for {', '.join(environments)}: {choice.reason}"
    return Check(name="driver auto", verdict=Verdict.OK, found=found)


def images_of(environments: Sequence[Environment]) -> dict[str, list[str]]:
    """The images of *environments* whose containers need or could need them, each with their names."""
    found: dict[str, list[str]] = {}
    for one in environments:
        if one.driver in (DriverName.LOCALSTACK, DriverName.AUTO):
            found.setdefault(one.container.image, []).append(one.name)
    return found


def check_image(name: str, image: Image | None, engine: Engine, *, is_needed: bool, token: str | None) -> Check:
    """
    Whether containers can be made of an image.

    Args:
        image: What the engine has under that name.
        is_needed: An environment can't start without it; else it is only information.
        token: For LocalStack, if there is one.
    """
    title = f"image {name}"
    bad = Verdict.PROBLEM if is_needed else Verdict.INFO
    try:
        check_token(name, token)
    except ConfigError as error:
        return Check(name=title, verdict=bad, found=error.message, advice=error.hint or "")
    if image is None:
        return Check(name=title, verdict=bad, found="not in the engine", advice=need_hint(name))
    found = f"{image.id.removeprefix('sha256:')[:12]}, {image.architecture or 'of unknown architecture'}"
    if not image.architecture or image.architecture == engine.architecture:
        if is_outdated(image):
            advice = "`multistack image build` makes it anew; `multistack up` then restarts what runs on it"
            old = f"{found}, made by another version of multistack"
            return Check(name=title, verdict=Verdict.WARNING if is_needed else Verdict.INFO, found=old, advice=advice)
        return Check(name=title, verdict=Verdict.OK, found=found)
    differs = f"{found}, but the engine runs {engine.architecture}"
    if image.architecture in engine.emulates:
        advice = f"it runs emulated, and slowly: get it for {engine.architecture}"
        return Check(name=title, verdict=Verdict.WARNING if is_needed else Verdict.INFO, found=differs, advice=advice)
    advice = f"its programs don't run there: get it for {engine.architecture}; {need_hint(name)}"
    return Check(name=title, verdict=bad, found=differs, advice=advice)


def check_container_memory(room: int, stopped: Mapping[str, int | None]) -> Check:
    """
    Whether memory suffices for the containers that don't run yet.

    Args:
        room: Megabytes that are available to them.
        stopped: The environments without a running container, each with its limit in megabytes or None.
    """
    name = "container memory"
    if not stopped:
        return Check(name=name, verdict=Verdict.OK, found=f"{room} MB available, every environment runs")
    needed = len(stopped) * CONTAINER_MEMORY
    allowed = sum(limit or CONTAINER_MEMORY for limit in stopped.values())
    found = f"{room} MB available, {len(stopped)} stopped environments need about {needed} MB"
    if allowed > needed:
        found += f" and may take {allowed} MB"
    if tight := [one for one, limit in stopped.items() if limit and limit < CONTAINER_MEMORY]:
        advice = f"{', '.join(tight)}: `memory` is less than the {CONTAINER_MEMORY} MB that LocalStack takes"
        return Check(name=name, verdict=Verdict.WARNING, found=found, advice=advice)
    if room < needed:
        advice = 'close other programs, start fewer (`multistack up test`), or take `driver = "embedded"`'
        return Check(name=name, verdict=Verdict.PROBLEM, found=found, advice=advice)
    if room < allowed:
        advice = "their limits allow more than there is: lower `localstack.memory`, or start fewer"
        return Check(name=name, verdict=Verdict.WARNING, found=found, advice=advice)
    return Check(name=name, verdict=Verdict.OK, found=found)


def room_for_containers(available: int, engine: Engine, *, embedded: int) -> int:
    """
    Megabytes that containers can have.

    Args:
        available: Of this machine, in megabytes.
        embedded: Megabytes that environments outside of containers will take of them.
    """
    # An engine in a virtual machine has less than the machine; one elsewhere has nothing to do with it.
    return engine.memory if engine.is_remote else max(0, min(available - embedded, engine.memory))


def limits_of(environments: Sequence[Environment], running: Collection[str]) -> dict[str, int | None]:
    """The environments in containers that don't run, each with its limit in megabytes."""
    return {
        one.name: one.container.memory // _MEGABYTE if one.container.memory else None
        for one in environments
        if one.driver is DriverName.LOCALSTACK and one.name not in running
    }
