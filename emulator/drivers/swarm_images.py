"""Which image the nodes of a swarm make containers of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.drivers.images import find_image
from emulator.errors import NotReady
from emulator.images.recipe import embedded_image
from emulator.model import Environment

if TYPE_CHECKING:
    from docker import DockerClient


def name_of(environment: Environment) -> str:
    """What the image is called."""
    return environment.swarm.image or embedded_image()


def reference(client: DockerClient, environment: Environment) -> str:
    """
    What the nodes are told: an id where the engine has the image, so that none asks a registry first.

    Source:
        moby 20.10, ``daemon/cluster/executor/container/adapter.go``, ``pullImage``.

    Raises:
        NotReady: It is ours, which no registry has, and not there.
    """
    if found := find_image(client, name_of(environment)):
        return found.id
    if environment.swarm.image is None:
        raise NotReady(
            f"image {embedded_image()} is not in the Docker engine",
            hint="`multistack image build --embedded` makes it; load it on every node: `docker save | docker load`",
        )
    return environment.swarm.image


def hint_about(environment: Environment, why: str) -> str:
    """What to do where no node runs *environment*, and the swarm says *why*."""
    if "does not have its image" in why:
        return f"load it there: `docker save {name_of(environment)} | ssh NODE docker load`"
    if "no suitable node" in why:
        return "see swarm.placement, swarm.memory, environments.<name>.port and `docker node ls`"
    return "see `docker service ps`"
