"""Puts the parts of a workspace together."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emulator import interpreters, provenance
from emulator.archives import KeptArchives
from emulator.artifact import ArtifactStore
from emulator.building import build
from emulator.clock import Clock, clock
from emulator.created import read_created
from emulator.deploy import Deployer
from emulator.drivers.choice import pull_images, settle
from emulator.drivers.containers import TOKEN
from emulator.drivers.registry import Drivers
from emulator.errors import ConfigError
from emulator.events import Emit
from emulator.history import History
from emulator.images.functions import FunctionImages
from emulator.lifecycle import Lifecycle
from emulator.limitations import LimitCheck
from emulator.model import OWN_IMAGE, Artifact, DriverName, Endpoint, Environment, Functions, Project, Release
from emulator.parallel import Cancellation
from emulator.permits import Permits
from emulator.release import Releases
from emulator.runtimes import CONTAINER, Machine, RuntimeCheck, machine
from emulator.snapshots import Snapshots
from emulator.space_front import front_of
from emulator.space_list import check_there
from emulator.state_transfer import StateTransfer
from emulator.store.opening import ledger_of, tell_of_store
from emulator.template import Template
from emulator.vault import Vault
from emulator.workspace import Workspace

if TYPE_CHECKING:
    from emulator.repair import Repairer


def open_workspace(
    project: Project,
    *,
    environ: Mapping[str, str],
    emit: Emit,
    pulls: bool = False,
    token: str | None = None,
    kept: KeptArchives | None = None,
    cancellation: Cancellation | None = None,
) -> Workspace:
    """
    Put the parts together; nothing is started yet, and nothing read but what decides on a driver ``auto``.

    Args:
        environ: The caller's variables without any that concern AWS; children get only what they need of them.
        pulls: Images that the engine lacks may be pulled.
        token: LocalStack's, for images that ask for one; no child gets it.
        kept: Archives of earlier builds in this process.
        cancellation: Of whoever works with several projects at once.
    """
    with_token = {**environ, **({TOKEN: token} if token else {})}
    project, choice = settle(project, environ=with_token, pulls=pulls)
    cancellation, now = cancellation or Cancellation(), clock(project.clock_offset)
    tell_of_store(project, emit)
    ledger = ledger_of(project)
    history = History(ledger, now=now, ended=read_created(project.state).ended)
    store, vault = ArtifactStore(project.state / "artifacts"), Vault(project.state)
    folders = interpreters.search_path(
        environ.get("PATH", ""), home=Path(environ.get("HOME", "")), pyenv_root=environ.get("PYENV_ROOT", "")
    )
    drivers = Drivers(project, environ=with_token, interpreters=folders, cancelled=cancellation.check)
    images = FunctionImages(environ=environ, emit=emit)
    make = functools.partial(
        build, project, store, emit=emit, environ=environ, cancelled=cancellation.check, kept=kept, images=images
    )
    once = _builder(make, project, store, folders, now=now)
    look = functools.partial(_machine_of, project, folders, environ.get("PATH", ""))
    deployer = _deployer(project, history, vault, look=look, images=images, emit=emit, cancelled=cancellation.check)
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
    return Workspace(
        project=project,
        drivers=drivers,
        history=history,
        permits=Permits(ledger, now=now),
        now=now,
        environ=environ,
        store=store,
        front=front_of(project, environ=environ, emit=emit),
        deployer=deployer,
        releases=releases,
        lifecycle=lifecycle,
        snapshots=snapshots,
        transfer=StateTransfer(
            project,
            drivers,
            history,
            lifecycle,
            snapshots,
            emit=emit,
            cancellation=cancellation,
            open_artifact=store.open,
        ),
        repairer=lambda: _repairer(project, deployer, vault, store, emit=emit, cancelled=cancellation.check),
        build=once,
        emit=emit,
        cancellation=cancellation,
        choice=choice,
        pull_images=functools.partial(pull_images, project, environ=with_token, emit=emit),
    )


def _deployer(
    project: Project,
    history: History,
    vault: Vault,
    *,
    look: Callable[[str], Machine | None],
    images: FunctionImages,
    emit: Emit,
    cancelled: Callable[[], None],
) -> Deployer:
    return Deployer(
        project,
        history,
        vault,
        emit=emit,
        cancelled=cancelled,
        check=RuntimeCheck(look, emit=emit),
        limits=LimitCheck({one.name: one for one in project.environments}, emit=emit, image_fault=images.fault),
        get_ready=_get_ready,
        remember=_remember,
        prepare_seed=functools.partial(_prepare_seed, project, emit),
    )


# What only deployments and repairs need is loaded by them: every command starts from here.
def _get_ready(endpoint: Endpoint, template: Template) -> None:
    from emulator.inventory.keeping import get_ready

    get_ready(endpoint, template)


def _remember(endpoint: Endpoint, stack: str, template: Template, release: Release) -> None:
    from emulator.inventory.keeping import remember

    remember(endpoint, stack, template, release)


def _prepare_seed(
    project: Project, emit: Emit, environment: Environment, endpoint: Endpoint, template: Template, *, restores: bool
) -> Callable[[], None] | None:
    if not environment.seeds:
        return None
    from emulator.seeds.after_deploy import prepare_seed

    return prepare_seed(project, environment, endpoint, template, restores=restores, emit=emit)


def _repairer(
    project: Project,
    deployer: Deployer,
    vault: Vault,
    store: ArtifactStore,
    *,
    emit: Emit,
    cancelled: Callable[[], None],
) -> Repairer:
    from emulator.repair import Repairer

    return Repairer(project, deployer, vault, open_artifact=store.open, emit=emit, cancelled=cancelled)


def _builder(
    make: Callable[..., Artifact], project: Project, store: ArtifactStore, folders: Sequence[str], *, now: Clock
) -> Callable[[], Artifact]:
    """Builds the current source once, whoever asks, and records where it came from."""

    def python_of(runtime: str) -> interpreters.Interpreter:
        return interpreters.choose(runtime, interpreters.find(folders))

    def build_recorded() -> Artifact:
        artifact = make(python_of=python_of)
        provenance.record(store.folder(artifact.digest), project, now=now)
        store.set_passing(artifact.digest, is_passing=False)  # whoever builds for a moment says so afterwards
        return artifact

    return _once(build_recorded)


def _machine_of(project: Project, folders: Sequence[str], path: str, name: str) -> Machine | None:
    """What runs the functions of environment *name*."""
    (environment,) = (one for one in project.environments if one.name == name)
    if environment.driver is DriverName.EMBEDDED:
        return machine(folders, path=path)
    if environment.driver is DriverName.SWARM:
        return CONTAINER if environment.swarm.image is None else None
    is_own = environment.driver is DriverName.LOCALSTACK and environment.container.image == OWN_IMAGE
    return CONTAINER if is_own and environment.container.functions is Functions.PROCESS else None


def _check_exists(project: Project, environment: Environment) -> None:
    check_there(project)
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
