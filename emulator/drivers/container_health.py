"""How a container of ours is: by the services in it, what its emulator says of its state, and what it is made of."""

from __future__ import annotations

from emulator.drivers import control
from emulator.drivers.containers import Container, Image
from emulator.endpoint import broken_services, health
from emulator.model import Endpoint, Status


def endpoint_of(container: Container) -> Endpoint | None:
    """Where it answers; None while it has no address."""
    if container.address is None:
        return None
    return Endpoint(
        environment=container.environment,
        url=f"http://{container.address}",
        account_id=container.account_id,
        region=container.region,
    )


def health_of(endpoint: Endpoint | None, container: Container) -> tuple[Status, str]:
    """How a container that doesn't stand still is, by the services in it and not only by its port."""
    if container.reason or endpoint is None:
        return container.condition, container.reason or "its container has no address"
    services = health(endpoint, timeout=2.0)
    if services is None:
        return container.condition, f"its emulator does not answer ({endpoint.url})"
    if broken := broken_services(services):
        return Status.UNHEALTHY, f"its emulator could not load {', '.join(broken)}"
    return Status.READY, ""


def remark_on(endpoint: Endpoint, container: Container, *, restarts: int) -> tuple[Status, str]:
    """What a user should know of one that serves; READY and nothing where all is well."""
    if restarts:
        return (
            Status.READY,
            f"Docker started its container again after a failure ({restarts} of 3 times): see its log",
        )
    if not container.keeps_state:
        return Status.READY, f"image {container.settings.get('image')} keeps no data over a stop"
    condition = control.condition(endpoint, timeout=2.0)
    return (Status.UNHEALTHY if condition.loss else Status.READY), condition.loss or condition.problem


def outdated(container: Container, image: Image | None) -> str:
    """Why it should be made anew of *image*, which its image's name means now; empty where it is of that one."""
    if image is None or image.id == container.image_id:
        return ""
    before, now = (each.removeprefix("sha256:")[:12] for each in (container.image_id, image.id))
    return f"image {image.name} was {before} and is now {now}"
