"""
A container per environment, with a network and a volume of its own.

While it runs, its state is in its volume; ``stop`` brings it into the environment's folder and leaves nothing of ours
in the engine. What is ours is told by name and labels; nothing else is ever touched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator import checkpoint
from emulator.drivers import container_state, containers, engine, saved_state
from emulator.drivers.belongings import Belongings, traces_of
from emulator.drivers.container_health import endpoint_of, health_of, outdated, remark_on
from emulator.drivers.container_log import ContainerLog
from emulator.drivers.container_making import Maker, says_taken
from emulator.drivers.containers import TOKEN, Container, Image
from emulator.drivers.engine import talking
from emulator.drivers.images import check_token, find_image, need_image
from emulator.drivers.kept_state import KeptState, fill_copy, homes
from emulator.errors import MultistackError, NotReady, file_hint
from emulator.model import Endpoint, Environment, Instance, Project, Status
from emulator.state import make_state_folder

if TYPE_CHECKING:
    from docker import DockerClient

VERSION = "localstack 4.14.0"
# Seconds for a last checkpoint before the engine kills it.
_GRACE = 15
# That are kept of a container that is gone.
_LOG_LINES = 10_000


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
        self._maker = Maker(project, environ=environ, token=self._token)

    @property
    def version(self) -> str:
        """See :class:`emulator.drivers.base.Driver`."""
        return VERSION

    def may_run(self, environment: Environment) -> bool:
        """Whether it is worth asking the engine for *environment* although its driver is another one now."""
        return self._kept(environment).has_begun

    def was_used(self) -> bool:
        """Whether any environment of the project, also a former one, may have a container."""
        return bool(homes(self._project.environment_state("")))

    def observe(self, environment: Environment) -> Instance:
        """
        See :class:`emulator.drivers.base.Driver`.

        Raises:
            NotReady: The engine can't be asked, and may have a container.
        """
        try:
            found = self._belongings(environment).container()
        except NotReady as error:
            if self.may_run(environment):
                raise _out_of_reach(environment, error) from error
            return Instance(environment=environment.name, status=Status.STOPPED)
        if found is None:
            return Instance(environment=environment.name, status=Status.STOPPED, reason=self._rest(environment))
        container = _read(found)
        if self._kept(environment).is_stopping:
            return Instance(environment=environment.name, status=Status.STOPPED, reason="its stop was not finished")
        if container.condition is Status.STOPPED:
            return Instance(environment=environment.name, status=Status.STOPPED, reason=container.reason)
        endpoint = endpoint_of(container)
        status, reason = health_of(endpoint, container)
        if status is Status.READY and endpoint is not None:
            status, reason = remark_on(endpoint, container, restarts=containers.restarts(found.attrs))
        return Instance(
            environment=environment.name,
            status=status,
            endpoint=endpoint,
            settings=container.settings,
            reason=reason,
            outdated=outdated(container, find_image(self._client(), environment.container.image)),
        )

    def _rest(self, environment: Environment) -> str:
        """What is missing when there is no container, although nobody stopped it in good order; else nothing."""
        kept = self._kept(environment)
        if self._belongings(environment).volume() is not None and not kept.is_filling:
            return "its container is gone"
        if not kept.has_begun:
            return ""
        rest = f"what comes back is its state of {kept.at:%Y-%m-%d %H:%M} UTC" if kept.at else "and its data with them"
        return f"its container and volume are gone, {rest}"

    def check(self, environment: Environment) -> None:
        """
        Find out what would keep a container from starting, before the one that runs is stopped for it.

        Raises:
            NotReady: No engine answers, or it lacks the image.
            ConfigError: The image asks for a token.
        """
        check_token(environment.container.image, self._token)
        client, found = self._client(), self._belongings(environment).container()
        image = find_image(client, environment.container.image)
        if image is None and not (found is not None and self._is_as_wanted(environment, found, image)):
            need_image(client, environment.container.image)

    def start(self, environment: Environment) -> Endpoint:
        """See :class:`emulator.drivers.base.Driver`."""
        check_token(environment.container.image, self._token)
        client, belongings, kept = self._client(), self._belongings(environment), self._kept(environment)
        found, image = belongings.container(), find_image(client, environment.container.image)
        if found is not None and _read(found).condition is not Status.STOPPED and not kept.is_stopping:
            raise NotReady(f"environment {environment.name} already runs")
        is_as_wanted = found is not None and self._is_as_wanted(environment, found, image)
        if is_as_wanted and belongings.network() is not None and self._resume(environment, found):
            return self._started(environment)
        image = image or need_image(client, environment.container.image)
        volume = belongings.volume()
        if found is not None or (volume is not None and self._is_foreign(environment, volume, image)):
            self._bring_home(environment, found)
            kept.end()
        self._maker.make(client, environment, image)
        return self._started(environment)

    def _is_as_wanted(self, environment: Environment, found: Any, image: Image | None) -> bool:
        """Whether it can be started again: also without its image, of which it has all that it needs."""
        container, kept = _read(found), self._kept(environment)
        return (
            container.config == containers.labels_of(self._project, environment)[containers.CONFIG]
            and (image is None or image.id == container.image_id)
            and environment.port in (None, container.port)
            and not kept.is_filling
            and not kept.is_stopping
        )

    def _is_foreign(self, environment: Environment, volume: Any, image: Image) -> bool:
        """Whether what is in a volume is not what a container of *image* should find there, or its name is old."""
        is_own, kept = containers.IMAGE in volume.attrs["Labels"], self._kept(environment)
        return kept.is_filling or is_own != image.is_own or kept.home != self._project.home

    def _resume(self, environment: Environment, found: Any) -> bool:
        """Start a stopped or paused container; False when somebody took its port meanwhile and another one will do."""
        from docker.errors import APIError

        with talking(f"environment {environment.name}"):
            try:
                found.unpause() if containers.is_paused(found.attrs) else found.start()
            except APIError as error:
                if environment.port is None and says_taken(error):
                    return False
                raise
        return True

    def _started(self, environment: Environment) -> Endpoint:
        found = self._belongings(environment).container()
        container = _read(found) if found is not None else None
        endpoint = endpoint_of(container) if container else None
        if endpoint is None:
            reason = container.reason if container else "its container is gone"
            raise NotReady(
                f"environment {environment.name}: its emulator ended while starting: {reason or 'it has no address'}",
                details=self.logs(environment, tail=10),
            )
        return endpoint

    def stop(self, environment: Environment) -> bool:
        """See :class:`emulator.drivers.base.Driver`."""
        try:
            found = self._belongings(environment).container()
        except NotReady as error:
            if self.may_run(environment):
                raise _out_of_reach(environment, error) from error
            return False
        was_running = found is not None and _is_there(found)
        self._bring_home(environment, found)
        self._kept(environment).end()
        return was_running

    def _bring_home(self, environment: Environment, found: Any | None) -> None:
        """End the container, if there is one, and leave nothing in the engine; its state is then kept."""
        belongings = self._belongings(environment)
        if found is not None:
            with contextlib.suppress(OSError):  # a full disk doesn't keep it from being stopped
                self._kept(environment).stopping()
            with talking(belongings.where):
                if containers.is_paused(found.attrs):
                    found.unpause()
                found.stop(timeout=_GRACE)
                said = found.logs(timestamps=True, tail=_LOG_LINES)
            with contextlib.suppress(OSError):  # what counts is its state, which is kept next or not at all
                self._kept(environment).keep_log(said)
            self._keep_state(environment, found)
            with talking(belongings.where):
                found.remove(force=True, v=True)
        elif belongings.volume() is not None:
            with belongings.reader() as reader:
                self._keep_state(environment, reader)
        belongings.remove_functions()
        belongings.remove_volume()
        belongings.remove_network()

    def _keep_state(self, environment: Environment, found: Any) -> None:
        """Bring what a container of our image saved into the environment's folder; without any, what is kept stays."""
        kept, where = self._kept(environment), f"environment {environment.name}"
        if kept.is_filling or not container_state.keeps_state(found):
            return
        chunks = container_state.archive(found, where)
        try:
            if chunks is not None:
                kept.keep(chunks)
        except OSError as error:
            raise NotReady(
                f"{where}: its state can't be kept in {self._folder(environment)}: {error.strerror or error}",
                hint=f"{file_hint(error)}; until then it stays in the Docker volume {found.name}",
            ) from error

    def erase(self, environment: Environment) -> None:
        """See :class:`emulator.drivers.base.Driver`."""
        self._kept(environment).forget()

    def save(self, environment: Environment, folder: Path) -> None:
        """See :class:`emulator.drivers.base.Driver`."""
        payload = self._state(environment)
        header = checkpoint.Header(
            emulator=VERSION, at=datetime.now(UTC), account_id=environment.account_id, region=environment.region
        )
        saved_state.write_copy(folder, lambda aside: fill_copy(aside, header, payload))

    def _state(self, environment: Environment) -> bytes:
        """The state of a running container of this moment, else that of its last stop."""
        where = f"environment {environment.name}"
        belongings = self._belongings(environment)
        found, payload = belongings.container(), None
        if found is not None and container_state.keeps_state(found):
            if _read(found).condition is not Status.STOPPED:
                container_state.checkpoint_now(found, where)
            with container_state.still(found, where):
                payload = _joined(container_state.archive(found, where))
        elif found is None and belongings.volume() is not None and not self._kept(environment).is_filling:
            with belongings.reader() as reader:
                payload = _joined(container_state.archive(reader, where))
        elif found is None:
            payload = self._kept(environment).read()
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
            self._kept(environment).load(folder)
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
        return ContainerLog(self._belongings(environment).container, self._kept(environment).read_log)

    def leftovers(self) -> list[Environment]:
        """See :class:`emulator.drivers.base.Driver`; also those of which only a network or a volume is left."""
        known = {environment.name for environment in self._project.environments}
        roots = {self._project.home, *homes(self._project.environment_state(""))}
        found = [traces_of(self._client(), self._project_at(root)) for root in roots]
        merged = {name: labels for traces in found for name, labels in traces.items() if name not in known}
        return [containers.leftover(labels) for _, labels in sorted(merged.items())]

    def _client(self) -> DockerClient:
        return engine.connect(self._environ, allow_remote=self._project.allow_remote)

    def _belongings(self, environment: Environment) -> Belongings:
        return Belongings(self._client(), self._project_at(self._kept(environment).home), environment.name)

    def _project_at(self, root: Path) -> Project:
        """The project as it was called when a container was made: it may have been moved with all its state since."""
        return self._project if root == self._project.home else replace(self._project, copied_from=root)

    def _folder(self, environment: Environment) -> Path:
        return self._project.environment_state(environment.name)

    def _kept(self, environment: Environment) -> KeptState:
        return KeptState(self._folder(environment))


def _out_of_reach(environment: Environment, error: NotReady) -> NotReady:
    """What an engine that can't be asked means for an environment whose container was never stopped."""
    return NotReady(
        f"environment {environment.name}: its last state is in a Docker engine that can't be asked: {error.message}",
        hint="start that engine again; or leave the state there and begin without it: "
        f"`multistack --set environments.{environment.name}.driver=embedded up {environment.name}`",
    )


def _read(found: Any) -> Container:
    return containers.read(found.attrs, now=datetime.now(UTC))


def _is_there(found: Any) -> bool:
    return containers.is_paused(found.attrs) or _read(found).condition is not Status.STOPPED


def _joined(chunks: Iterable[bytes] | None) -> bytes | None:
    return None if chunks is None else b"".join(chunks)
