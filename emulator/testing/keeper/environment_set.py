"""The environments of one project for tests: started, put back between tests, stopped by whoever used them last."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from emulator.errors import MultistackError
from emulator.features.creating import Wanted, bring_up, register
from emulator.features.removing import remove
from emulator.model import DriverName, Environment, Status
from emulator.parallel import raise_first
from emulator.testing.keeper import calling, starting, telling
from emulator.testing.keeper.opening import SHARED, Options, check_isolated, open_for_tests
from emulator.testing.keeper.states import BASE, SAVED, States
from emulator.testing.keeper.turns import Turns
from emulator.testing.keeper.users import Users
from emulator.workspace import Workspace

__all__ = ["EnvironmentSet", "Options"]

# After which another command removes one that nobody destroyed.
_LIFETIME = timedelta(hours=1)


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
        self._broken: dict[str, MultistackError] = {}

    @property
    def _workspace(self) -> Workspace:
        """Opened by the first request, so that what is wrong with the project is its answer."""
        if self._opened is None:
            self._opened = self._open()
            folder = self._opened.project.state / SHARED
            self._folder, self._users, self._states = folder, Users(folder), States(folder)
            with self._users.deciding():
                self._turns = Turns(folder)
        return self._opened

    def _open(self, *expected: str) -> Workspace:
        return open_for_tests(self._options, environ=self._environ, cwd=self._cwd, expected=expected)

    def names(self) -> list[str]:
        """The environments that the project file declares, in its order."""
        return [environment.name for environment in self._workspace.project.promotion_order]

    def prepare(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Start *names* at once for tests that will ask for them; one that can't be started is their error then."""
        self._use(names)
        return self._told(self._chosen([name for name in names if name not in self._broken]))

    def up(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Each of *names*, or all that the project declares, ready; the first who asks for one gets it fresh."""
        return self._told(self._ready(names or self.names()))

    def _ready(self, names: Sequence[str]) -> list[Environment]:
        """*names*, each of them used from now on."""
        self._use(names)
        self._check(names)
        return self._chosen(names)

    def _use(self, names: Sequence[str]) -> None:
        """What failed once is not tried again: every test that asks for it would wait for that."""
        new = [one for one in self._chosen(names) if not (one.name in self._broken or one.name in self._users.mine)]
        if not new:
            return
        with self._users.deciding():
            if not self._users.is_any_used():
                (self._folder / "left").unlink(missing_ok=True)
            failed = self._join(new)
            self._broken |= failed
            last = [name for name in failed if self._users.leave(name)]
            if last and not self._options.is_kept:
                with contextlib.suppress(MultistackError):  # that it could not be started is the one to tell
                    self._stop(last)

    def _join(self, environments: Sequence[Environment]) -> starting.Failed:
        """Start those that nobody else uses as they are to begin; returns what can't be used."""
        first = [one for one in environments if self._users.join(one.name)]
        failed: dict[str, MultistackError] = {}
        try:
            self._states.forget(SAVED, [one.name for one in first])
            if not self._options.is_reused:
                failed |= starting.begin_anew(self._workspace, first, self._states)
                self._opened = self._open()
            whole = [one for one in environments if one.name not in failed]
            starting.note_stopped(self._workspace, whole, self._folder)
            failed |= starting.start(self._workspace, [one.name for one in whole])
            embedded = [one for one in first if one.driver is DriverName.EMBEDDED and one.name not in failed]
            failed |= self._states.keep(self._workspace, embedded, BASE)
        except MultistackError as error:  # of the project, or of what all of them need
            return {**{one.name: error for one in environments}, **failed}
        return failed

    def _check(self, names: Sequence[str]) -> None:
        raise_first({name: self._broken.get(name) for name in names})

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
            # What doesn't run is the error of the test that asks for it.
            there = frozenset(one.name for one in self._chosen(sorted(back)) if one.name in names or self._runs(one))
            self._put_back(there)
            self._turns.put_back(there)
        return {"revived": revived, "environments": self._told(chosen), "at": telling.now()}

    def end(self, next_key: str | None) -> None:
        """A test ended; the next one has *next_key*."""
        self._turns.end(next_key)

    def _chosen(self, names: Sequence[str]) -> list[Environment]:
        return self._workspace.environments(names) if names else []

    def _revive(self, chosen: Sequence[Environment]) -> list[str]:
        gone = [one.name for one in chosen if not self._runs(one)]
        if gone or (chosen and self._workspace.front.running_process() is None):
            with self._users.deciding():
                self._broken |= starting.start(self._workspace, gone)
            self._check(gone)
        return gone

    def _runs(self, environment: Environment) -> bool:
        return self._workspace.drivers.observe(environment).status is Status.READY

    def _put_back(self, names: frozenset[str], *, is_lasting: bool = False) -> None:
        """By default the next test's state matters, not that of an emulator that somebody kills meanwhile."""
        self._states.put_back(self._workspace, self._chosen(sorted(names)), is_lasting=is_lasting)

    def save(self, names: Sequence[str]) -> None:
        """From now on tests that have *names* to themselves begin with what is there now."""
        check_isolated(self._workspace, names)
        with self._turns.alone():
            raise_first(self._states.keep(self._workspace, self._chosen(names), SAVED))

    def restore(self, names: Sequence[str]) -> None:
        """Put *names* back to what they began with."""
        check_isolated(self._workspace, names)
        with self._turns.alone():
            self._put_back(frozenset(names))

    def _told(self, environments: Sequence[Environment]) -> list[dict[str, Any]]:
        return [telling.environment(self._workspace, one) for one in environments]

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
            starting.note_stopped(self._workspace, [], self._folder)
            try:
                register(self._workspace, Wanted(like=like, name=name, lifetime=_LIFETIME), now=self._workspace.now())
            except BaseException:  # there is none of that name, so nobody has to stop it
                self._users.leave(name)
                self._users.forget(name)
                raise
            self._created.append(name)
            self._opened = self._open()
            bring_up(self._opened, name, is_asked=False, timeout=starting.TIMEOUT)
        return self._told(self._chosen([name]))[0]

    def destroy(self, name: str) -> None:
        """Remove an environment that :meth:`create` made."""
        with self._users.deciding():
            self._users.leave(name)
            self._users.forget(name)
            self._created.remove(name)
            raise_first(remove(self._workspace, {name: ""}, command=starting.COMMAND))
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
            self._states.forget(SAVED, last)
            if not self._options.is_kept:
                steps.callback(self._stop, last)
            if self._options.is_reused and (left := self._turns.left() & frozenset(last)):
                self._put_back(left, is_lasting=True)  # the project's own data is there again
                (self._folder / "left").unlink()

    def _stop(self, names: Sequence[str]) -> None:
        starting.stop(
            self._workspace,
            names,
            self._folder,
            is_reused=self._options.is_reused,
            is_any_used=self._users.is_any_used(),
        )
