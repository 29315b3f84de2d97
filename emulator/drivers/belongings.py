"""What of one environment is in the engine: its container, its network, its volume. Strangers' are never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.drivers.containers import PROJECT, is_ours, labels_of, name_of
from emulator.drivers.engine import talking
from emulator.errors import NotReady
from emulator.model import Environment, Project

if TYPE_CHECKING:
    from docker import DockerClient


class Belongings:
    """
    The container, network and volume of one environment, looked up each time.

    All three have the same name and labels.
    """

    def __init__(self, client: DockerClient, project: Project, environment: str) -> None:
        self._client = client
        self._project = project
        self.environment = environment
        self.name = name_of(project, environment)
        self.where = f"environment {environment}"

    def container(self) -> Any | None:
        """The container as the SDK's object; its ``attrs`` are the engine's ``inspect``."""
        from docker.errors import NotFound

        with talking(self.where):
            try:
                found = self._client.containers.get(self.name)
            except NotFound:
                return None
        return found if is_ours(self._project, found.name or "", found.labels) else None

    def network(self) -> Any | None:
        """The network."""
        with talking(self.where):
            found = self._client.networks.list(names=[f"^{self.name}$"])
        return next((one for one in found if self._is_ours(one)), None)

    def volume(self) -> Any | None:
        """The volume."""
        from docker.errors import NotFound

        with talking(self.where):
            try:
                found = self._client.volumes.get(self.name)
            except NotFound:
                return None
        return found if self._is_ours(found) else None

    def _is_ours(self, found: Any) -> bool:
        return is_ours(self._project, found.name, found.attrs.get("Labels"))

    def make(self, environment: Environment) -> bool:
        """
        Make the network anew, and the volume if it isn't there: whether it wasn't.

        Raises:
            NotReady: Something of somebody else has its name.
        """
        self._refuse_strangers()
        labels = labels_of(self._project, environment)
        self.remove_network()
        is_new = self.volume() is None
        with talking(self.where):
            self._client.networks.create(
                self.name, driver="bridge", labels=labels, internal=environment.container.internal
            )
            if is_new:
                self._client.volumes.create(self.name, labels=labels)
        return is_new

    def _refuse_strangers(self) -> None:
        with talking(self.where):
            kinds = {
                "container": self._client.containers.list(all=True, filters={"name": f"^/?{self.name}$"}),
                "network": self._client.networks.list(names=[f"^{self.name}$"]),
                "volume": self._client.volumes.list(filters={"name": self.name}),
            }
        for kind, found in kinds.items():
            for one in found:
                labels = one.labels if kind == "container" else one.attrs.get("Labels")
                if one.name == self.name and not is_ours(self._project, one.name, labels):
                    raise NotReady(
                        f"{self.where}: {kind} {self.name} is in the Docker engine and not of this project",
                        hint=f"look at it with `docker {kind} inspect {self.name}`; rename or remove it",
                    )

    def remove_network(self) -> None:
        """Remove the network, whoever is still connected to it."""
        network = self.network()
        if network is None:
            return
        with talking(self.where):
            network.reload()
            for connected in network.attrs.get("Containers") or {}:
                network.disconnect(connected, force=True)
            network.remove()

    def remove_volume(self) -> None:
        """Remove the volume and all in it."""
        volume = self.volume()
        if volume is not None:
            with talking(self.where):
                volume.remove(force=True)


def environments_of(client: DockerClient, project: Project) -> list[dict[str, Any]]:
    """The engine's ``inspect`` of each container of *project* that was not stopped."""
    with talking("containers"):
        found = client.containers.list(filters={"label": f"{PROJECT}={project.root}"})
    return [one.attrs for one in found if is_ours(project, one.name or "", one.labels)]
