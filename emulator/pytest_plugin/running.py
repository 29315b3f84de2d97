"""One run of pytest with environments: what happens around each test that uses them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

from emulator.pytest_plugin import options

if TYPE_CHECKING:
    from emulator.testing.environment import RunningEnvironment, Shared
    from emulator.testing.guard import Guard
    from emulator.testing.running import Environments


class TestRun:
    """
    The environments of this process. What they need is imported when the first test asks for one.

    Attributes:
        kept: After the end, the environments that go on running, with their URLs.
    """

    __test__ = False

    def __init__(self, chosen: options.Chosen) -> None:
        self.chosen = chosen
        self._open = contextlib.ExitStack()
        self._shared: Shared | None = None
        self._item: pytest.Item | None = None
        self._around = contextlib.ExitStack()
        self._guard: Guard | None = None
        self.kept: list[str] = []

    @property
    def shared(self) -> Shared:
        """What all tests of this process use; opened by the first."""
        if self._shared is None:
            from emulator.testing import running
            from emulator.testing.connection import Settings

            chosen = self.chosen
            settings = Settings(
                file=chosen.file,
                driver=chosen.driver,
                is_reused=chosen.is_reused,
                is_kept=chosen.is_kept,
                cwd=chosen.cwd,
                environ=chosen.environ,
            )
            running.set_default(settings)  # of the context manager and the mixin as well
            self._shared = self._open.enter_context(running.shared(settings))
        return self._shared

    def begin(self, item: pytest.Item) -> None:
        """Get everything ready that *item* asks for, before its fixtures."""
        from emulator.testing.guard import Guard

        names = self._names(item)
        if self._item is None and not self._shared_is_used():
            self.shared.prepare(self._names_of_all(item.session))
        self._item = item
        for name in self.shared.begin(names, options.key_of(item, self.chosen)):
            print(f"multistack: the emulator of {name} had ended; it was started again", file=sys.stderr)  # noqa: T201
        self._guard = Guard(self.shared.endpoints, self.chosen.allowed)
        self._around.enter_context(self._guard.watching())

    def _shared_is_used(self) -> bool:
        return self._shared is not None and bool(self._shared.environments)

    def _names_of_all(self, session: pytest.Session) -> list[str]:
        """What any test of the run will ask for, so that all start at once; a wrong name is its own test's fault."""
        known = self.shared.connection.ask("names")
        wanted: set[str] = set()
        for item in session.items:
            if uses_environments(item) and set(item.fixturenames) & {"environment", "environments"}:  # type: ignore[attr-defined]
                with contextlib.suppress(pytest.fail.Exception):
                    wanted.update(self._names(item))
        return [name for name in known if name in wanted]

    def _names(self, item: pytest.Item) -> Sequence[str]:
        """The environments that are ready when *item* begins."""
        fixtures = set(item.fixturenames)  # type: ignore[attr-defined]
        marked = options.marked(item)
        if "environment" in fixtures:
            callspec = getattr(item, "callspec", None)
            one = callspec.params.get("environment") if callspec else None
            mine = [one or self._first()]
            return list(dict.fromkeys([*mine, *marked])) if "environments" in fixtures else mine
        if "environments" in fixtures:
            return marked or self.chosen.names or self.shared.connection.ask("names")
        return ()

    def _first(self) -> str:
        return str(self.shared.connection.ask("names")[0])

    def environments(self) -> Environments:
        """By name."""
        from emulator.testing.running import Environments

        return Environments(self.shared)

    def one(self, item: pytest.Item) -> RunningEnvironment:
        """The one that *item* runs in."""
        return self.environments()[self._names(item)[0]]

    @contextlib.contextmanager
    def fresh(self, marked: Sequence[str]) -> Iterator[RunningEnvironment]:
        """A new one, like the first that is *marked*."""
        like = next(iter((*marked, *self.chosen.names)), None)
        with self.shared.fresh(like) as environment:
            yield environment

    def check_calls(self, item: pytest.Item) -> None:
        """Fail *item* for AWS calls to anywhere else, also for those that its code caught."""
        if self._item is item and self._guard is not None and self._guard.refused:
            told, self._guard.refused = list(dict.fromkeys(self._guard.refused)), []
            pytest.fail("\n".join(told), pytrace=False)

    def report(self, item: pytest.Item) -> list[tuple[str, str]]:
        """What happened in the environments that *item* used: their requests, the logs of their functions."""
        shared = self._shared
        if self._item is not item or shared is None or shared.began is None or not shared.asked:
            return []
        told = shared.connection.ask("report", names=list(shared.asked), since=shared.began, token=shared.token)
        return [(title, text) for title, text in told]

    def end(self, item: pytest.Item, next_item: pytest.Item | None) -> None:
        """*item* is over."""
        if self._item is item:
            self._item = None
            self._around.close()
            key = options.key_of(next_item, self.chosen) if next_item and uses_environments(next_item) else None
            self.shared.end(key)

    def close(self) -> None:
        """The last test of this process is over."""
        if self._shared is not None and self.chosen.is_kept and not self.chosen.is_reused:
            self.kept = [f"{one.name} {one.url}" for one in self._shared.environments.values()]
        self._open.close()
        self._shared = None


RUN = pytest.StashKey[TestRun]()


def uses_environments(item: pytest.Item) -> bool:
    """Whether a fixture of ours is among those of *item*."""
    return "_multistack" in getattr(item, "fixturenames", ())
