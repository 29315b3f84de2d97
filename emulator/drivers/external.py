"""
An emulator that somebody else runs: LocalStack, MiniStack, or another that answers like them.

It is used and never started, stopped or emptied; others may use it too. Of what is in it only the stack is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emulator import own_stack
from emulator.addresses import Resolve, names_of, refuse_foreign, resolve
from emulator.drivers.probe import Answer, only_account, probe
from emulator.drivers.unsaved import Unsaved
from emulator.endpoint import answering
from emulator.errors import ConfigError, NotReady
from emulator.log_file import LogReader, NoLog
from emulator.model import Endpoint, Environment, Instance, Project, Status

# Seconds; an emulator that deploys for somebody else may be slow, but a command looks several times.
_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """
    What is at an environment's URL.

    Attributes:
        may_be_used: Its address is allowed.
        hint: What to do when it is not ready.
    """

    answer: Answer
    may_be_used: bool
    hint: str


class ExternalDriver(Unsaved):
    """
    Uses the emulators that the environments of one project name.

    Args:
        cancelled: Called while a stack is deleted; raises to stop waiting.
        resolve: See :func:`emulator.addresses.resolve`.
        names_of: See :func:`emulator.addresses.names_of`.
    """

    whose = "an emulator that somebody else runs"
    instead = "name the environments of other drivers, or give {name} another one"

    def __init__(
        self,
        project: Project,
        *,
        cancelled: Callable[[], None] = lambda: None,
        resolve: Resolve = resolve,
        names_of: Resolve = names_of,
    ) -> None:
        self._project = project
        self._cancelled = cancelled
        self._resolve = resolve
        self._names_of = names_of

    @property
    def version(self) -> str:
        """See :class:`emulator.drivers.base.Driver`."""
        return "external"

    def observe(self, environment: Environment) -> Instance:
        """See :class:`emulator.drivers.base.Driver`."""
        found = self._look(environment)
        is_there = found.may_be_used and found.answer.status is not Status.STOPPED
        return Instance(
            environment=environment.name,
            status=found.answer.status,
            endpoint=_endpoint(environment) if is_there else None,
            reason=found.answer.reason,
        )

    def _look(self, environment: Environment) -> _Found:
        url, key = environment.url or "", f"environments.{environment.name}.endpoint"
        try:
            problem = refuse_foreign(
                url, allow_remote=self._project.allow_remote, resolve=self._resolve, names_of=self._names_of
            )
        except OSError:
            answer = Answer(Status.STOPPED, f"the host of {url} can't be resolved")
            return _Found(answer=answer, may_be_used=True, hint=f"correct {key}")
        if problem:
            answer = Answer(Status.UNHEALTHY, f"{url} is not used: {problem}")
            return _Found(answer=answer, may_be_used=False, hint=_way_in(problem, key))
        answer = probe(url, timeout=_TIMEOUT)
        if answer.status is Status.READY and not answer.reason:
            answer = Answer(Status.READY, _remark(environment))
        return _Found(answer=answer, may_be_used=True, hint=_advice(answer, key))

    def start(self, environment: Environment) -> Endpoint:
        """
        See :class:`emulator.drivers.base.Driver`: it has to be there already.

        Raises:
            ConfigError: Its address is not allowed.
        """
        found = self._look(environment)
        if found.answer.status is not Status.READY:
            kind = NotReady if found.may_be_used else ConfigError
            raise kind(f"environment {environment.name}: {found.answer.reason}", hint=found.hint)
        return _endpoint(environment)

    def stop(self, environment: Environment) -> bool:
        """See :class:`emulator.drivers.base.Driver`: it is not ours to stop."""
        return False

    def erase(self, environment: Environment) -> None:
        """Delete the environment's stack with its data; whatever else is in the emulator stays."""
        endpoint = self.start(environment)
        with answering(endpoint):
            own_stack.remove(endpoint, self._project, cancelled=self._cancelled)

    def logs(self, environment: Environment, *, tail: int) -> list[str]:
        """See :class:`emulator.drivers.base.Driver`: whoever runs it has its log."""
        return []

    def log_reader(self, environment: Environment) -> LogReader:
        """See :class:`emulator.drivers.base.Driver`."""
        return NoLog()

    def leftovers(self) -> list[Environment]:
        """See :class:`emulator.drivers.base.Driver`: nothing of it runs because of us."""
        return []


def _endpoint(environment: Environment) -> Endpoint:
    return Endpoint(
        environment=environment.name,
        url=environment.url or "",
        account_id=environment.account_id,
        region=environment.region,
        is_shared=True,
    )


def _remark(environment: Environment) -> str:
    """What a user should know of a healthy one; empty where all is well."""
    account = only_account(environment.url or "", timeout=_TIMEOUT)
    if account in (None, environment.account_id):
        return ""
    return (
        f"its emulator calls APIs of its own account only: set environments.{environment.name}.account_id to {account}"
    )


def _way_in(problem: str, key: str) -> str:
    if "never" in problem:
        return f"set {key} to the URL of an emulator"
    return f"correct {key}, or allow it with `--allow-remote` or `allow_remote = true`"


def _advice(answer: Answer, key: str) -> str:
    if "certificate" in answer.reason:
        return f"set SSL_CERT_FILE to the file of its authority, or use http:// in {key}"
    if answer.status is Status.STOPPED:
        return f"start that emulator: multistack only uses it; or correct {key}"
    return f"look at that emulator, or correct {key}"
