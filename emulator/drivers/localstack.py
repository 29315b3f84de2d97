"""
A container per environment, with a network and a volume of its own.

While it runs, its state is in its volume; ``stop`` brings it into the environment's folder and leaves nothing of ours
in the engine. What is ours is told by name and labels; nothing else is ever touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator import checkpoint, ports, process
from emulator.drivers import container_state, containers, engine, saved_state
from emulator.drivers.belongings import Belongings, environments_of
from emulator.drivers.container_log import ContainerLog
from emulator.drivers.containers import Container, Image
from emulator.drivers.engine import talking
from emulator.drivers.images import TOKEN, check_token, find_image, need_image
from emulator.endpoint import broken_services, health
from emulator.errors import MultistackError, NotReady, file_hint
from emulator.model import Endpoint, Environment, Instance, Project, Status
from emulator.state import make_state_folder

if TYPE_CHECKING:
    from docker import DockerClient

VERSION = "localstack 4.14.0"
# Clear of LocalStack's 4566 and 4510-4559, so that both can run.
_PORTS = range(4600, 5000)
# Seconds for a last checkpoint before the engine kills it.
_GRACE = 15
# Says that the engine is worth asking for this environment, whatever its driver is now.
_MARK = "container"
# What an engine says when somebody else has the port.
_TAKEN = ("already allocated", "address already in use", "ports are not available")


class LocalstackDriver:
    """
    Runs the containers of one project.

    Args:
        environ: The caller's variables: where the engine is, and LocalStack's token.
    """

    def __init__(self, project: Project, *, environ: Mapping[str, str]) -> None:
        self._project = project
        self._environ = environ
        self._token = environ.get(TOKEN) or None

    @property
    def version(self) -> str:
        """See :class:`emulator.drivers.base.Driver`."""
        return VERSION

    def may_run(self, environment: Environment) -> bool:
        """Whether it is worth asking the engine for *environment* although its driver is another one now."""
        return (self._folder(environment) / _MARK).exists()

    def was_used(self) -> bool:
        """Whether any environment of the project, also a former one, may have a container."""
        return any(self._project.environment_state("").glob(f"*/{_MARK}"))

    def observe(self, environment: Environment) -> Instance:
        """See :class:`emulator.drivers.base.Driver`."""
        found = self._belongings(environment).container()
        if found is None:
            return Instance(environment=environment.name, status=Status.STOPPED, reason=self._rest(environment))
        container = _read(found)
        if container.condition is Status.STOPPED:
            return Instance(environment=environment.name, status=Status.STOPPED, reason=container.reason)
        endpoint = _endpoint(container)
        status, reason = _health(endpoint, container)
        if status is Status.READY:
            reason = self._remark(found, container)
        return Instance(
            environment=environment.name, status=status, endpoint=endpoint, settings=container.settings, reason=reason
        )

    def _rest(self, environment: Environment) -> str:
        """What is missing when there is no container, although nobody stopped it in good order; else nothing."""
        belongings = self._belongings(environment)
        if belongings.volume() is not None:
            return "its container is gone"
        if not self.may_run(environment):
            return ""
        kept = container_state.kept_at(self._folder(environment))
        rest = f"what comes back is its state of {kept:%Y-%m-%d %H:%M} UTC" if kept else "and its data with them"
        return f"its container and volume are gone, {rest}"

    def _remark(self, found: Any, container: Container) -> str:
        """What a user should know of one that serves; empty where all is well."""
        if count := containers.restarts(found.attrs):
            return f"Docker started its container again after a failure ({count} of 3 times): see its log"
        if containers.IMAGE not in (found.labels or {}):
            return f"image {container.settings.get('image')} keeps no data over a stop"
        return container_state.problem(found, f"environment {container.environment}")

    def start(self, environment: Environment) -> Endpoint:
        """See :class:`emulator.drivers.base.Driver`."""
        check_token(environment.container.image, self._token)
        client, belongings = self._client(), self._belongings(environment)
        found, image = belongings.container(), find_image(client, environment.container.image)
        if found is not None:
            container = _read(found)
            if container.condition is not Status.STOPPED:
                raise NotReady(f"environment {environment.name} already runs")
            if self._is_as_wanted(environment, container, image) and belongings.network() is not None:
                with talking(belongings.where):
                    found.unpause() if containers.is_paused(found.attrs) else found.start()
                return self._started(environment)
            image = image or need_image(client, environment.container.image)
            self._end(environment, found)
        return self._create(environment, image or need_image(client, environment.container.image))

    def _is_as_wanted(self, environment: Environment, container: Container, image: Image | None) -> bool:
        """Whether it can be started again: also without its image, of which it has all that it needs."""
        config = containers.labels_of(self._project, environment)[containers.CONFIG]
        return container.config == config and (image is None or image.id == container.image_id)

    def _create(self, environment: Environment, image: Image) -> Endpoint:
        folder = self._folder(environment)
        try:
            make_state_folder(self._project.state)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / _MARK).touch()
        except OSError as error:
            where = f"environment {environment.name}"
            raise NotReady(f"{where}: can't write {folder}: {error.strerror}", hint=file_hint(error)) from error
        is_new = self._belongings(environment).make(environment)
        for port in self._candidates(environment):
            if self._create_at(environment, image, port=port, brings_state=is_new and image.is_own):
                if port is not None:
                    process.remember_port(folder, port)
                return self._started(environment)
        raise NotReady(
            f"no free port for environment {environment.name} between {_PORTS[0]} and {_PORTS[-1]}",
        )

    def _candidates(self, environment: Environment) -> Iterator[int | None]:
        """Ports to try; None for a network whose ports can't be published."""
        if environment.container.internal:
            yield None
        elif environment.port is not None:
            # Its error names who has the port; the engine's doesn't.
            ports.listen(port=environment.port, candidates=(), purpose=f"environment {environment.name}").close()
            yield environment.port
        else:
            candidates = process.candidate_ports(self._folder(environment), _PORTS)
            yield from (port for port in candidates if ports.is_free(port))

    def _create_at(self, environment: Environment, image: Image, *, port: int | None, brings_state: bool) -> bool:
        """Make and start the container; False when somebody took *port* meanwhile and another one will do."""
        from docker.errors import APIError

        wanted = containers.arguments(self._project, environment, image, port=port, token=self._token)
        with talking(f"environment {environment.name}"):
            container = self._client().containers.create(**wanted)
            if brings_state:
                self._put_state(environment, container)
            try:
                container.start()
            except APIError as error:
                container.remove(force=True)
                if environment.port is None and any(text in str(error) for text in _TAKEN):
                    return False
                raise
        return True

    def _put_state(self, environment: Environment, container: Any) -> None:
        archive = container_state.for_container(self._folder(environment))
        if archive is not None:
            with archive:
                container.put_archive(containers.DATA, archive)

    def _started(self, environment: Environment) -> Endpoint:
        found = self._belongings(environment).container()
        container = _read(found) if found is not None else None
        endpoint = _endpoint(container) if container else None
        if endpoint is None:
            reason = container.reason if container else "its container is gone"
            raise NotReady(
                f"environment {environment.name} does not start: {reason or 'its container has no address'}",
                details=self.logs(environment, tail=10),
            )
        return endpoint

    def stop(self, environment: Environment) -> bool:
        """See :class:`emulator.drivers.base.Driver`."""
        belongings = self._belongings(environment)
        found = belongings.container()
        was_running = found is not None and _is_there(found)
        if found is None and belongings.volume() is not None:
            found = self._reader(environment)
        if found is not None:
            self._end(environment, found)
        belongings.remove_volume()
        belongings.remove_network()
        (self._folder(environment) / _MARK).unlink(missing_ok=True)
        return was_running

    def _end(self, environment: Environment, found: Any) -> None:
        """Stop and remove a container; its state is then kept."""
        with talking(f"environment {environment.name}"):
            if containers.is_paused(found.attrs):
                found.unpause()
            found.stop(timeout=_GRACE)
        self._keep_state(environment, found)
        with talking(f"environment {environment.name}"):
            found.remove(force=True)

    def _reader(self, environment: Environment) -> Any:
        """A container that never runs, through which the engine gives out a volume whose container is gone."""
        belongings = self._belongings(environment)
        image = need_image(self._client(), environment.container.image)
        with talking(belongings.where):
            return self._client().containers.create(
                image=image.id,
                name=belongings.name,
                labels=containers.labels_of(self._project, environment),
                network_mode="none",
                volumes={belongings.name: {"bind": containers.DATA, "mode": "ro"}},
            )

    def _keep_state(self, environment: Environment, found: Any) -> None:
        """Bring what a container of our image saved into the environment's folder; without any, what is kept stays."""
        folder = self._folder(environment)
        try:
            with container_state.archive(found, f"environment {environment.name}") as chunks:
                if chunks is not None:
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                    container_state.keep(folder, chunks)
        except OSError as error:
            raise NotReady(
                f"environment {environment.name}: its state can't be kept in {folder}: {error.strerror or error}",
                hint=f"{file_hint(error)}; until then it stays in the Docker volume {found.name}",
            ) from error

    def erase(self, environment: Environment) -> None:
        """See :class:`emulator.drivers.base.Driver`."""
        container_state.forget(self._folder(environment))

    def save(self, environment: Environment, folder: Path) -> None:
        """See :class:`emulator.drivers.base.Driver`."""
        payload = self._state(environment)
        header = checkpoint.Header(
            emulator=VERSION, at=datetime.now(UTC), account_id=environment.account_id, region=environment.region
        )
        saved_state.write_copy(folder, lambda aside: container_state.fill_copy(aside, header, payload))

    def _state(self, environment: Environment) -> bytes:
        """The state of a running container of this moment, else that of its last stop."""
        where = f"environment {environment.name}"
        found = self._belongings(environment).container()
        if found is None:
            payload = container_state.kept(self._folder(environment))
        else:
            if _read(found).condition is not Status.STOPPED:
                container_state.checkpoint_now(found, where)
            with container_state.still(found, where), container_state.archive(found, where) as chunks:
                payload = None if chunks is None else b"".join(chunks)
        if payload is None:
            reason = "it never ran" if found is None else f"image {environment.container.image} keeps none"
            raise MultistackError(f"{where} has no state to save: {reason}", hint=f"multistack up {environment.name}")
        return payload

    def load(self, environment: Environment, folder: Path) -> None:
        """See :class:`emulator.drivers.base.Driver`."""
        where = f"environment {environment.name}"
        belongings, own = self._belongings(environment), self._folder(environment)
        if belongings.container() is not None or belongings.volume() is not None:
            raise NotReady(
                f"{where} is running: its state can't be replaced", hint=f"multistack down {environment.name}"
            )
        saved_state.check_owner(folder, environment, version=VERSION)
        try:
            make_state_folder(self._project.state)
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
            container_state.load_copy(own, folder)
        except OSError as error:
            raise NotReady(f"{where}: can't write {own}: {error.strerror or error}", hint=file_hint(error)) from error

    def logs(self, environment: Environment, *, tail: int) -> list[str]:
        """See :class:`emulator.drivers.base.Driver`."""
        found = self._belongings(environment).container()
        if found is None:
            return []
        with talking(f"environment {environment.name}"):
            return list(found.logs(tail=tail).decode(errors="replace").splitlines())

    def log_reader(self, environment: Environment) -> ContainerLog:
        """See :class:`emulator.drivers.base.Driver`."""
        return ContainerLog(self._belongings(environment).container)

    def leftovers(self) -> list[Environment]:
        """See :class:`emulator.drivers.base.Driver`."""
        known = {environment.name for environment in self._project.environments}
        found = [containers.read(one, now=datetime.now(UTC)) for one in environments_of(self._client(), self._project)]
        return [containers.leftover(one) for one in found if one.environment not in known]

    def _client(self) -> DockerClient:
        return engine.connect(self._environ, allow_remote=self._project.allow_remote)

    def _belongings(self, environment: Environment) -> Belongings:
        return Belongings(self._client(), self._project, environment.name)

    def _folder(self, environment: Environment) -> Path:
        return self._project.environment_state(environment.name)


def _read(found: Any) -> Container:
    return containers.read(found.attrs, now=datetime.now(UTC))


def _is_there(found: Any) -> bool:
    return containers.is_paused(found.attrs) or _read(found).condition is not Status.STOPPED


def _endpoint(container: Container) -> Endpoint | None:
    if container.address is None:
        return None
    return Endpoint(
        environment=container.environment,
        url=f"http://{container.address}",
        account_id=container.account_id,
        region=container.region,
    )


def _health(endpoint: Endpoint | None, container: Container) -> tuple[Status, str]:
    """How a container that doesn't stand still is, by the services in it and not only by its port."""
    if container.reason or endpoint is None:
        return container.condition, container.reason or "its container has no address"
    services = health(endpoint, timeout=2.0)
    if services is None:
        return container.condition, f"its emulator does not answer ({endpoint.url})"
    if broken := broken_services(services):
        return Status.UNHEALTHY, f"its emulator could not load {', '.join(broken)}"
    return Status.READY, ""
