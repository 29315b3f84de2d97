"""What of one environment is in a swarm: service, network, config, secret. Strangers' are never touched."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emulator.drivers.containers import ENVIRONMENT, PROJECT, is_ours, labels_of, name_of
from emulator.drivers.engine import talking
from emulator.drivers.swarm_cluster import Node, nodes_of
from emulator.drivers.swarm_services import is_part_of, named
from emulator.errors import NotReady
from emulator.model import Environment, Project

if TYPE_CHECKING:
    from docker import DockerClient

# Seconds for a last checkpoint, and for the nodes to say that a container is gone.
_GRACE = 40.0


class SwarmBelongings:
    """Looked up each time."""

    def __init__(self, client: DockerClient, project: Project, environment: str) -> None:
        self._client = client
        self._project = project
        self.name = name_of(project, environment)
        self.where = f"environment {environment}"
        self._mine = {"label": [f"{PROJECT}={project.home}", f"{ENVIRONMENT}={environment}"]}

    def service(self) -> Mapping[str, Any] | None:
        """The engine's ``inspect`` of it."""
        with talking(self.where):
            found = self._client.api.services(filters={"name": self.name})
        ours = (one for one in found if is_ours(self._project, one["Spec"]["Name"], one["Spec"].get("Labels")))
        return next(ours, None)

    def refuse_other(self) -> None:
        """
        Look at what has the name of the service to be made.

        Raises:
            NotReady: It runs already, or somebody else's has its name.
        """
        with talking(self.where):
            found = self._client.api.services(filters={"name": self.name})
        same = [one["Spec"] for one in found if one["Spec"]["Name"] == self.name]
        if any(is_ours(self._project, self.name, spec.get("Labels")) for spec in same):
            raise NotReady(f"{self.where} already runs in the swarm")
        if same:
            raise NotReady(
                f"{self.where}: service {self.name} is in the swarm and not of this project",
                hint=f"look at it with `docker service inspect {self.name}`; rename or remove it",
            )

    def tasks(self, service: str) -> list[Mapping[str, Any]]:
        """The engine's ``inspect`` of all tasks of a service; by its id it finds none of one that is being removed."""
        with talking(self.where):
            return [one for one in self._client.api.tasks() if one["ServiceID"] == service]

    def make_network(self, environment: Environment) -> str:
        """Make its network, attachable by none of this machine's containers; returns its id."""
        with talking(self.where):
            made = self._client.api.create_network(
                self.name, driver="overlay", labels=labels_of(self._project, environment)
            )
        return str(made["Id"])

    def make_config(self, environment: Environment, content: bytes) -> tuple[str, str]:
        """Make its config; returns id and name."""
        return self._make(self._client.configs, environment, content)

    def make_secret(self, environment: Environment, content: bytes) -> tuple[str, str]:
        """Make its secret; returns id and name."""
        return self._make(self._client.secrets, environment, content)

    def _make(self, collection: Any, environment: Environment, content: bytes) -> tuple[str, str]:
        name = named(self.name, content)
        with talking(self.where):
            made = collection.create(name=name, data=content, labels=labels_of(self._project, environment))
        return str(made.id), name

    def remove_service(self, service: str) -> None:
        """Remove it and wait until its container has ended, where anybody can tell: not on a node that is down."""
        from docker.errors import NotFound

        with talking(self.where), contextlib.suppress(NotFound):
            self._client.api.remove_service(service)
        deadline = time.monotonic() + _GRACE
        # A node that is lost counts as ready for some seconds.
        while any(_may_go_on(one, nodes_of(self._client)) for one in self.tasks(service)):
            if time.monotonic() > deadline:
                raise NotReady(f"{self.where}: its container has not ended after {_GRACE:g} s", hint="see `docker ps`")
            time.sleep(0.1)

    def remove_rest(self) -> None:
        """Remove network, configs and secrets; those of a start that was killed, too."""
        deadline = time.monotonic() + _GRACE
        with talking(self.where):
            found = [
                *self._client.configs.list(filters={"label": self._mine["label"]}),
                *self._client.secrets.list(filters={"label": self._mine["label"]}),
            ]
        for one in found:
            if is_part_of(self._project, one.attrs["Spec"]["Name"], one.attrs["Spec"].get("Labels")):
                self._remove(one, deadline)
        with talking(self.where):
            networks = self._client.networks.list(names=[self.name])
        for one in networks:
            if is_ours(self._project, one.name, one.attrs.get("Labels")):
                self._remove(one, deadline)

    def _remove(self, one: Any, deadline: float) -> None:
        """For some moments after its service, a part counts as in use."""
        from docker.errors import APIError, NotFound

        with talking(self.where):
            while True:
                try:
                    one.remove()
                except NotFound:
                    return
                except APIError as error:
                    if "in use" not in str(error) or time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
                else:
                    return

    def remove_volume(self, name: str) -> None:
        """Remove a volume of the engine itself; no manager can remove those of other nodes."""
        from docker.errors import NotFound

        with talking(self.where), contextlib.suppress(NotFound):
            found = self._client.volumes.get(name)
            if is_part_of(self._project, name, found.attrs.get("Labels")):
                self._remove(found, time.monotonic() + _GRACE)


def _may_go_on(task: Mapping[str, Any], nodes: Mapping[str, Node]) -> bool:
    node = nodes.get(task.get("NodeID", ""))
    is_over = task["Status"]["State"] in ("complete", "failed", "rejected", "shutdown", "orphaned", "new", "pending")
    return not is_over and node is not None and node.is_ready
