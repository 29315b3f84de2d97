"""The environments of one project for tests: started, put back between tests, stopped by whoever used them last."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from emulator.child_environ import environ_for
from emulator.config import aws_environ
from emulator.created import read_created, write_created
from emulator.errors import MultistackError, NotReady
from emulator.features.creating import Wanted, bring_up, register
from emulator.features.removing import last_row, remove
from emulator.lock import exclusive
from emulator.model import DriverName, Environment, Status
from emulator.parallel import run_parallel
from emulator.testing.keeper import calling, telling
from emulator.testing.keeper.opening import SHARED, Options, check_isolated, open_for_tests
from emulator.testing.keeper.turns import Turns
from emulator.testing.keeper.users import Users
from emulator.workspace import Workspace

__all__ = ["EnvironmentSet", "Options"]

_TIMEOUT = 60.0
# After which another command removes one that nobody destroyed.
_LIFETIME = timedelta(hours=1)
_COMMAND = "tests"
_PROXY = "proxy"
# States: the one that the first user found, and one that a test saved.
_BASE, _SAVED = "base", "saved"


class EnvironmentSet:
    """
    Answers the requests of one process with tests. Each public method is one; arguments and results are plain JSON.

    Args:
        environ: The variables that the tests were started with.
        cwd: Where they were started.
    """

    def __init__(self, options: Options, *, environ: Mapping[str, str], cwd: Path) -> None:
        self._options, self._environ, self._cwd = options, environ, cwd
        self._opened: Workspace | None = None
        self._created: list[str] = []
        self._broken: MultistackError | None = None

    @property
    def _workspace(self) -> Workspace:
        """Opened by the first request, so that what is wrong with the project is its answer."""
        if self._opened is None:
            self._opened = self._open()
            folder = self._opened.project.state / SHARED
            self._folder, self._users = folder, Users(folder)
            with self._users.deciding():
                self._turns = Turns(folder)
        return self._opened

    def _open(self, *expected: str) -> Workspace:
        return open_for_tests(self._options, environ=self._environ, cwd=self._cwd, expected=expected)

    def names(self) -> list[str]:
        """The environments that the project file declares, in its order."""
        return [environment.name for environment in self._workspace.project.promotion_order]

    def up(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Each of *names*, or all that the project declares, ready; the first who asks for one gets it fresh."""
        return self._told(self._ready(names or self.names()))

    def _ready(self, names: Sequence[str]) -> list[Environment]:
        """*names*, each of them used from now on. What failed once is not tried again: every test would wait for it."""
        if self._broken is not None:
            raise self._broken
        chosen = self._chosen(names)
        new = [environment for environment in chosen if environment.name not in self._users.mine]
        if new:
            try:
                self._join(new)
            except MultistackError as error:
                self._broken = error
                raise
        return self._chosen(names)  # as the project is loaded by now

    def _join(self, environments: Sequence[Environment]) -> None:
        with self._users.deciding():
            if not self._users.is_any_used():
                (self._folder / "left").unlink(missing_ok=True)
            first = [one for one in environments if self._users.join(one.name)]
            self._forget_saved([one.name for one in first])
            if not self._options.is_reused:
                self._begin_anew(first)
            self._note_stopped(environments)
            self._start(environments)
            self._keep([one for one in first if one.driver is DriverName.EMBEDDED], _BASE)

    def _forget_saved(self, names: Sequence[str]) -> None:
        for name in names:
            shutil.rmtree(self._state(_SAVED, name), ignore_errors=True)

    def _begin_anew(self, environments: Sequence[Environment]) -> None:
        """As if nothing had ever been deployed; kept ones that serve the current source only get their state back."""
        workspace = self._workspace
        by_name = {environment.name: environment for environment in environments}
        artifact = workspace.build()

        def begin(name: str) -> bool:
            environment, current = by_name[name], workspace.history.current(name)
            if current and current.release.id == workspace.releases.make(artifact, environment).id:
                with contextlib.suppress(MultistackError):  # then it is deployed anew
                    base = self._state(_BASE, name)
                    if base.exists() and workspace.drivers.load_running(environment, base):
                        return False
            workspace.drivers.stop(environment)
            workspace.drivers.of(environment).erase(environment)
            shutil.rmtree(self._state(_BASE, name), ignore_errors=True)
            return True

        with exclusive(workspace.project.state, _COMMAND, emit=workspace.emit):
            results = run_parallel(list(by_name), begin, workspace.cancellation)
            created = read_created(workspace.project.state)
            for name in (name for name, is_erased in results.items() if is_erased is True):
                created = created.without(name, last=last_row(workspace, name))
            write_created(workspace.project.state, created)
        _raise_first(results)
        self._opened = self._open()

    def _start(self, environments: Sequence[Environment]) -> None:
        workspace = self._workspace
        with workspace.changing(_COMMAND):
            # Those of the project as it is loaded now.
            chosen = workspace.environments([environment.name for environment in environments])
            results = workspace.lifecycle.up(chosen, timeout=_TIMEOUT)
            _raise_first(results)
            proxy = workspace.start_proxy()
            if isinstance(proxy, NotReady):
                raise proxy

    def _note_stopped(self, environments: Sequence[Environment]) -> None:
        """Whoever reuses environments stops only what did not run before."""
        observed = self._workspace.lifecycle.observe(environments)
        started = [name for name, one in observed.items() if one.status is Status.STOPPED]
        for name in (*started, *([] if self._workspace.front.running_process() else [_PROXY])):
            (self._folder / f"started-{name}").touch()

    def _state(self, kind: str, name: str) -> Path:
        return self._folder / kind / name

    def _beginning(self, name: str) -> Path:
        """What a test that has an environment to itself begins with."""
        saved = self._state(_SAVED, name)
        return saved if saved.exists() else self._state(_BASE, name)

    def _keep(self, environments: Sequence[Environment], kind: str) -> None:
        by_name = {environment.name: environment for environment in environments}

        def keep(name: str) -> None:
            folder = self._state(kind, name)
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            self._workspace.drivers.of(by_name[name]).save(by_name[name], new)
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)

        _raise_first(run_parallel(list(by_name), keep, self._workspace.cancellation))

    def begin(self, names: Sequence[str], key: str | None) -> dict[str, Any]:
        """
        Get *names* ready for a test: those whose emulator ended are started again, a turn of its own is waited for.

        Args:
            key: See :class:`Turns`; of whoever has the state to itself.
        """
        if key is not None:
            check_isolated(self._workspace, names)
        chosen = self._ready(names)
        revived = self._revive(chosen)
        if back := self._turns.begin(key, names, revived=revived):
            self._put_back(back)
            self._turns.put_back(back)
        return {"revived": revived, "environments": self._told(chosen), "at": telling.now()}

    def end(self, next_key: str | None) -> None:
        """A test ended; the next one has *next_key*."""
        self._turns.end(next_key)

    def _chosen(self, names: Sequence[str]) -> list[Environment]:
        return self._workspace.environments(names) if names else []

    def _revive(self, chosen: Sequence[Environment]) -> list[str]:
        gone = [one for one in chosen if self._workspace.drivers.observe(one).status is not Status.READY]
        if gone or (chosen and self._workspace.front.running_process() is None):
            with self._users.deciding():
                self._start(gone)
        return [one.name for one in gone]

    def _put_back(self, names: frozenset[str], *, is_lasting: bool = False) -> None:
        """By default the next test's state matters, not that of an emulator that somebody kills meanwhile."""
        by_name = {environment.name: environment for environment in self._chosen(sorted(names))}

        def put_back(name: str) -> None:
            drivers, beginning = self._workspace.drivers, self._beginning(name)
            if not drivers.load_running(by_name[name], beginning, is_lasting=is_lasting):
                raise NotReady(f"environment {name}: its emulator ended while its state was put back")

        _raise_first(run_parallel(list(by_name), put_back, self._workspace.cancellation))

    def save(self, names: Sequence[str]) -> None:
        """From now on tests that have *names* to themselves begin with what is there now."""
        check_isolated(self._workspace, names)
        with self._turns.alone():
            self._keep(self._chosen(names), _SAVED)

    def restore(self, names: Sequence[str]) -> None:
        """Put *names* back to what they began with."""
        check_isolated(self._workspace, names)
        with self._turns.alone():
            self._put_back(frozenset(names))

    def _told(self, environments: Sequence[Environment]) -> list[dict[str, Any]]:
        front = self._workspace.front
        told = []
        for environment in environments:
            endpoint = self._workspace.endpoint(environment.name)
            url = front.environment_url(environment.name)
            all_variables = environ_for(endpoint, url=url, caller={})
            told.append(
                {
                    "name": environment.name,
                    "url": url,
                    "endpoint_url": endpoint.url,
                    "account_id": endpoint.account_id,
                    "region": endpoint.region,
                    "driver": environment.driver.value,
                    "variables": {**aws_environ(endpoint), **all_variables},
                }
            )
        return told

    def service(self, name: str) -> dict[str, Any]:
        """What is deployed into an environment."""
        return telling.service(self._workspace, name)

    def logs(self, name: str, since: str | None) -> list[dict[str, Any]]:
        """What functions of an environment printed since then, oldest first."""
        return telling.logs(self._workspace, name, since=datetime.fromisoformat(since) if since else None)

    def report(self, names: Sequence[str], since: str, token: str) -> list[list[str]]:
        """Titles and texts about what happened in *names* since a test began that sent *token* with its requests."""
        return telling.report(self._workspace, names, since=datetime.fromisoformat(since), token=token)

    def invoke(self, name: str, function: str, event: Any) -> dict[str, Any]:
        """Call a function, and wait for it."""
        return calling.invoke(self._workspace, name, function, event)

    def send(self, name: str, target: str, body: str, options: dict[str, Any]) -> str:
        """Send a message to a queue, a topic or a bus."""
        return calling.send(self._workspace, name, target, body, options)

    def create(self, like: str | None) -> dict[str, Any]:
        """A new environment like a declared one, by default the first, that nobody else knows."""
        like = like or self.names()[0]
        name = f"fresh-{uuid.uuid4().hex[:8]}"
        with self._users.deciding():
            self._users.join(name)
            self._note_stopped([])
            register(self._workspace, Wanted(like=like, name=name, lifetime=_LIFETIME), now=self._workspace.now())
            self._created.append(name)
            self._opened = self._open()
            bring_up(self._opened, name, is_asked=False, timeout=_TIMEOUT)
        return self._told(self._chosen([name]))[0]

    def destroy(self, name: str) -> None:
        """Remove an environment that :meth:`create` made."""
        with self._users.deciding():
            self._users.leave(name)
            self._users.forget(name)
            self._created.remove(name)
            _raise_first(remove(self._workspace, {name: ""}, command=_COMMAND))
            self._opened = self._open()

    def close(self) -> None:
        """Stop using them; whoever uses one last stops it, unless it is kept or ran before."""
        if self._opened is None:
            return
        with contextlib.ExitStack() as steps:  # from the last to the first, whichever of them fails
            steps.callback(self._turns.close)
            steps.callback(self._leave)
            for name in self._created:
                steps.callback(self.destroy, name)

    def _leave(self) -> None:
        with self._users.deciding(), contextlib.ExitStack() as steps:
            self._turns.end(None)
            last = [name for name in sorted(self._users.mine) if self._users.leave(name)]
            self._forget_saved(last)
            if not self._options.is_kept:
                steps.callback(self._stop, last)
            if self._options.is_reused and (left := self._turns.left() & frozenset(last)):
                self._put_back(left, is_lasting=True)  # the project's own data is there again
                (self._folder / "left").unlink()

    def _stop(self, names: Sequence[str]) -> None:
        workspace = self._workspace
        marks = {name: self._folder / f"started-{name}" for name in (*names, _PROXY)}
        ours = [name for name in names if not self._options.is_reused or marks[name].exists()]
        with exclusive(workspace.project.state, _COMMAND, emit=workspace.emit):
            if not self._users.is_any_used() and marks[_PROXY].exists():
                workspace.front.stop()
                marks[_PROXY].unlink()
            results = workspace.lifecycle.down(self._chosen(ours))
            workspace.publish()
        for name in ours:
            marks[name].unlink(missing_ok=True)
        _raise_first(results)


def _raise_first(results: Mapping[str, Any]) -> None:
    """The first error of several environments."""
    for result in results.values():
        if isinstance(result, MultistackError):
            raise result
