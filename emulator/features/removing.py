"""Removes created environments, asked for or expired, and leaves nothing of them but their rows in the ledger."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches

from emulator.created import Created, is_expired, read_created, write_created
from emulator.errors import ConfigError, MultistackError, NotReady
from emulator.events import Event
from emulator.model import Creation, DriverName, Environment, Project
from emulator.parallel import run_parallel
from emulator.spans import show_span
from emulator.variables_file import path_of
from emulator.workspace import Workspace


def due(created: Created, project: Project, now: datetime) -> Mapping[str, str]:
    """Which created environments of *project* are to be removed, and why."""
    declared = {environment.name for environment in project.promotion_order}
    causes = {}
    for name, creation in created.environments.items():
        if name in declared:
            continue  # somebody wrote it into the project file meanwhile
        if creation.is_ending:
            causes[name] = "its removal had been interrupted"
        elif creation.expires is not None and is_expired(creation, now):
            causes[name] = f"it expired {show_span(now - creation.expires)} ago"
    return causes


def sweep(workspace: Workspace, *, command: str, now: datetime) -> Mapping[str, bool | MultistackError]:
    """Remove what is expired or was left half removed; nothing is locked or asked where there is nothing."""
    causes = due(read_created(workspace.project.state), workspace.project, now)
    return remove(workspace, causes, command=command) if causes else {}


def last_row(workspace: Workspace, name: str) -> int:
    """Of the ledger: the last deployment into any environment of that name so far."""
    return max((one.id for one in workspace.history.deployments(name)), default=0)


def check_destroyable(project: Project, created: Created, names: Sequence[str]) -> None:
    """
    Refuse names of environments that were not created.

    Raises:
        ConfigError: One of them is declared, or unknown.
    """
    declared = [environment.name for environment in project.promotion_order]
    for name in names:
        if name in declared:
            raise ConfigError(
                f"environment {name} is declared in {project.file.name}: only created ones can be destroyed",
                hint=f"`multistack reset {name}` forgets its data",
            )
        if name not in created.environments:
            near = get_close_matches(name, created.environments, n=1)
            raise ConfigError(
                f"no environment {name} was created",
                hint=f"did you mean {near[0]}?" if near else "`multistack list` shows those that are",
            )


def remove(workspace: Workspace, causes: Mapping[str, str], *, command: str) -> Mapping[str, bool | MultistackError]:
    """
    Leave nothing of created environments but their rows in the ledger.

    Cut at any moment, the next ``up``, ``create`` or ``prune`` goes on with it.

    Args:
        causes: Name to why, which is told; empty for what was asked for.

    Returns:
        Per environment whether it was still there, or why it can't be removed.
    """
    project = workspace.project
    with workspace.changing(command):
        created = _forget_declared(project, read_created(project.state))
        there = [name for name in causes if name in created.environments]
        for name in there:
            created = created.ending(name)
        write_created(project.state, created)
        workspace.publish()  # first, so that nobody is sent to one that goes
        results = run_parallel(
            there, lambda name: _erase(workspace, name, created.environments[name]), workspace.cancellation
        )
        for name, result in results.items():
            if not isinstance(result, MultistackError):
                created = created.without(name, last=last_row(workspace, name))
                write_created(project.state, created)
                if path_of(project.root, name).exists():
                    workspace.emit(Event(name, "note:", f"{path_of(project.root, name).name} stays where it is"))
                workspace.emit(Event(name, "removed", causes[name] and f"because {causes[name]}"))
    return {name: results.get(name, False) for name in causes}


def _forget_declared(project: Project, created: Created) -> Created:
    """What the project file declares by now is no longer on the list, so that it can't expire some day."""
    for environment in project.promotion_order:
        created = created.without(environment.name)
    return created


def _erase(workspace: Workspace, name: str, creation: Creation) -> bool:
    environment = environment_of(workspace.project, name, creation)
    driver = workspace.drivers.of(environment)
    workspace.history.check_turn()
    workspace.drivers.stop(environment)
    try:
        driver.erase(environment)
    except NotReady as error:
        if environment.driver is not DriverName.EXTERNAL:
            raise
        # An emulator that is gone for good would keep it on the list for ever.
        workspace.emit(Event(name, "note:", f"its stack stays at {environment.url}: {error.message}"))
    folder = workspace.project.environment_state(name)
    if folder.exists():
        shutil.rmtree(folder)
    return True


def environment_of(project: Project, name: str, creation: Creation) -> Environment:
    """As the project has it; without what it is like, enough of it to stop and erase it."""
    for environment in project.environments:
        if environment.name == name:
            return environment
    return Environment(name=name, driver=DriverName.EMBEDDED, account_id="", region="", created=creation)
