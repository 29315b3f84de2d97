"""The parts that commands on one project work with, put together once."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from emulator.apis import default_among
from emulator.artifact import ArtifactStore
from emulator.clock import Clock
from emulator.created import read_created
from emulator.deploy import Deployer
from emulator.drivers.choice import Choice
from emulator.drivers.registry import Drivers
from emulator.errors import ConfigError, MultistackError, NotReady, StoreAway
from emulator.events import Emit, Event
from emulator.front import Front
from emulator.history import History
from emulator.known import Known, known_of
from emulator.lifecycle import Lifecycle
from emulator.lock import exclusive
from emulator.model import (
    Artifact,
    Endpoint,
    Environment,
    Project,
    Status,
    StoreSettings,
)
from emulator.parallel import Cancellation
from emulator.permits import Permits
from emulator.project_stamp import stamp_of
from emulator.release import Releases
from emulator.snapshots import Snapshots
from emulator.space_list import check_there
from emulator.state_transfer import StateTransfer
from emulator.status import EnvironmentStatus, status_of

if TYPE_CHECKING:
    from emulator.repair import Repairer

# Seconds to wait before what runs is stopped, and by how many they are more than those in which a store expects a
# command back after its restart: that may have been killed long ago.
_PATIENCE = 60.0
_MORE = 5.0


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """
    One project and everything that acts on it.

    Attributes:
        now: The clock of the ledger.
        environ: The caller's variables, without any that concern AWS.
        choice: The driver taken for ``auto``; None when no environment asked for one.
    """

    project: Project
    drivers: Drivers
    history: History
    permits: Permits
    now: Clock
    environ: Mapping[str, str] = field(repr=False)
    store: ArtifactStore
    front: Front
    deployer: Deployer
    releases: Releases
    lifecycle: Lifecycle
    snapshots: Snapshots
    transfer: StateTransfer
    repairer: Callable[[], Repairer]
    build: Callable[[], Artifact]
    emit: Emit
    cancellation: Cancellation
    choice: Choice | None
    pull_images: Callable[[], None]

    def environments(self, names: Sequence[str]) -> list[Environment]:
        """
        The named environments in the project's order; all of them when none is named.

        Raises:
            ConfigError: A name that the project doesn't have.
        """
        known = {environment.name: environment for environment in self.project.environments}
        for name in names:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                raise ConfigError(
                    f"{self.project.file.name} has no environment {name}",
                    hint=f"did you mean {near[0]}?" if near else f"its environments: {', '.join(known)}",
                )
        return [environment for name, environment in known.items() if name in names or not names]

    def endpoint(self, name: str) -> Endpoint:
        """
        The AWS API of a running environment.

        Raises:
            NotReady: It does not run.
        """
        (environment,) = self.environments([name])
        instance = self.drivers.observe(environment)
        if instance.endpoint is None or instance.status is not Status.READY:
            raise NotReady(
                f"environment {name} is {instance.status.value}{f': {instance.reason}' if instance.reason else ''}",
                hint=f"multistack up {name}",
            )
        return instance.endpoint

    def tested_url(self, name: str) -> str | None:
        """
        Where checks and tools of this machine find the API of *name*; None when the proxy doesn't run.

        In a space that is its emulator: they don't have the token that the proxy asks for.

        Raises:
            NotReady: The space's environment doesn't run, or only answers whoever has its emulator's key.
        """
        if self.project.space is None:
            return self.front.environment_url(name)
        endpoint, current = self.endpoint(name), self.history.current(name)
        if endpoint.key:
            raise NotReady(
                f"environment {name} of space {self.project.space.name} can't be verified: its emulator, on another"
                " machine, answers only whoever has its key",
                hint="verify the release in the project's own environments",
            )
        apis = current.apis if current else ()
        chosen = default_among(apis, self.project.api)
        return next((f"{endpoint.url}{api.path}/" for api in apis if api.logical_id == chosen), f"{endpoint.url}/")

    def status(self, environments: Sequence[Environment]) -> list[EnvironmentStatus]:
        """One row per environment, observed just now."""
        observed, known = self.lifecycle.observe(environments), self.known([one.name for one in environments])
        return status_of(environments, observed, known, self.front, framework=self.project.framework)

    def known(self, names: Sequence[str], *, emit: Emit | None = None) -> Mapping[str, Known]:
        """What environments serve, as far as that can be known now; see :func:`emulator.known.known_of`."""
        return known_of(self.history, self.project.state, names, emit=emit or self.emit)

    def publish(self) -> None:
        """Tell the proxy what runs where now; of created environments those that are there by now, and no others."""
        there = {name for name, one in read_created(self.project.state).environments.items() if not one.is_ending}
        known = self.project.environments
        environments = [one for one in known if one.created is None or one.name in there]
        others = there - {one.name for one in known}
        serving = self.known([one.name for one in environments])
        self.front.publish(self.lifecycle.observe(environments), serving, others=others)

    @contextlib.contextmanager
    def changing(self, command: str, *, wait: bool = True) -> Iterator[None]:
        """
        Change the project: alone, with what a killed command left open put on record, and the proxy told at the end.

        Args:
            command: What runs, for whoever waits meanwhile.
            wait: For another command to end; else NotReady is raised.

        Raises:
            ConfigError: The project file was changed while it waited.
        """
        check_there(self.project)  # a lock in the folder of a space that is gone would bring it back
        with exclusive(self.project.state, command, emit=self.emit, wait=wait):
            self._check_unchanged()
            check_there(self.project)
            with self.history.ledger.alone(command, emit=self.emit, patience=math.inf if wait else 0):
                self._repair()
                try:
                    yield
                finally:
                    self.publish()

    @contextlib.contextmanager
    def stopping(self, command: str, *, emit: Emit | None = None) -> Iterator[None]:
        """
        Stop what runs of the project: alone, as with :meth:`changing`, but whatever became of the disk or the store.

        Args:
            emit: Told who is waited for, and of a store that can't be asked; default: the workspace's.

        Raises:
            NotReady: A command on another machine still changes the project after :func:`stopping_patience`.
        """
        tell, patience = emit or self.emit, stopping_patience((self.project.within or self.project).store)
        with exclusive(self.project.state, command, emit=tell), contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.history.ledger.alone(command, emit=tell, patience=patience))
            except MultistackError as error:
                if isinstance(error, NotReady) and not isinstance(error, StoreAway):
                    raise
                tell(Event(None, "warning:", f"{error.message}; commands on other machines are not waited for"))
            yield

    def _repair(self) -> None:
        """Put on record, and finish, what a killed command left open."""
        self.snapshots.sweep()
        for deployment in self.history.close_interrupted():
            detail = f"deployment of {deployment.release.id} had been interrupted"
            self.emit(Event(deployment.environment, "found", detail))
            self.transfer.finish(deployment)

    def _check_unchanged(self) -> None:
        project = self.project
        names = [environment.name for environment in project.environments]
        if project.stamp and project.stamp != stamp_of(project.file, names):
            raise ConfigError(
                f"{project.file.name} or a file of variables was changed while this command waited for another one",
                hint="run the same command again",
            )

    def start_proxy(self) -> bool | NotReady:
        """Start the proxy unless it runs as it should: whether it did, or the error, which must hide no other."""
        self.publish()  # it reads the table when it starts
        try:
            return self.front.ensure_running(cancelled=self.cancellation.check)
        except NotReady as error:
            return error


def stopping_patience(store: StoreSettings | None) -> float:
    """Seconds that whoever only stops what runs waits for a command on another machine."""
    return max(_PATIENCE, store.timeout + _MORE) if store else _PATIENCE
