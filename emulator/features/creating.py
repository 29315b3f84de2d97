"""Puts an environment on the list of created ones, and starts it as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches

from emulator.created import Created, read_created, write_created
from emulator.environment_names import name_of_branch, name_problem
from emulator.errors import ConfigError, MultistackError, NotReady
from emulator.features.removing import last_row
from emulator.lock import exclusive
from emulator.model import Creation, Environment, Project
from emulator.release import check_config
from emulator.space_list import read_spaces
from emulator.spans import LONGEST
from emulator.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    What is to be created.

    Attributes:
        name: Its name; None to make one from *branch*.
        lifetime: From now on; None: until it is destroyed.
        release: Id of a release on record or beginning of a digest; None for what *like* serves.
    """

    like: str
    name: str | None = None
    branch: str | None = None
    lifetime: timedelta | None = None
    release: str | None = None


def register(workspace: Workspace, wanted: Wanted, *, now: datetime) -> str:
    """
    Put an environment on the list, so that every command knows it from now on; returns its name.

    A branch that has one gets that again; so does a name whose creation was cut.

    Raises:
        ConfigError: Its name, or what it is to be like, can't be; or it is there already.
        ArtifactError: The release is not whole in the artifact store.
    """
    if wanted.lifetime is not None and not timedelta(0) < wanted.lifetime <= LONGEST:
        raise ConfigError("--ttl must be above 0 and at most 3650d")
    like = _declared(workspace.project, wanted.like)
    digest = _digest_of(workspace, wanted)
    with exclusive(workspace.project.state, "create", emit=workspace.emit):
        created = read_created(workspace.project.state)
        name = _name_of(workspace.project, created, wanted)
        if digest is not None:
            keys = (*like.config, *like.secrets)
            check_config(workspace.project, workspace.store.open(digest), name, keys)
        before = created.environments.get(name)
        expires = now + wanted.lifetime if wanted.lifetime else None
        if before is None:
            _check_quota(workspace.project)
            _check_no_rest(workspace.project, name)
            last = last_row(workspace, name)
            creation = Creation(like=like.name, at=now, expires=expires, branch=wanted.branch, digest=digest)
        else:
            _check_again(name, before, wanted)
            last = 0
            kept = digest if wanted.release else before.digest
            creation = replace(before, expires=expires or before.expires, digest=kept)
        write_created(workspace.project.state, created.adding(name, creation, last=last))
    return name


def _declared(project: Project, name: str) -> Environment:
    names = [environment.name for environment in project.promotion_order]
    if name in names:
        return project.promotion_order[names.index(name)]
    if name in (environment.name for environment in project.environments):
        raise ConfigError(
            f"--like {name}: it was created itself", hint=f"name a declared environment: {', '.join(names)}"
        )
    near = get_close_matches(name, names, n=1)
    raise ConfigError(
        f"--like {name}: {project.file.name} has no environment {name}",
        hint=f"did you mean {near[0]}?" if near else f"its environments: {', '.join(names)}",
    )


def _digest_of(workspace: Workspace, wanted: Wanted) -> str | None:
    """The artifact that *wanted* asks for; None for that of the current source."""
    history = workspace.history
    if wanted.release is None:
        current = history.current(wanted.like)
        return current.release.digest if current else None
    digest = next((one.release.digest for one in history.deployments() if one.release.id == wanted.release), None)
    return digest or workspace.store.find(wanted.release)


def _name_of(project: Project, created: Created, wanted: Wanted) -> str:
    if wanted.branch is not None:
        for name, creation in created.environments.items():
            if creation.branch == wanted.branch:
                return name
        return name_of_branch(
            wanted.branch, taken={one.name for one in project.environments} | set(created.environments)
        )
    name = wanted.name or ""
    if problem := name_problem(name):
        raise ConfigError(problem, hint="--from-branch BRANCH makes a valid name of any branch")
    if name in read_spaces(project.state):
        raise ConfigError(f"a space is called {name}", hint="choose another name")
    if name in (environment.name for environment in project.promotion_order):
        raise ConfigError(f"environment {name} is declared in {project.file.name}", hint="choose another name")
    return name


def _check_again(name: str, before: Creation, wanted: Wanted) -> None:
    """Refuse a second one of that name; for the same branch, or after a cut, it is the same one."""
    if before.is_ending:
        raise ConfigError(f"environment {name} is being removed", hint="`multistack prune` finishes that")
    if before.like != wanted.like:
        raise ConfigError(f"environment {name} is there already, like {before.like}", hint=f"multistack destroy {name}")
    if wanted.branch is None and before.is_complete:
        raise ConfigError(
            f"environment {name} is there already",
            hint=f"`multistack up {name}` starts it, `multistack destroy {name}` removes it",
        )


def _check_quota(project: Project) -> None:
    """Refuse more environments than the space may have that *project* is."""
    most = project.space.quota.environments if project.space else None
    if project.space and most is not None and len(project.environments) >= most:
        raise ConfigError(
            f"space {project.space.name} has {len(project.environments)} environments, and may have {most}",
            hint=f"`multistack --space {project.space.name} destroy ENVIRONMENT` makes room",
        )


def _check_no_rest(project: Project, name: str) -> None:
    """Refuse a name under which data of a former environment lies: the new one would start with it."""
    folder = project.environment_state(name)
    if folder.exists():
        raise ConfigError(
            f"{folder} holds the data of an environment {name} that {project.file.name} no longer has",
            hint="choose another name; or `multistack down`, then remove that folder",
        )


def bring_up(workspace: Workspace, name: str, *, is_asked: bool, timeout: float) -> None:
    """
    Start the environment, deploy its release and let the proxy serve it.

    Args:
        is_asked: The artifact of its creation is deployed also where another one is by now.
        timeout: See :meth:`emulator.lifecycle.Lifecycle.up`.

    Raises:
        MultistackError: What is wrong; the environment stays on the list.
    """
    (environment,) = workspace.environments([name])
    with workspace.changing("create"):
        result = workspace.lifecycle.up([environment], timeout=timeout)[name]
        if isinstance(result, MultistackError):
            raise result
        digest, current = environment.created and environment.created.digest, workspace.history.current(name)
        if is_asked and digest and current and current.release.digest != digest:
            artifact = workspace.store.open(digest)
            release = workspace.releases.make(artifact, environment)
            workspace.deployer.deploy(environment, workspace.endpoint(name), artifact, release)
        proxy = workspace.start_proxy()
        if isinstance(proxy, NotReady):
            raise proxy
        write_created(workspace.project.state, read_created(workspace.project.state).complete(name))
