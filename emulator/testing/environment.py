"""One environment that runs, as tests use it, and what all of one process share."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emulator.testing.api import ApiClient
from emulator.testing.aws import Aws, Place
from emulator.testing.connection import Connection
from emulator.testing.logs import LogLine, Logs

# Kept from functions by the proxy; marks the requests of one test, for its report.
TOKEN_HEADER = "X-Multistack-Trace"  # noqa: S105 (the name of a header)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionResult:
    """
    What a function returned.

    Attributes:
        value: As JSON has it; with an *error* what Lambda says about it, e.g. ``{"errorMessage": …}``.
        error: ``Unhandled`` or ``Handled`` when it ended with an error.
        log: What it printed.
    """

    value: Any
    error: str | None
    log: Sequence[str]


class RunningEnvironment:
    """One environment: its API, its AWS account, its logs."""

    def __init__(self, told: Mapping[str, Any], shared: Shared) -> None:
        self._told, self._shared = told, shared
        self._api = ApiClient(lambda: self.url, lambda: {TOKEN_HEADER: shared.token})
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

    def invoke(self, function: str, event: object = None) -> FunctionResult:
        """
        Call a function by its logical id, and wait for what it returns.

        Raises:
            MultistackError: There is none of that name, or Lambda refused the call.
        """
        event = {} if event is None else event
        return FunctionResult(**self._shared.connection.ask("invoke", name=self.name, function=function, event=event))

    def send(self, target: str, body: object, **options: object) -> str:
        """
        Send a message to a queue, a topic or a bus by its logical id; returns the message's id.

        Args:
            body: Text as it is, anything else as JSON.
            options: ``attributes``, ``group``, ``subject``; for buses ``source`` and ``detail_type``.

        Raises:
            MultistackError: There is none of that name, or it was refused.
        """
        text = body if isinstance(body, str) else json.dumps(body)
        return str(self._shared.connection.ask("send", name=self.name, target=target, body=text, options=options))

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

    def prepare(self, names: Sequence[str]) -> None:
        """Start *names* at once; one that can't be started is the error of whoever asks for it."""
        self.take(self.connection.ask("prepare", names=list(names)))

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
