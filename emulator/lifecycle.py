"""Environments up, down, reset: observe, decide, act."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from emulator.awaiting import LOG_LINES, settled
from emulator.decisions import Action, Step, decide, without_start
from emulator.deploy import Deployer
from emulator.drivers.registry import Drivers
from emulator.endpoint import client, wait_until_healthy
from emulator.errors import MultistackError, NotReady
from emulator.events import Emit, Event
from emulator.history import History
from emulator.model import Artifact, DriverName, Endpoint, Environment, Instance, Outcome, Status
from emulator.parallel import Cancellation, Deadline, run_parallel
from emulator.release import Releases

# Seconds that others are waited for once one is there that a cluster brings back: nobody is told of it before.
_REST = 5.0
# Asked whether the recorded release is there. Their clients take a while to load: done while the emulator starts.
_ASKED = ("cloudformation", "s3")
_BUILD = ""  # no environment's name


@dataclass(frozen=True, slots=True, kw_only=True)
class UpResult:
    """
    What ``up`` did to one environment.

    Attributes:
        did: Facts in order, e.g. ``started``, ``deployed 0d2c…``; empty when nothing was to do.
    """

    environment: str
    did: tuple[str, ...]


class Lifecycle:
    """
    Starts, stops and resets the environments of one project.

    Args:
        build: Makes the artifact for environments that never had one; called at most once.
        wait: Returns when an emulator is healthy.
        check_exists: Raises when another command removed the environment meanwhile: nobody would ever stop it again.
    """

    def __init__(
        self,
        drivers: Drivers,
        history: History,
        deployer: Deployer,
        releases: Releases,
        *,
        emit: Emit,
        cancellation: Cancellation,
        build: Callable[[], Artifact],
        open_artifact: Callable[[str], Artifact],
        wait: Callable[..., object] = wait_until_healthy,
        check_exists: Callable[[Environment], None] = lambda _environment: None,
        deadline: Callable[[float], Deadline] = Deadline,
    ) -> None:
        self._drivers = drivers
        self._history = history
        self._emit = emit
        self._cancellation = cancellation
        self._build = build
        self._open_artifact = open_artifact
        self._deployer = deployer
        self._releases = releases
        self._wait = wait
        self._check_exists = check_exists
        self._deadline = deadline

    def observe(self, environments: Sequence[Environment]) -> Mapping[str, Instance]:
        """Each environment as it is right now; one whose driver can't tell counts as stopped, with the reason."""
        return {
            name: found
            if isinstance(found, Instance)
            else Instance(environment=name, status=Status.STOPPED, reason=found.message, is_unknown=True)
            for name, found in self._look(environments).items()
        }

    def _look(self, environments: Sequence[Environment]) -> Mapping[str, Instance | MultistackError]:
        by_name = {environment.name: environment for environment in environments}
        return run_parallel(list(by_name), lambda name: self._drivers.observe(by_name[name]), self._cancellation)

    def up(
        self,
        environments: Sequence[Environment],
        *,
        timeout: float,
        build: Callable[[], Artifact] | None = None,
        deploys: bool = True,
        starts: bool = True,
    ) -> Mapping[str, UpResult | MultistackError]:
        """
        Every environment ready and serving its release; what is so already stays untouched.

        An environment without a recorded release gets the current source, one that lost its state its recorded release.

        Args:
            timeout: Seconds that an emulator may take to become healthy.
            build: Makes the artifact for environments that never had one; by default that of the current source.
            deploys: Whether they get one now.
            starts: Whether emulators may be started; without, those that are stopped stay so, and those that don't
                answer are waited for: for five seconds more when another one is there, and has its release.

        Returns:
            Per environment what was done, or why it is not ready; the others are up nevertheless.
        """
        found = self._look(environments)
        known = {name: one for name, one in found.items() if isinstance(one, Instance)}
        actions = decide([one for one in environments if one.name in known], known)
        if not starts:
            actions = [without_start(action) for action in actions]
        by_name = {action.environment.name: action for action in actions}
        done = self._act(by_name, timeout=timeout, build=(build or self._build) if deploys else None)
        return {name: done[name] if isinstance(one, Instance) else one for name, one in found.items()}

    def _act(
        self, actions: Mapping[str, Action], *, timeout: float, build: Callable[[], Artifact] | None
    ) -> Mapping[str, UpResult | MultistackError]:
        deadline = self._deadline(timeout)
        if build is None or not any(self._needs_build(action.environment) for action in actions.values()):
            return run_parallel(
                list(actions),
                lambda name: self._up_one(actions[name], timeout=timeout, build=build, deadline=deadline),
                self._cancellation,
            )
        # Somebody will need it: it is made while the emulators start.
        built: Future[Artifact] = Future()
        results = run_parallel(
            [_BUILD, *actions],
            lambda name: (
                self._build_into(built, build)
                if name == _BUILD
                else self._up_one(actions[name], timeout=timeout, build=built.result, deadline=deadline)
            ),
            self._cancellation,
        )
        return {name: result for name, result in results.items() if name != _BUILD and result is not None}

    def _needs_build(self, environment: Environment) -> bool:
        return self._history.current(environment.name) is None and _first_digest(environment) is None

    def _first_artifact(self, environment: Environment, build: Callable[[], Artifact]) -> Artifact:
        """What is deployed into *environment* while it has no recorded release."""
        digest = _first_digest(environment)
        return build() if digest is None else self._open_artifact(digest)

    def _build_into(self, built: Future[Artifact], build: Callable[[], Artifact]) -> None:
        """Whatever is wrong is raised where the artifact is asked for, in each environment that does."""
        try:
            artifact = build()
        except BaseException as error:  # a signal as well: whoever waits for the artifact must not do so for ever
            built.set_exception(error)
        else:
            built.set_result(artifact)
            self._deployer.prepare(artifact)

    def _up_one(
        self, action: Action, *, timeout: float, build: Callable[[], Artifact] | None, deadline: Deadline
    ) -> UpResult:
        environment = action.environment
        self._check_exists(environment)
        did: list[str] = []
        if action.step is Step.RESTART:
            self._drivers.check(environment)
            self._history.check_turn()
            self._emit(Event(environment.name, "restarting", f"because {action.cause}"))
            self._drivers.stop(environment)
        endpoint = self._running(action, did, deadline)
        if endpoint is not None:
            self._cancellation.check()
            try:
                did += self._deploy_missing(environment, endpoint, build=build)
            except NotReady:
                # It may have been about to end: a command that was killed had just told it to.
                if not action.starts or self._settled(environment, deadline) is not None:
                    raise
                endpoint = None
        if endpoint is None and action.starts:
            endpoint = self._start(environment, action, timeout=timeout)
            did.append("restarted" if action.step is Step.RESTART else "started")
            if action.cause:
                did[-1] += f" ({action.cause})"
            self._cancellation.check()
            did += self._deploy_missing(environment, endpoint, build=build)
        if endpoint is not None and not action.starts:
            deadline.shorten(_REST)
        return UpResult(environment=environment.name, did=tuple(did))

    def _running(self, action: Action, did: list[str], deadline: Deadline) -> Endpoint | None:
        """What is up without a start of ours, or None."""
        environment = action.environment
        if action.step is Step.CONNECT:
            endpoint = self._drivers.of(environment).start(environment)
            self._emit(Event(environment.name, "ready", endpoint.url))
            if self._drivers.stop(environment):  # what another driver ran for it before; only now can it be spared
                self._emit(Event(environment.name, "stopped", f"because {action.cause}"))
                did.append(f"stopped ({action.cause})")
            return endpoint
        return None if action.step in (Step.START, Step.RESTART) else self._settled(environment, deadline)

    def _settled(self, environment: Environment, deadline: Deadline) -> Endpoint | None:
        return settled(self._drivers, environment, deadline=deadline, cancellation=self._cancellation)

    def _start(self, environment: Environment, action: Action, *, timeout: float) -> Endpoint:
        driver = self._drivers.of(environment)
        self._history.check_turn()
        started = time.monotonic()
        if action.step is not Step.RESTART:
            self._emit(Event(environment.name, "starting", f"because {action.cause}" if action.cause else ""))
        endpoint = None
        try:
            endpoint = driver.start(environment)
            for service in _ASKED:
                client(endpoint, service)
            self._wait(endpoint, timeout=timeout, give_up=lambda: self._has_died(environment))
        except NotReady as error:
            # Of an emulator that was never started there are only lines of an earlier one.
            details = error.details or (driver.logs(environment, tail=LOG_LINES) if endpoint else ())
            with contextlib.suppress(NotReady):  # then the first error is the one to tell
                driver.stop(environment)
            raise NotReady(error.message, hint=error.hint, details=details) from error
        except KeyboardInterrupt:
            driver.stop(environment)
            raise
        self._emit(Event(environment.name, "ready", endpoint.url, time.monotonic() - started))
        return endpoint

    def revive(
        self, environment: Environment, *, timeout: float, build: Callable[[], Artifact] | None = None
    ) -> UpResult:
        """
        Start a stopped environment whose state was replaced; it serves its recorded release.

        Args:
            build: Makes the artifact if there is none on record; by default that of the current source.
        """
        is_ours = environment.driver is not DriverName.EXTERNAL
        action = Action(environment=environment, step=Step.START if is_ours else Step.CONNECT, cause="")
        return self._up_one(action, timeout=timeout, build=build or self._build, deadline=self._deadline(timeout))

    def _has_died(self, environment: Environment) -> str | None:
        self._cancellation.check()
        instance = self._drivers.of(environment).observe(environment)
        # A pod that says why it can't be is not worth the wait; a process that is unhealthy may be about to answer.
        if environment.driver is DriverName.KUBERNETES and instance.status is Status.UNHEALTHY:
            return f"environment {environment.name} can't start: {instance.reason}"
        reason = "its emulator ended while starting" + (f": {instance.reason}" if instance.reason else "")
        return reason if instance.status is Status.STOPPED else None

    def _deploy_missing(
        self, environment: Environment, endpoint: Endpoint, *, build: Callable[[], Artifact] | None
    ) -> list[str]:
        current, cut = self._history.current(environment.name), self._last_cut(environment.name)
        if current is None:
            if build is None:
                return []
            if cut:
                self._emit(Event(environment.name, "deploying", f"again: deployment of {cut} was interrupted"))
            artifact = self._first_artifact(environment, build)
            release = self._releases.make(artifact, environment)
            self._deployer.deploy(environment, endpoint, artifact, release)
            return ["deployed"]
        if self._deployer.is_deployed(endpoint, current.release):
            return []
        cause = f"deployment of {cut} was interrupted" if cut else "which its emulator does not have"
        self._emit(Event(environment.name, "redeploying", f"{current.release.id}, {cause}"))
        artifact = self._open_artifact(current.release.digest)
        self._deployer.deploy(
            environment,
            endpoint,
            artifact,
            current.release,
            skip_unsupported=bool(current.skipped),
            restores=True,
        )
        return [f"redeployed {current.release.id}"]

    def _last_cut(self, environment: str) -> str | None:
        """The release whose deployment, the last one here, was interrupted."""
        last = self._history.last(environment)
        return last.release.id if last is not None and last.outcome is Outcome.INTERRUPTED else None

    def down(self, environments: Sequence[Environment]) -> Mapping[str, bool | MultistackError]:
        """Stop the emulators, keeping their state; per environment whether one was running."""
        by_name = {environment.name: environment for environment in environments}
        return run_parallel(list(by_name), lambda name: self._stop(by_name[name]), self._cancellation)

    def _stop(self, environment: Environment) -> bool:
        started = time.monotonic()
        instance = self._drivers.observe(environment)
        if environment.driver is DriverName.EXTERNAL:
            instance = self._drivers.of(environment).observe(environment)
            if instance.endpoint is not None:
                detail = f"{instance.endpoint.url}, which is not multistack's to stop"
                self._emit(Event(environment.name, "keeps running", detail))
        elif instance.status is Status.READY and instance.reason:
            # Its state may be one that can't be saved: then the stop loses what is new.
            self._emit(Event(environment.name, "warning:", instance.reason))
        stopped = self._drivers.stop(environment)
        if stopped:
            self._emit(Event(environment.name, "stopped", "", time.monotonic() - started))
        return stopped

    def reset(self, environments: Sequence[Environment], *, timeout: float) -> Mapping[str, UpResult | MultistackError]:
        """
        Forget every order, message and file: each environment is as freshly deployed with its recorded release.

        Nothing is stopped or erased where that release can't be read, or, without one, the source can't be built.
        """
        by_name = {environment.name: environment for environment in environments}

        def reset_one(name: str) -> UpResult:
            environment = by_name[name]
            driver = self._drivers.of(environment)
            current = self._history.current(name)
            if current is None:
                self._first_artifact(environment, self._build)
            else:
                self._open_artifact(current.release.digest)
            self._history.check_turn()
            self._emit(Event(name, "resetting"))
            self._drivers.stop(environment)
            driver.erase(environment)
            return self.revive(environment, timeout=timeout)

        return run_parallel(list(by_name), reset_one, self._cancellation)


def _first_digest(environment: Environment) -> str | None:
    return environment.created.digest if environment.created else None
