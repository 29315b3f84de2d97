"""Makes an environment's container: its network, its volume with the state that was kept, a free port."""

from __future__ import annotations

import tarfile
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from emulator import ports, process
from emulator.drivers import container_functions, containers, engine, official
from emulator.drivers.belongings import Belongings
from emulator.drivers.containers import Image
from emulator.drivers.engine import talking
from emulator.drivers.kept_state import KeptState
from emulator.errors import NotReady, file_hint
from emulator.model import Environment, Project
from emulator.state import make_state_folder

if TYPE_CHECKING:
    from docker import DockerClient

# Clear of LocalStack's 4566 and 4510-4559, so that both can run.
_PORTS = range(4600, 5000)
# What an engine says when somebody else has the port. Podman has words of its own.
_TAKEN = ("already allocated", "address already in use", "ports are not available")


class Maker:
    """
    Makes the containers of one project.

    Args:
        environ: The caller's variables: where the engine is.
        token: For images of LocalStack that ask for one.
    """

    def __init__(self, project: Project, *, environ: Mapping[str, str], token: str | None) -> None:
        self._project = project
        self._environ = environ
        self._token = token
        # Environments start at the same time: none shall try a port that another one is about to take.
        self._claimed: dict[int, str] = {}
        self._claiming = threading.Lock()

    def make(self, client: DockerClient, environment: Environment, image: Image) -> None:
        """
        Make and start it; a volume that is there already stays as it is.

        Raises:
            ConfigError: The image can't run functions as the project says.
            NotReady: The engine refuses, its port is taken, or kept state can't be read.
        """
        # Refused before anything is made.
        socket = container_functions.socket_for(environment, engine.address(self._environ), is_own=image.is_own)
        folder = self._project.environment_state(environment.name)
        kept, belongings = KeptState(folder), Belongings(client, self._project, environment.name)
        try:
            make_state_folder(self._project.state)
            kept.begin()
            belongings.refuse_strangers()
            if belongings.volume() is None:
                kept.filling()
                belongings.make_volume(environment, image)
        except OSError as error:
            raise NotReady(
                f"{belongings.where}: can't write {folder}: {error.strerror}", hint=file_hint(error)
            ) from error
        belongings.remove_functions()
        belongings.make_network(environment)
        for port in self._candidates(environment):
            if self._make_at(client, environment, image, kept, port=port, socket=socket):
                if port is not None:
                    process.remember_port(folder, port)
                return
        raise NotReady(f"no free port for {belongings.where} between {_PORTS[0]} and {_PORTS[-1]}")

    def _candidates(self, environment: Environment) -> Iterator[int | None]:
        """Ports to try; None for a network whose ports can't be published."""
        if environment.container.internal:
            yield None
        elif environment.port is not None:
            # Its error names who has the port; the engine's doesn't.
            ports.listen(port=environment.port, candidates=(), purpose=f"environment {environment.name}").close()
            yield environment.port
        else:
            others = self._project.ports_of_others(environment.name)
            for port in process.candidate_ports(self._project.environment_state(environment.name), _PORTS):
                if port not in others and self._claims(environment, port) and ports.is_free(port):
                    yield port

    def _claims(self, environment: Environment, port: int) -> bool:
        with self._claiming:
            return self._claimed.setdefault(port, environment.name) == environment.name

    def _make_at(
        self,
        client: DockerClient,
        environment: Environment,
        image: Image,
        kept: KeptState,
        *,
        port: int | None,
        socket: str | None,
    ) -> bool:
        """Make and start the container; False when somebody took *port* meanwhile and another one will do."""
        from docker.errors import APIError

        where = f"environment {environment.name}"
        wanted = containers.arguments(
            self._project,
            environment,
            image,
            port=port,
            token=self._token,
            files=official.patches(image.name, engine.address(self._environ)),
            **({} if socket is None else {"socket": socket}),
        )
        with talking(where):
            container = client.containers.create(**wanted)
        if kept.is_filling:
            if image.is_own:
                _fill(container, kept, where)
            kept.filled()
        with talking(where):
            try:
                container.start()
            except APIError as error:
                if environment.port is None and says_taken(error):
                    container.remove(force=True, v=True)
                    return False
                raise
        return True


def says_taken(error: Exception) -> bool:
    """Whether the engine's *error* is that somebody else has a port."""
    return any(text in str(error) for text in _TAKEN)


def _fill(container: Any, kept: KeptState, where: str) -> None:
    """Put the kept state, if there is any, into a container's new volume."""
    try:
        archive = kept.for_container()
    except tarfile.TarError as error:
        hint = "`multistack reset` starts it without, `multistack snapshot restore` with an earlier one"
        raise NotReady(f"{where}: its kept state is broken ({error})", hint=hint) from error
    except OSError as error:
        raise NotReady(f"{where}: its kept state can't be read: {error}", hint=file_hint(error)) from error
    if archive is not None:
        with archive, talking(where):
            container.put_archive(containers.DATA, archive)
