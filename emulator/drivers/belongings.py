"""What of one environment is in the engine: its container, its network, its volume. Strangers' are never touched."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from emulator.drivers.container_functions import filters, is_function_of
from emulator.drivers.containers import DATA, ENVIRONMENT, IMAGE, PROJECT, Image, is_ours, labels_of, name_of
from emulator.drivers.engine import talking
from emulator.errors import NotReady
from emulator.model import Environment, Project

if TYPE_CHECKING:
    from docker import DockerClient

_EMPTY_TAR = bytes(1024)


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

    def make_volume(self, environment: Environment, image: Image) -> None:
        """Make the volume; it says whether what will be in it is to be kept."""
        labels = labels_of(self._project, environment) | ({IMAGE: "true"} if image.is_own else {})
        with talking(self.where):
            self._client.volumes.create(self.name, labels=labels)

    def make_network(self, environment: Environment) -> None:
        """Make the network anew."""
        self.remove_network()
        labels = labels_of(self._project, environment)
        with talking(self.where):
            self._client.networks.create(
                self.name, driver="bridge", labels=labels, internal=environment.container.internal
            )

    def refuse_strangers(self) -> None:
        """
        Look at what has the name of what will be made.

        Raises:
            NotReady: Something of somebody else has.
        """
        with talking(self.where):
            found = _listed(self._client, {"name": self.name})
        for kind, name, labels in found:
            # The engine finds what has it as a part of its name, too.
            if name.removeprefix("/") == self.name and not is_ours(self._project, name, labels):
                raise NotReady(
                    f"{self.where}: {kind} {self.name} is in the Docker engine and not of this project",
                    hint=f"look at it with `docker {kind} inspect {self.name}`; rename or remove it",
                )

    def remove_functions(self) -> None:
        """Remove the containers that its LocalStack made for functions; one that was killed leaves them."""
        from docker.errors import NotFound

        with talking(self.where):
            for one in self._client.containers.list(all=True, filters=filters(self.name), ignore_removed=True):
                if is_function_of(self.name, one.name or "", one.labels):
                    with contextlib.suppress(NotFound):  # LocalStack removes them as well
                        one.remove(force=True, v=True)

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

    @contextlib.contextmanager
    def reader(self) -> Iterator[Any]:
        """
        A container that never runs, through which the engine gives out the volume whose container is gone.

        It is made of an empty image, for the volume's own may be gone as well.
        """
        volume = self.volume()
        with talking(self.where):
            # Podman finds it by its id only.
            image = json.loads(self._client.api.import_image_from_data(_EMPTY_TAR, repository=self.name))["status"]
            found = self._client.containers.create(
                image=image,
                command=["nothing"],
                name=self.name,
                labels=volume.attrs["Labels"] if volume else {},
                network_mode="none",
                volumes={self.name: {"bind": DATA, "mode": "ro"}},
            )
        try:
            yield found
        finally:
            with talking(self.where):
                found.remove(force=True, v=True)
                self._client.images.remove(image, force=True)


def environments_of(client: DockerClient, project: Project) -> list[dict[str, Any]]:
    """The engine's ``inspect`` of each container of *project* that was not stopped."""
    with talking("containers"):
        found = client.containers.list(filters={"label": f"{PROJECT}={project.home}"}, ignore_removed=True)
    return [one.attrs for one in found if is_ours(project, one.name or "", one.labels)]


def traces_of(client: DockerClient, project: Project) -> dict[str, Mapping[str, str]]:
    """The environments of *project* of which anything is in the engine, with the labels that tell of them."""
    label = {"label": f"{PROJECT}={project.home}"}
    with talking("containers"):
        found = _listed(client, label)
    return {labels[ENVIRONMENT]: labels for _, name, labels in found if is_ours(project, name, labels)}


def _listed(client: DockerClient, filters: Mapping[str, str]) -> list[tuple[str, str, Mapping[str, str]]]:
    """Kind, name and labels of all that the engine finds; what is just being removed may have neither any more."""
    api = client.api
    containers = [("container", name, one) for one in api.containers(all=True, filters=filters) for name in _names(one)]
    networks = [("network", one["Name"], one) for one in api.networks(filters=filters)]
    volumes = [("volume", one["Name"], one) for one in api.volumes(filters=filters)["Volumes"] or ()]
    return [(kind, name, one["Labels"] or {}) for kind, name, one in (*containers, *networks, *volumes)]


def _names(container: Mapping[str, Any]) -> list[str]:
    return container.get("Names") or []
