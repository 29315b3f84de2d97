"""The environments of a project while they run, and the ways to have them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from emulator.testing.connection import Connection, Settings
from emulator.testing.environment import RunningEnvironment, Shared
from emulator.testing.guard import ForeignAwsCall, Guard


class Environments(Mapping[str, RunningEnvironment]):
    """
    The environments of a project by name, in its order. One that was not asked for before is started when it is.

    Args:
        names: Those that iterating gives; without any those that the running test names, else all of the project.
    """

    def __init__(self, shared: Shared, names: Sequence[str] = ()) -> None:
        self._shared, self._names = shared, tuple(names)

    @contextlib.contextmanager
    def test(self, key: str | None = None) -> Iterator[None]:
        """
        For as long as one test runs: with a *key*, alone and with the state put back; AWS calls elsewhere fail it.

        Raises:
            ForeignAwsCall: At the end, for a call that nobody let fail the test.
        """
        guard = Guard(self._shared.endpoints)
        try:
            self._shared.begin(list(self), key)
            with guard.watching():
                yield
        finally:
            self._shared.end(None)
        if guard.refused:
            raise ForeignAwsCall(guard.refused[0])

    def __getitem__(self, name: str) -> RunningEnvironment:
        """
        Raises:
            KeyError: The project has no such environment.
        """
        if name not in self._shared.environments:
            if name not in self._shared.connection.ask("names"):
                raise KeyError(name)
            self._shared.up([name])
        self._shared.asked[name] = None
        return self._shared.environments[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names or self._shared.named or self._shared.connection.ask("names"))

    def __len__(self) -> int:
        return len(list(iter(self)))

    @contextlib.contextmanager
    def fresh(self, like: str | None = None) -> Iterator[RunningEnvironment]:
        """
        A new environment for as long as the block runs: own account, own data, thrown away at the end.

        Args:
            like: Whose config it has; by default the first one's.
        """
        with self._shared.fresh(like) as environment:
            yield environment

    def save(self) -> None:
        """Let isolated tests begin with what is there now; by default they begin with what the deployment left."""
        self._shared.connection.ask("save", names=list(self))

    def restore(self) -> None:
        """Put the state back to what isolated tests begin with."""
        self._shared.connection.ask("restore", names=list(self))


# Connections that are open in this process: who asks for the same environments shares one.
_open: dict[Settings, tuple[Shared, int]] = {}
_default = Settings()


def set_default(settings: Settings) -> None:
    """What :func:`environments` takes where nothing else is said."""
    global _default  # noqa: PLW0603 (of the process, as pytest's options are)
    _default = settings


def default() -> Settings:
    """What was set last."""
    return _default


@contextlib.contextmanager
def shared(settings: Settings) -> Iterator[Shared]:
    """The environments that *settings* ask for; closed by whoever is the last in this process."""
    found, count = _open.get(settings) or (Shared(Connection(settings)), 0)
    _open[settings] = found, count + 1
    try:
        yield found
    finally:
        found, count = _open.pop(settings)
        if count > 1:
            _open[settings] = found, count - 1
        else:
            found.connection.close()


@contextlib.contextmanager
def environments(
    *names: str,
    file: str | os.PathLike[str] | None = None,
    driver: str | None = None,
    reuse: bool | None = None,
    keep: bool | None = None,
) -> Iterator[Environments]:
    """
    Environments of a project for as long as the block runs, freshly deployed, for tests only.

    Args:
        names: Which; all that the project declares when none is named.
        file: The project file; by default multistack.toml here or in the nearest parent folder.
        driver: What runs them, e.g. ``embedded``; by default what the project says.
        reuse: Take the project's own environments as they are, and leave those running that ran.
        keep: Let them go on running afterwards.

    Raises:
        MultistackError: They can't be started; it says why, and what to do next.
    """
    known = default()
    settings = Settings(
        file=Path(file).absolute() if file is not None else known.file,
        driver=driver or known.driver,
        is_reused=known.is_reused if reuse is None else reuse,
        is_kept=known.is_kept if keep is None else keep,
        cwd=known.cwd,
        environ=known.environ,
    )
    with shared(settings) as found:
        found.up(names)
        yield Environments(found, names)
