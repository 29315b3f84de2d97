"""Starts environments for tests, and stops those of them that nobody uses any more."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulator.created import read_created, write_created
from emulator.errors import MultistackError, NotReady
from emulator.features.removing import last_row
from emulator.lock import exclusive
from emulator.model import Environment, Status
from emulator.parallel import failed_of, raise_first, run_parallel
from emulator.testing.keeper.states import BASE, States
from emulator.workspace import Workspace

# Seconds that an emulator may take to become healthy.
TIMEOUT = 60.0
# What whoever waits for the project's lock is told.
COMMAND = "tests"
_PROXY = "proxy"


# Environments by name that something can't be done to, and why.
Failed = Mapping[str, MultistackError]


def begin_anew(workspace: Workspace, environments: Sequence[Environment], states: States) -> Failed:
    """
    As if nothing had ever been deployed; kept ones that serve the current source only get their state back.

    The workspace must be opened again afterwards.
    """
    by_name = {environment.name: environment for environment in environments}
    artifact = workspace.build()

    def begin(name: str) -> bool:
        environment, current = by_name[name], workspace.history.current(name)
        if current and current.release.id == workspace.releases.make(artifact, environment).id:
            with contextlib.suppress(MultistackError):  # then it is deployed anew
                base = states.path(BASE, name)
                if base.exists() and workspace.drivers.load_running(environment, base):
                    return False
        workspace.drivers.stop(environment)
        workspace.drivers.of(environment).erase(environment)
        states.forget(BASE, [name])
        return True

    with exclusive(workspace.project.state, COMMAND, emit=workspace.emit):
        results = run_parallel(list(by_name), begin, workspace.cancellation)
        created = read_created(workspace.project.state)
        for name in (name for name, is_erased in results.items() if is_erased is True):
            created = created.without(name, last=last_row(workspace, name))
        write_created(workspace.project.state, created)
    return failed_of(results)


def start(workspace: Workspace, names: Sequence[str]) -> Failed:
    """
    Each of *names* ready, and the proxy.

    Raises:
        MultistackError: The proxy doesn't start, or the project can't be changed.
    """
    with workspace.changing(COMMAND):
        results = workspace.lifecycle.up(workspace.environments(names) if names else [], timeout=TIMEOUT)
        proxy = workspace.start_proxy()
        if isinstance(proxy, NotReady):
            raise proxy
    return failed_of(results)


def note_stopped(workspace: Workspace, environments: Sequence[Environment], folder: Path) -> None:
    """Whoever reuses environments stops only what did not run before: a file each in *folder* says so."""
    observed = workspace.lifecycle.observe(environments)
    started = [name for name, one in observed.items() if one.status is Status.STOPPED]
    for name in (*started, *([] if workspace.front.running_process() else [_PROXY])):
        _mark(folder, name).touch()


def stop(workspace: Workspace, names: Sequence[str], folder: Path, *, is_reused: bool, is_any_used: bool) -> None:
    """
    Stop *names*, and the proxy with the last ones.

    Args:
        folder: As for :func:`note_stopped`.
        is_reused: Only what was noted there.
        is_any_used: Whether some process with tests uses other environments.
    """
    ours = [name for name in names if not is_reused or _mark(folder, name).exists()]
    with exclusive(workspace.project.state, COMMAND, emit=workspace.emit):
        if not is_any_used and _mark(folder, _PROXY).exists():
            workspace.front.stop()
            _mark(folder, _PROXY).unlink()
        results = workspace.lifecycle.down(workspace.environments(ours) if ours else [])
        workspace.publish()
    for name in ours:
        _mark(folder, name).unlink(missing_ok=True)
    raise_first(results)


def _mark(folder: Path, name: str) -> Path:
    return folder / f"started-{name}"
