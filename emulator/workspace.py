"""The parts that commands on one project work with, put together once."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from emulator import interpreters, provenance
from emulator.artifact import ArtifactStore, build
from emulator.clock import Clock, clock
from emulator.created import read_created
from emulator.deploy import Deployer
from emulator.drivers.choice import Choice, pull_images, settle
from emulator.drivers.containers import TOKEN
from emulator.drivers.registry import Drivers
from emulator.errors import ConfigError, NotReady
from emulator.events import Emit, Event
from emulator.front import Front
from emulator.history import History
from emulator.inventory.keeping import get_ready, remember
from emulator.lifecycle import Lifecycle
from emulator.lock import exclusive
from emulator.model import (
    OWN_IMAGE,
    Artifact,
    DriverName,
    Endpoint,
    Environment,
    Functions,
    Project,
    Status,
)
from emulator.parallel import Cancellation
from emulator.permits import Permits
from emulator.release import Releases
from emulator.repair import Repairer
from emulator.runtimes import CONTAINER, Machine, RuntimeCheck, machine
from emulator.snapshots import Snapshots
from emulator.state_transfer import StateTransfer
from emulator.status import EnvironmentStatus, status_of
from emulator.vault import Vault


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
    repairer: Repairer
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

    def status(self, environments: Sequence[Environment]) -> list[EnvironmentStatus]:
        """One row per environment, observed just now."""
        return status_of(environments, self.lifecycle.observe(environments), self.history, self.front)

    def publish(self) -> None:
        """Tell the proxy what runs where now; of created environments those that are there by now, and no others."""
        there = {name for name, one in read_created(self.project.state).environments.items() if not one.is_ending}
        known = self.project.environments
        environments = [one for one in known if one.created is None or one.name in there]
        others = there - {one.name for one in known}
        self.front.publish(self.lifecycle.observe(environments), self.history, others=others)

    @contextlib.contextmanager
    def changing(self, command: str, *, wait: bool = True) -> Iterator[None]:
        """
        Change the project: alone, with what a killed command left open put on record, and the proxy told at the end.

        Args:
            command: What runs, for whoever waits meanwhile.
            wait: For another command to end; else NotReady is raised.
        """
        with exclusive(self.project.state, command, emit=self.emit, wait=wait):
            self.snapshots.sweep()
            for deployment in self.history.close_interrupted():
                detail = f"deployment of {deployment.release.id} had been interrupted"
                self.emit(Event(deployment.environment, "found", detail))
                self.transfer.finish(deployment)
            try:
                yield
            finally:
                self.publish()

    def start_proxy(self) -> bool | NotReady:
        """Start the proxy unless it runs as it should: whether it did, or the error, which must hide no other."""
        self.publish()  # it reads the table when it starts
        try:
            return self.front.ensure_running(cancelled=self.cancellation.check)
        except NotReady as error:
            return error


def open_workspace(
    project: Project, *, environ: Mapping[str, str], emit: Emit, pulls: bool = False, token: str | None = None
) -> Workspace:
    """
    Put the parts together; nothing is started yet, and nothing read but what decides on a driver ``auto``.

    Args:
        environ: The caller's variables without any that concern AWS; children get only what they need of them.
        pulls: Images that the engine lacks may be pulled.
        token: LocalStack's, for images that ask for one; no child gets it.
    """
    with_token = {**environ, **({TOKEN: token} if token else {})}
    project, choice = settle(project, environ=with_token, pulls=pulls)
    cancellation = Cancellation()
    now = clock(project.clock_offset)
    history = History(project.state / "history.sqlite", now=now, ended=read_created(project.state).ended)
    permits = Permits(project.state / "history.sqlite", now=now)
    store = ArtifactStore(project.state / "artifacts")
    vault = Vault(project.state)
    path = environ.get("PATH", "")
    folders = interpreters.search_path(
        path, home=Path(environ.get("HOME", "")), pyenv_root=environ.get("PYENV_ROOT", "")
    )
    drivers = Drivers(project, environ=with_token, interpreters=folders, cancelled=cancellation.check)

    def python_of(runtime: str) -> interpreters.Interpreter:
        return interpreters.choose(runtime, interpreters.find(folders))

    def build_recorded() -> Artifact:
        artifact = build(project, store, emit=emit, python_of=python_of)
        provenance.record(store.folder(artifact.digest), project, now=now)
        return artifact

    once = _once(build_recorded)
    deployer = Deployer(
        project,
        history,
        vault,
        emit=emit,
        cancelled=cancellation.check,
        check=RuntimeCheck(functools.partial(_machine_of, project, folders, path), emit=emit),
        get_ready=get_ready,
        remember=remember,
    )
    releases = Releases(project, vault)
    lifecycle = Lifecycle(
        drivers,
        history,
        deployer,
        releases,
        emit=emit,
        cancellation=cancellation,
        build=once,
        open_artifact=store.open,
        check_exists=functools.partial(_check_exists, project),
    )
    snapshots = Snapshots(project.state / "snapshots", order=[environment.name for environment in project.environments])
    transfer = StateTransfer(
        project,
        drivers,
        history,
        lifecycle,
        snapshots,
        emit=emit,
        cancellation=cancellation,
        open_artifact=store.open,
    )
    front = Front(project, environ={"PATH": path, "LANG": "C.UTF-8", "HOME": str(project.state)}, emit=emit)
    return Workspace(
        project=project,
        drivers=drivers,
        history=history,
        permits=permits,
        now=now,
        environ=environ,
        store=store,
        front=front,
        deployer=deployer,
        releases=releases,
        lifecycle=lifecycle,
        snapshots=snapshots,
        transfer=transfer,
        repairer=Repairer(project, deployer, vault, open_artifact=store.open, emit=emit, cancelled=cancellation.check),
        build=once,
        emit=emit,
        cancellation=cancellation,
        choice=choice,
        pull_images=functools.partial(pull_images, project, environ=with_token, emit=emit),
    )


def _machine_of(project: Project, folders: Sequence[str], path: str, name: str) -> Machine | None:
    """What runs the functions of environment *name*."""
    (environment,) = (one for one in project.environments if one.name == name)
    if environment.driver is DriverName.EMBEDDED:
        return machine(folders, path=path)
    is_own = environment.driver is DriverName.LOCALSTACK and environment.container.image == OWN_IMAGE
    return CONTAINER if is_own and environment.container.functions is Functions.PROCESS else None


def _check_exists(project: Project, environment: Environment) -> None:
    if environment.created is None:
        return
    found = read_created(project.state).environments.get(environment.name)
    if found is None or found.is_ending:
        raise ConfigError(f"environment {environment.name} was removed meanwhile", hint="`multistack list` shows them")


def _once(make: Callable[[], Artifact]) -> Callable[[], Artifact]:
    """*make*, called by whichever thread comes first; the others wait for its result."""
    lock = threading.Lock()
    made = functools.cache(make)

    def locked() -> Artifact:
        with lock:
            return made()

    return locked
