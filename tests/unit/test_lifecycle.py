"""Observe, decide, act: with fakes for everything that would start, deploy or wait."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.decisions import Step, decide
from emulator.errors import ArtifactError, DeployError, MultistackError, NotReady
from emulator.events import Event
from emulator.lifecycle import Lifecycle, UpResult
from emulator.model import (
    Artifact,
    Deployment,
    DriverName,
    Endpoint,
    Environment,
    Instance,
    Outcome,
    Project,
    Release,
    Status,
)
from emulator.parallel import Cancellation, Deadline
from emulator.release import Releases
from emulator.vault import Vault

TEST = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1")
PROD = replace(TEST, name="prod", account_id="333333333333")
EXTERNAL = replace(TEST, driver=DriverName.EXTERNAL, url="http://127.0.0.1:4566")
ENDPOINT = Endpoint(environment="test", url="http://127.0.0.1:4600", account_id="111111111111", region="eu-west-1")
STOPPED = Instance(environment="test", status=Status.STOPPED)
READY = Instance(environment="test", status=Status.READY, endpoint=ENDPOINT)
RELEASE = Release(id="aaaaaaaaaaaa", digest="ab" * 32, config_hash="c" * 12, config={})
OTHER = replace(RELEASE, id="bbbbbbbbbbbb")
BUILT = Artifact(digest="cd" * 32, template={}, code=())
STORED = Artifact(digest=RELEASE.digest, template={}, code=())


@pytest.mark.parametrize(
    ("environment", "instance", "step", "cause"),
    [
        pytest.param(TEST, STOPPED, Step.START, "", id="never ran"),
        pytest.param(TEST, replace(STOPPED, reason="emulator is gone"), Step.START, "emulator is gone", id="killed"),
        pytest.param(TEST, READY, Step.KEEP, "", id="ready"),
        pytest.param(
            TEST,
            replace(READY, outdated="image x was 1 and is now 2"),
            Step.RESTART,
            "image x was 1 and is now 2",
            id="of an older image",
        ),
        pytest.param(
            TEST,
            Instance(environment="test", status=Status.STARTING, reason="emulator is starting"),
            Step.AWAIT,
            "emulator is starting",
            id="starting, not known where",
        ),
        pytest.param(TEST, replace(READY, status=Status.STARTING), Step.AWAIT, "", id="starting"),
        pytest.param(
            TEST,
            replace(READY, status=Status.UNHEALTHY, reason="it does not answer"),
            Step.RESTART,
            "it does not answer",
            id="hanging",
        ),
        pytest.param(
            replace(TEST, account_id="999999999999"),
            READY,
            Step.RESTART,
            "account id changed from 111111111111 to 999999999999",
            id="another account",
        ),
        pytest.param(
            replace(TEST, region="us-east-1"),
            READY,
            Step.RESTART,
            "region changed from eu-west-1 to us-east-1",
            id="another region",
        ),
        pytest.param(
            replace(TEST, enforce_iam=True),
            replace(READY, settings=TEST.settings),
            Step.RESTART,
            "IAM enforcement changed from off to on",
            id="other settings",
        ),
        pytest.param(replace(TEST, port=4601), READY, Step.RESTART, "port changed from 4600 to 4601", id="other port"),
        pytest.param(replace(TEST, port=4600), READY, Step.KEEP, "", id="fixed at the port it has"),
        pytest.param(
            replace(TEST, region="us-east-1"),
            replace(READY, status=Status.STARTING),
            Step.RESTART,
            "region changed from eu-west-1 to us-east-1",
            id="starting with the wrong region",
        ),
        pytest.param(EXTERNAL, READY, Step.KEEP, "", id="external and there"),
        pytest.param(
            EXTERNAL,
            replace(READY, reason="could not load es"),
            Step.KEEP,
            "could not load es",
            id="external, with a flaw",
        ),
        pytest.param(
            EXTERNAL,
            replace(STOPPED, reason="nothing answers"),
            Step.CONNECT,
            "nothing answers",
            id="external and away",
        ),
        pytest.param(
            EXTERNAL,
            replace(READY, status=Status.UNHEALTHY, reason="is no emulator"),
            Step.CONNECT,
            "is no emulator",
            id="external and ill",
        ),
        pytest.param(replace(TEST, protected=True), STOPPED, Step.START, "", id="protection is about data"),
    ],
)
def test_decide(environment: Environment, instance: Instance, step: Step, cause: str) -> None:
    """Each action has its cause, from what was observed and what the project says."""
    (action,) = decide([environment], {"test": instance})
    assert (action.environment, action.step, action.cause) == (environment, step, cause)


def test_decide_keeps_the_order() -> None:
    """Promotion order, one action each."""
    observed = {"prod": replace(STOPPED, environment="prod"), "test": READY}
    assert [(action.environment.name, action.step) for action in decide([TEST, PROD], observed)] == [
        ("test", Step.KEEP),
        ("prod", Step.START),
    ]


@dataclass
class FakeDriver:
    """
    Environments that start at once.

    Attributes:
        running: By name; what is not there is stopped.
        fails: Names whose start is refused.
        blocked: Names that could not be started, as is known beforehand.
        calls: What was asked of it, as ``start test``.
    """

    running: dict[str, Instance] = field(default_factory=dict)
    fails: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def of(self, _environment: Environment) -> FakeDriver:
        """It is every environment's driver."""
        return self

    def observe(self, environment: Environment) -> Instance:
        """Not a call worth noting."""
        return self.running.get(environment.name, replace(STOPPED, environment=environment.name))

    def check(self, environment: Environment) -> None:
        """Before what runs is stopped."""
        if environment.name in self.blocked:
            raise NotReady(f"environment {environment.name}: no image")

    def start(self, environment: Environment) -> Endpoint:
        """Ready at once."""
        self.calls.append(f"start {environment.name}")
        if environment.name in self.fails:
            raise NotReady(f"environment {environment.name}: no port")
        endpoint = replace(ENDPOINT, environment=environment.name, account_id=environment.account_id)
        self.running[environment.name] = replace(READY, environment=environment.name, endpoint=endpoint)
        return endpoint

    def stop(self, environment: Environment) -> bool:
        """True if it ran."""
        self.calls.append(f"stop {environment.name}")
        return self.running.pop(environment.name, None) is not None

    def erase(self, environment: Environment) -> None:
        """Forget."""
        self.calls.append(f"erase {environment.name}")

    def logs(self, environment: Environment, *, tail: int) -> list[str]:
        """The last lines."""
        return [f"{environment.name} says goodbye"][-tail:]


@dataclass
class FakeDeployer:
    """Deploys nothing; *there* is what each environment serves, *breaks* is called in the middle of the first one."""

    there: dict[str, str] = field(default_factory=dict)
    error: MultistackError | None = None
    breaks: Callable[[], None] | None = None
    deployed: list[tuple[str, str, str]] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)

    def is_deployed(self, endpoint: Endpoint, release: Release) -> bool:
        """As told."""
        return self.there.get(endpoint.environment) == release.id

    def deploy(
        self, environment: Environment, endpoint: Endpoint, artifact: Artifact, release: Release, **options: Any
    ) -> None:
        """Note it."""
        if self.error:
            raise self.error
        if breaks := self.breaks:
            self.breaks = None
            breaks()
            raise NotReady("it no longer answers")
        self.deployed.append((environment.name, artifact.digest, release.id))
        self.options.append(options)

    def prepare(self, artifact: Artifact) -> None:
        """Note it."""
        self.prepared.append(artifact.digest)


@dataclass
class FakeHistory:
    """A ledger of one environment."""

    entries: Sequence[tuple[Release, Outcome]] = ()
    is_over: bool = False

    def check_turn(self) -> None:
        """As that of a store, where another operator may have begun."""
        if self.is_over:
            raise NotReady("another command began")

    def current(self, environment: str) -> Deployment | None:
        """The last that succeeded."""
        return next((one for one in self.deployments(environment)[::-1] if one.outcome is Outcome.SUCCEEDED), None)

    def last(self, environment: str) -> Deployment | None:
        """Whatever became of it."""
        return next(iter(self.deployments(environment)[::-1]), None)

    def deployments(self, environment: str) -> list[Deployment]:
        """All of them."""
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return [
            Deployment(id=number, environment=environment, release=release, at=at, outcome=outcome)
            for number, (release, outcome) in enumerate(self.entries)
        ]


@dataclass
class Bench:
    """A lifecycle on fakes."""

    driver: FakeDriver = field(default_factory=FakeDriver)
    deployer: FakeDeployer = field(default_factory=FakeDeployer)
    history: FakeHistory = field(default_factory=FakeHistory)
    wait: Callable[..., object] = lambda *_arguments, **_options: None
    events: list[Event] = field(default_factory=list)
    cancellation: Cancellation = field(default_factory=Cancellation)
    build: Callable[[], Artifact] = lambda: BUILT
    open_artifact: Callable[[str], Artifact] = lambda digest: replace(STORED, digest=digest)
    deadline: Callable[[float], Deadline] = Deadline

    def lifecycle(self) -> Lifecycle:
        """Put together."""
        return Lifecycle(
            self.driver,
            self.history,
            self.deployer,
            Releases(
                Project(file=Path("/p/multistack.toml"), service="s", template=Path("/p/t"), environments=()),
                Vault(Path("/nowhere")),
            ),
            emit=self.events.append,
            cancellation=self.cancellation,
            build=self.build,
            open_artifact=self.open_artifact,
            wait=self.wait,
            deadline=self.deadline,
        )

    def up(self, *environments: Environment) -> Mapping[str, UpResult | MultistackError]:
        """Bring them up."""
        return self.lifecycle().up(environments or (TEST,), timeout=0.1)

    def said(self, step: str) -> list[str]:
        """Details of all events of one kind."""
        return [event.detail for event in self.events if event.step == step]


def test_up_starts_and_deploys_the_current_source() -> None:
    """An environment that never had a release gets one."""
    bench = Bench()
    assert bench.up() == {"test": UpResult(environment="test", did=("started", "deployed"))}
    assert bench.driver.calls == ["start test"]
    assert [(name, digest) for name, digest, _ in bench.deployer.deployed] == [("test", BUILT.digest)]


def test_up_leaves_alone_what_is_up() -> None:
    """Nothing to do is nothing done."""
    history = FakeHistory([(RELEASE, Outcome.SUCCEEDED)])
    bench = Bench(FakeDriver({"test": READY}), FakeDeployer({"test": RELEASE.id}), history)
    assert bench.up() == {"test": UpResult(environment="test", did=())}
    assert (bench.driver.calls, bench.deployer.deployed, bench.events) == ([], [], [])


def test_up_gives_back_the_recorded_release_and_not_the_current_source() -> None:
    """An emulator that lost its state serves again what it served."""
    bench = Bench(FakeDriver({"test": READY}), history=FakeHistory([(RELEASE, Outcome.SUCCEEDED)]))
    assert bench.up() == {"test": UpResult(environment="test", did=(f"redeployed {RELEASE.id}",))}
    assert bench.deployer.deployed == [("test", RELEASE.digest, RELEASE.id)]
    assert bench.said("redeploying") == [f"{RELEASE.id}, which its emulator does not have"]


@pytest.mark.parametrize(
    ("entries", "step", "detail"),
    [
        pytest.param(
            [(RELEASE, Outcome.SUCCEEDED), (OTHER, Outcome.INTERRUPTED)],
            "redeploying",
            f"{RELEASE.id}, deployment of {OTHER.id} was interrupted",
            id="there is one to go back to",
        ),
        pytest.param(
            [(OTHER, Outcome.INTERRUPTED)],
            "deploying",
            f"again: deployment of {OTHER.id} was interrupted",
            id="the first",
        ),
    ],
)
def test_up_says_that_a_deployment_was_cut(entries: list[tuple[Release, Outcome]], step: str, detail: str) -> None:
    """A repair has its cause."""
    bench = Bench(FakeDriver({"test": READY}), history=FakeHistory(entries))
    bench.up()
    assert bench.said(step) == [detail]


def test_up_stops_nothing_for_what_can_not_start() -> None:
    """What runs, if not as it should, is better than nothing."""
    bench = Bench(FakeDriver({"test": replace(READY, status=Status.UNHEALTHY)}, blocked={"test"}))
    assert isinstance(bench.up()["test"], NotReady)
    assert bench.driver.calls == []


def test_up_restarts_what_hangs_and_says_why() -> None:
    """Stop, start, deploy what was lost."""
    hanging = replace(READY, status=Status.UNHEALTHY, reason="it does not answer")
    bench = Bench(FakeDriver({"test": hanging}))
    assert bench.up() == {"test": UpResult(environment="test", did=("restarted (it does not answer)", "deployed"))}
    assert bench.driver.calls == ["stop test", "start test"]
    assert bench.said("restarting") == ["because it does not answer"]


def test_an_emulator_that_ends_while_it_is_asked_is_started() -> None:
    """A command that was killed had just told it to end; it answered the look, and then no more."""
    bench = Bench(FakeDriver({"test": READY}))
    bench.deployer.breaks = bench.driver.running.clear
    assert bench.up() == {"test": UpResult(environment="test", did=("started", "deployed"))}
    assert bench.driver.calls == ["start test"]


def test_an_emulator_that_refuses_and_lives_on_is_left_alone() -> None:
    """What is wrong is told; a start would change nothing."""
    bench = Bench(FakeDriver({"test": READY}))
    bench.deployer.breaks = lambda: None
    error = bench.up()["test"]
    assert isinstance(error, NotReady)
    assert (error.message, bench.driver.calls) == ("it no longer answers", [])


def test_a_start_that_fails_leaves_the_neighbour_up() -> None:
    """One environment's error is its own."""
    bench = Bench(FakeDriver(fails={"test"}))
    results = bench.up(TEST, PROD)
    assert isinstance(results["test"], NotReady)
    assert results["prod"] == UpResult(environment="prod", did=("started", "deployed"))
    assert list(bench.driver.running) == ["prod"]


def test_who_does_not_get_healthy_is_stopped_and_shows_its_log() -> None:
    """Nothing half-started stays behind."""

    def wait(endpoint: Endpoint, **_options: object) -> None:
        raise NotReady(f"environment {endpoint.environment} is not healthy")

    bench = Bench(wait=wait)
    error = bench.up()["test"]
    assert isinstance(error, NotReady)
    assert (error.message, error.details) == ("environment test is not healthy", ("test says goodbye",))
    assert bench.driver.calls == ["start test", "stop test"]


def test_a_wait_ends_when_the_emulator_dies() -> None:
    """Nobody waits a minute for the dead."""
    bench = Bench()

    def wait(_endpoint: Endpoint, *, timeout: float, give_up: Callable[[], str | None]) -> None:
        assert give_up() is None
        bench.driver.running.clear()
        raise NotReady(give_up() or "it lives")

    bench.wait = wait
    error = bench.up()["test"]
    assert isinstance(error, NotReady)
    assert error.message == "its emulator ended while starting"


def test_a_wait_ends_when_the_cluster_says_why_there_is_no_pod() -> None:
    """No image comes by waiting; an emulator of another driver that is unhealthy may be about to answer."""
    bench = Bench()

    def wait(endpoint: Endpoint, *, timeout: float, give_up: Callable[[], str | None]) -> None:
        name = endpoint.environment
        unhealthy = replace(bench.driver.running[name], status=Status.UNHEALTHY, reason="ImagePullBackOff: none")
        bench.driver.running[name] = unhealthy
        raise NotReady(give_up() or "it may be about to answer")

    bench.wait = wait
    messages = [
        str(bench.up(replace(TEST, driver=driver))["test"]) for driver in (DriverName.KUBERNETES, DriverName.EMBEDDED)
    ]
    assert messages == ["environment test can't start: ImagePullBackOff: none", "it may be about to answer"]


def test_ctrl_c_while_starting_stops_what_was_started() -> None:
    """The command leaves nothing that nobody asked for any more."""
    bench = Bench()

    def wait(_endpoint: Endpoint, *, timeout: float, give_up: Callable[[], str | None]) -> None:
        bench.cancellation.cancel()
        give_up()

    bench.wait = wait
    with pytest.raises(KeyboardInterrupt):
        bench.up()
    assert bench.driver.calls == ["start test", "stop test"]
    assert bench.deployer.deployed == []


def test_waiting_for_one_that_never_gets_ready_ends() -> None:
    """An emulator that an earlier command started is waited for, as long as asked, and shows its log."""
    starting = Instance(environment="test", status=Status.STARTING, reason="emulator is starting")
    bench = Bench(FakeDriver({"test": starting}))
    error = bench.up()["test"]
    assert isinstance(error, NotReady)
    assert error.message == "environment test is not ready: emulator is starting"
    assert error.details == ("test says goodbye",)


def test_one_that_its_cluster_does_not_bring_back_holds_no_other_up() -> None:
    """Nobody is told of those that are there before the wait is over: it is over some seconds later."""
    clock = itertools.count()  # a second at each look
    starting = Instance(environment="prod", status=Status.STARTING, reason="no node has it yet")
    bench = Bench(FakeDriver({"test": READY, "prod": starting}))
    bench.deadline = lambda seconds: Deadline(seconds, clock=lambda: next(clock))
    results = bench.lifecycle().up((TEST, PROD), timeout=1e6, starts=False, deploys=False)
    assert results["test"] == UpResult(environment="test", did=())
    assert isinstance(results["prod"], NotReady)


@dataclass
class LeavingDriver(FakeDriver):
    """What runs is gone when it is looked at a second time."""

    def observe(self, environment: Environment) -> Instance:
        """As it is now."""
        found = super().observe(environment)
        if found.status is Status.STARTING:
            self.running.pop(environment.name)
        return found


def test_one_that_ends_while_it_is_waited_for_is_started() -> None:
    """A killed command had asked it to stop: that it went is nothing that the user has to repair."""
    starting = Instance(environment="test", status=Status.STARTING, reason="emulator does not answer")
    bench = Bench(LeavingDriver({"test": starting}))
    did = ("started (emulator does not answer)", "deployed")
    assert bench.up() == {"test": UpResult(environment="test", did=did)}
    assert bench.driver.calls == ["start test"]
    assert bench.said("starting") == ["because emulator does not answer"]


def test_a_failed_deployment_leaves_the_emulator_up() -> None:
    """There it can be looked into."""
    bench = Bench(deployer=FakeDeployer(error=DeployError("refused")))
    assert isinstance(bench.up()["test"], DeployError)
    assert list(bench.driver.running) == ["test"]


def test_down_tells_who_was_running() -> None:
    """To stop what is stopped is no error."""
    bench = Bench(FakeDriver({"test": READY}))
    assert bench.lifecycle().down([TEST, PROD]) == {"test": True, "prod": False}
    assert [(event.environment, event.step) for event in bench.events] == [("test", "stopped")]


def test_down_says_what_it_loses() -> None:
    """A state that can't be saved while the emulator runs can't be at its end either."""
    bench = Bench(FakeDriver({"test": replace(READY, reason="its state can't be saved: no space")}))
    assert bench.lifecycle().down([TEST]) == {"test": True}
    said = [(event.step, event.detail) for event in bench.events]
    assert said == [("warning:", "its state can't be saved: no space"), ("stopped", "")]


def test_reset_erases_what_is_stopped_and_redeploys_the_recorded_release() -> None:
    """Data goes, the release stays."""
    bench = Bench(FakeDriver({"test": READY}), history=FakeHistory([(RELEASE, Outcome.SUCCEEDED)]))
    bench.lifecycle().reset([TEST], timeout=0.1)
    assert bench.driver.calls == ["stop test", "erase test", "start test"]
    assert bench.deployer.deployed == [("test", RELEASE.digest, RELEASE.id)]


def test_reset_erases_nothing_once_another_operator_began() -> None:
    """What runs may be theirs by now."""
    bench = Bench(FakeDriver({"test": READY}), history=FakeHistory([(RELEASE, Outcome.SUCCEEDED)], is_over=True))
    assert isinstance(bench.lifecycle().reset([TEST], timeout=0.1)["test"], NotReady)
    assert bench.driver.calls == []


@pytest.mark.parametrize(
    "found",
    [{}, {"test": replace(READY, status=Status.UNHEALTHY, reason="it does not answer")}],
    ids=["stopped", "hanging"],
)
def test_up_starts_nothing_once_another_operator_began(found: dict[str, Instance]) -> None:
    """They may have stopped it, or be about to look at it."""
    bench = Bench(FakeDriver(found), history=FakeHistory(is_over=True))
    assert isinstance(bench.up()["test"], NotReady)
    assert bench.driver.calls == []


def _refuse(*_arguments: str) -> Artifact:
    raise ArtifactError("refused")


@pytest.mark.parametrize(
    "bench",
    [
        pytest.param(
            Bench(history=FakeHistory([(RELEASE, Outcome.SUCCEEDED)]), open_artifact=_refuse), id="changed artifact"
        ),
        pytest.param(Bench(build=_refuse), id="source that can't be built"),
    ],
)
def test_reset_erases_nothing_that_it_can_not_deploy_again(bench: Bench) -> None:
    """Data is not given for a release that does not come back."""
    assert isinstance(bench.lifecycle().reset([TEST], timeout=0.1)["test"], ArtifactError)
    assert bench.driver.calls == []


def test_one_that_could_not_be_started_shows_no_log() -> None:
    """There are only lines of an earlier emulator."""
    error = Bench(FakeDriver(fails={"test"})).up()["test"]
    assert isinstance(error, NotReady)
    assert error.details == ()


def test_the_source_is_built_while_emulators_start() -> None:
    """Neither waits for the other."""
    is_built = threading.Event()

    def build() -> Artifact:
        is_built.set()
        return BUILT

    def wait(_endpoint: Endpoint, **_options: object) -> None:
        assert is_built.wait(timeout=10)

    bench = Bench(build=build, wait=wait)
    assert bench.up() == {"test": UpResult(environment="test", did=("started", "deployed"))}
    assert bench.deployer.prepared == [BUILT.digest]


def test_a_source_that_can_not_be_built_is_told_once_by_each_environment() -> None:
    """It is built once, whoever asks."""
    tries: list[str] = []

    def build() -> Artifact:
        tries.append("build")
        return _refuse()

    bench = Bench(build=build)
    results = bench.up(TEST, PROD)
    assert {name: str(result) for name, result in results.items()} == {"test": "refused", "prod": "refused"}
    assert tries == ["build"]
    assert sorted(bench.driver.running) == ["prod", "test"]


def test_nothing_is_built_for_recorded_releases() -> None:
    """They are opened."""
    bench = Bench(history=FakeHistory([(RELEASE, Outcome.SUCCEEDED)]), build=_refuse)
    assert bench.up() == {"test": UpResult(environment="test", did=("started", f"redeployed {RELEASE.id}"))}
    assert bench.deployer.options == [{"skip_unsupported": False, "restores": True}]
