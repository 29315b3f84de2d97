"""Environments that run, as tests use them."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from emulator.testing.api import ApiClient
from emulator.testing.aws import Aws, Place
from emulator.testing.connection import Connection, Settings
from emulator.testing.guard import ForeignAwsCall, Guard
from emulator.testing.logs import LogLine, Logs

# Kept from functions by the proxy; marks the requests of one test, for its report.
_TOKEN_HEADER = "X-Multistack-Trace"  # noqa: S105 (the name of a header)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedService:
    """
    What is deployed into an environment.

    Attributes:
        stack: The name of its CloudFormation stack.
        release: An artifact with the environment's config.
        digest: Of the artifact: the same one means the same bytes.
        config: Key to value.
        outputs: Of the stack.
        resources: Logical id to physical id, e.g. ``OrdersTable`` to the table's name.
    """

    name: str
    environment: str
    stack: str
    release: str
    digest: str
    config: Mapping[str, str]
    outputs: Mapping[str, str]
    resources: Mapping[str, str]


class RunningEnvironment:
    """One environment: its API, its AWS account, its logs."""

    def __init__(self, told: Mapping[str, Any], shared: Shared) -> None:
        self._told, self._shared = told, shared
        self._api = ApiClient(lambda: self.url, lambda: {_TOKEN_HEADER: shared.token})
        self._aws = Aws(self._place)
        self._logs = Logs(self._read_logs)

    def __repr__(self) -> str:
        return f"<environment {self.name}>"

    @property
    def name(self) -> str:
        """E.g. ``test``."""
        return str(self._told["name"])

    @property
    def url(self) -> str:
        """Where its API answers: the proxy's URL of it."""
        return str(self._told["url"])

    @property
    def endpoint_url(self) -> str:
        """Where its AWS API answers."""
        return str(self._told["endpoint_url"])

    @property
    def account_id(self) -> str:
        """The 12 digits of its emulated account."""
        return str(self._told["account_id"])

    @property
    def region(self) -> str:
        """E.g. ``eu-west-1``."""
        return str(self._told["region"])

    @property
    def driver(self) -> str:
        """What runs it: ``embedded``, ``localstack`` or ``external``."""
        return str(self._told["driver"])

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables with which any AWS tool, or the code under test, talks to it and to nothing else."""
        return dict(self._told["variables"])

    @property
    def api(self) -> ApiClient:
        """Requests to its API."""
        return self._api

    @property
    def aws(self) -> Aws:
        """boto3 session, clients and resources of its account."""
        return self._aws

    @property
    def logs(self) -> Logs:
        """What its functions print."""
        return self._logs

    @property
    def service(self) -> DeployedService:
        """What is deployed into it right now."""
        return DeployedService(**self._shared.connection.ask("service", name=self.name))

    def update(self, told: Mapping[str, Any]) -> None:
        """It came back, perhaps elsewhere."""
        self._told = told

    def _place(self) -> Place:
        return Place(endpoint_url=self.endpoint_url, account_id=self.account_id, region=self.region)

    def _read_logs(self) -> list[LogLine]:
        found = self._shared.connection.ask("logs", name=self.name, since=self._shared.began)
        return [
            LogLine(at=datetime.fromisoformat(one["at"]), function=one["source"], message=one["message"])
            for one in found
        ]


class Shared:
    """
    What all environments of one connection share.

    Attributes:
        began: When the running test began; None while none runs.
        token: Marks the requests of the running test.
        asked: The names of environments that the running test used.
        named: Those of them that it named beforehand.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.began: str | None = None
        self.asked: dict[str, None] = {}
        self.named: tuple[str, ...] = ()
        self.environments: dict[str, RunningEnvironment] = {}
        self._number = itertools.count(1)
        self.token = self._new_token()

    def _new_token(self) -> str:
        return f"test-{os.getpid()}-{next(self._number)}"

    def up(self, names: Sequence[str]) -> list[RunningEnvironment]:
        """Each of *names*, or all of the project, ready."""
        self.take(told := self.connection.ask("up", names=list(names)))
        return [self.environments[one["name"]] for one in told]

    def take(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Note where environments are."""
        for one in told:
            if (known := self.environments.get(one["name"])) is not None:
                known.update(one)
            else:
                self.environments[one["name"]] = RunningEnvironment(one, self)

    def begin(self, names: Sequence[str], key: str | None) -> list[str]:
        """A test begins; returns the environments whose emulator had ended and was started again."""
        self.token, self.asked, self.named = self._new_token(), dict.fromkeys(names), tuple(names)
        answer = self.connection.ask("begin", names=list(names), key=key)
        self.began = answer["at"]
        self.take(answer["environments"])
        return list(answer["revived"])

    def end(self, next_key: str | None) -> None:
        """A test ended; the next one has *next_key*."""
        self.began, self.asked, self.named = None, {}, ()
        self.connection.ask("end", next_key=next_key)

    def endpoints(self) -> list[str]:
        """The AWS APIs that code may call."""
        return [environment.endpoint_url for environment in self.environments.values()]

    @contextlib.contextmanager
    def fresh(self, like: str | None) -> Iterator[RunningEnvironment]:
        """A new environment like a declared one, removed at the end of the block."""
        told = self.connection.ask("create", like=like)
        self.take([told])
        self.asked[told["name"]] = None
        try:
            yield self.environments[told["name"]]
        finally:
            del self.environments[told["name"]]
            self.asked.pop(told["name"], None)
            self.connection.ask("destroy", name=told["name"])


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
        self._shared.begin(list(self), key)
        guard = Guard(self._shared.endpoints)
        try:
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
