"""Whole states are saved, restored and copied: with fakes for what runs, and a real ledger and real snapshots."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from emulator import checkpoint
from emulator.drivers.registry import Drivers
from emulator.errors import ArtifactError, ConfigError, MultistackError, NotReady
from emulator.events import Event
from emulator.history import History
from emulator.lifecycle import Lifecycle, UpResult
from emulator.model import (
    Api,
    Artifact,
    Cause,
    DriverName,
    Endpoint,
    Environment,
    Instance,
    Outcome,
    Project,
    Release,
    Status,
)
from emulator.parallel import Cancellation
from emulator.snapshots import Snapshots
from emulator.state_transfer import StateTransfer

TEST = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1")
PROD = replace(TEST, name="prod", account_id="333333333333")
RELEASE = Release(id="r1", digest="d1", config_hash="c1", config={"Size": "s"})
OTHER = Release(id="r2", digest="d2", config_hash="c2", config={})
API = Api(logical_id="Rest", path="/rest", stage="live")


@dataclass
class FakeDriver:
    """
    Environments whose state is one word.

    Attributes:
        states: By environment; one that is missing has none.
        running: Names of those that run.
        refuses: Names whose state can't be replaced.
        calls: What was asked of it, as ``stop test``.
    """

    states: dict[str, str] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    version: str = "ministack 1"

    def of(self, _environment: Environment) -> FakeDriver:
        """It is every environment's driver."""
        return self

    def observe(self, environment: Environment) -> Instance:
        """Ready or stopped."""
        if environment.name not in self.running:
            return Instance(environment=environment.name, status=Status.STOPPED)
        return Instance(environment=environment.name, status=Status.READY, endpoint=_endpoint(environment))

    def start(self, environment: Environment) -> Endpoint:
        """Ready at once."""
        self.calls.append(f"start {environment.name}")
        self.running.add(environment.name)
        return _endpoint(environment)

    def stop(self, environment: Environment) -> bool:
        """True if it ran."""
        self.calls.append(f"stop {environment.name}")
        was_running = environment.name in self.running
        self.running.discard(environment.name)
        return was_running

    def save(self, environment: Environment, folder: Path) -> None:
        """The word, in a checkpoint."""
        if environment.name not in self.states:
            raise MultistackError(f"environment {environment.name} has no state to save")
        folder.mkdir()
        header = checkpoint.Header(
            emulator="ministack 1",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            account_id=environment.account_id,
            region=environment.region,
        )
        checkpoint.write(folder / "checkpoint", header, f'{{"iam": "{self.states[environment.name]}"}}'.encode())

    def load(self, environment: Environment, folder: Path) -> None:
        """The word again; never while it runs."""
        assert environment.name not in self.running
        self.calls.append(f"load {environment.name}")
        if environment.name in self.refuses:
            raise MultistackError(f"environment {environment.name}: the disk is full")
        _, payload = checkpoint.read(folder / "checkpoint")
        self.states[environment.name] = payload.decode().split('"')[3]


def _endpoint(environment: Environment) -> Endpoint:
    return Endpoint(
        environment=environment.name,
        url=f"http://127.0.0.1:46{environment.account_id[:2]}",
        account_id=environment.account_id,
        region=environment.region,
    )


@dataclass
class FakeLifecycle:
    """Starts what it is told to, and notes what it would build; *error* is what becomes of it instead."""

    driver: FakeDriver
    built: list[str] = field(default_factory=list)
    error: MultistackError | None = None

    def revive(
        self, environment: Environment, *, timeout: float, build: Callable[[], Artifact] | None = None
    ) -> UpResult:
        """Started."""
        assert timeout == 5
        self.driver.start(environment)
        if build:
            self.built.append(build().digest)
        if self.error:
            raise self.error
        return UpResult(environment=environment.name, did=("started",))


@dataclass
class Bench:
    """All of it put together in a folder."""

    root: Path
    driver: FakeDriver = field(default_factory=FakeDriver)
    events: list[Event] = field(default_factory=list)
    stored: set[str] = field(default_factory=lambda: {"d1", "d2"})

    def __post_init__(self) -> None:
        self.history = History(self.root / "history.sqlite")
        self.snapshots = Snapshots(self.root / "snapshots")
        self.lifecycle = FakeLifecycle(self.driver)
        self.transfer = StateTransfer(
            Project(
                file=self.root / "multistack.toml", service="o", template=self.root / "t", environments=(TEST, PROD)
            ),
            cast("Drivers", self.driver),
            self.history,
            cast("Lifecycle", self.lifecycle),
            self.snapshots,
            emit=self.events.append,
            cancellation=Cancellation(),
            open_artifact=self.open_artifact,
        )

    def open_artifact(self, digest: str) -> Artifact:
        """From a store that may have lost some."""
        if digest not in self.stored:
            raise ArtifactError(f"no artifact {digest}")
        return Artifact(digest=digest, template={}, code=())

    def deployed(self, environment: Environment, release: Release) -> None:
        """On record."""
        self.history.end(self.history.begin(environment.name, release), Outcome.SUCCEEDED, apis=[API], skipped=["X"])

    def restore(self, *environments: Environment) -> Mapping[str, UpResult | MultistackError]:
        """Snapshot ``before`` into *environments*."""
        return self.transfer.restore(self.transfer.find("before", environments), environments, timeout=5)

    def said(self, step: str) -> list[str]:
        """Details of all events of one kind."""
        return [event.detail for event in self.events if event.step == step]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Test serves release r1 and is saved as ``before``; then it got r2 and other data."""
    made = Bench(tmp_path)
    made.driver.states = {"test": "old"}
    made.deployed(TEST, RELEASE)
    made.transfer.save("before", [TEST], replace=False)
    made.deployed(TEST, OTHER)
    made.driver.states = {"test": "new"}
    return made


def test_save_keeps_what_a_restore_needs(bench: Bench) -> None:
    """Whose state it is, and the release with all that the ledger says about it."""
    found = bench.snapshots.find("before", "test")
    assert (found.release, found.apis, found.skipped) == (RELEASE, (API,), ("X",))
    assert (found.account_id, found.region, found.driver) == ("111111111111", "eu-west-1", "embedded")
    assert (found.driver_version, found.service) == ("ministack 1", "o")


def test_save_is_all_or_nothing(bench: Bench) -> None:
    """One environment without a state keeps the others from being saved, and the old snapshot stays."""
    with pytest.raises(MultistackError, match="environment prod has no state to save"):
        bench.transfer.save("both", [TEST, PROD], replace=False)
    with pytest.raises(MultistackError, match="environment prod has no state to save"):
        bench.transfer.save("before", [TEST, PROD], replace=True)
    assert bench.snapshots.names() == ["before"]
    assert bench.snapshots.environments("before") == ["test"]


def test_restore_brings_back_data_and_release(bench: Bench) -> None:
    """The ledger says from where; what ran runs again."""
    bench.driver.running = {"test"}
    assert bench.restore(TEST) == {"test": UpResult(environment="test", did=("restored before", "started"))}
    assert bench.driver.calls == ["stop test", "load test", "start test"]
    assert bench.driver.states == {"test": "old"}
    current = bench.history.current("test")
    assert current is not None
    assert (current.release, current.apis, current.skipped) == (RELEASE, (API,), ("X",))
    assert [one.cause.source for one in bench.history.deployments("test")] == [None, None, "snapshot before"]


def test_what_was_stopped_stays_stopped(bench: Bench) -> None:
    """Restoring starts nothing that nobody started."""
    assert bench.restore(TEST) == {"test": UpResult(environment="test", did=("restored before",))}
    assert bench.driver.calls == ["stop test", "load test"]


def test_a_state_that_can_not_be_replaced_serves_on(bench: Bench) -> None:
    """The old state runs again, its release is the recorded one, and the attempt is on record."""
    bench.driver.running, bench.driver.refuses = {"test"}, {"test"}
    error = bench.restore(TEST)["test"]
    assert isinstance(error, MultistackError)
    assert error.message == "environment test: the disk is full"
    assert bench.driver.calls == ["stop test", "load test", "start test"]
    current, last = bench.history.current("test"), bench.history.last("test")
    assert current is not None
    assert last is not None
    assert (current.release, last.outcome, last.cause.source) == (OTHER, Outcome.FAILED, "snapshot before")


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (replace(TEST, account_id="999999999999"), "with account 111111111111, and the project file says 999999999999"),
        (replace(TEST, region="us-east-1"), "with region eu-west-1, and the project file says us-east-1"),
    ],
    ids=["account", "region"],
)
def test_a_snapshot_fits_its_own_environment_only(bench: Bench, now: Environment, message: str) -> None:
    """ARNs and URLs in it would be of another place; nothing is stopped."""
    with pytest.raises(ConfigError, match=message):
        bench.transfer.find("before", [now])


@pytest.mark.parametrize(
    ("what", "taken", "now"),
    [("driver", "localstack", "embedded"), ("service", "shop", "o")],
    ids=["driver", "service"],
)
def test_a_snapshot_of_something_else_is_refused(bench: Bench, what: str, taken: str, now: str) -> None:
    """Another emulator can't read it; of another service it has another stack."""
    about = bench.snapshots.state("before", "test").parent / "snapshot.json"
    about.write_text(about.read_text().replace(f'"{what}": "{now}"', f'"{what}": "{taken}"'))
    with pytest.raises(ConfigError, match=f"taken with {what} {taken}, and the project file says {now}"):
        bench.transfer.find("before", [TEST])


def test_a_broken_state_is_found_before_anything_stops(bench: Bench) -> None:
    """Cut anywhere; named as the snapshot that it is, with what to do."""
    path = bench.snapshots.state("before", "test") / "checkpoint"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MultistackError) as caught:
        bench.transfer.find("before", [TEST])
    assert caught.value.message == (
        "snapshot before of test is broken: its checkpoint is broken: it is not as it was written"
    )
    assert caught.value.hint == "multistack snapshot delete before test"


def test_a_state_of_another_version_is_restored_and_said(bench: Bench) -> None:
    """Emulators read the states of their earlier versions."""
    bench.driver.version = "ministack 2"
    bench.restore(TEST)
    assert bench.said("note:") == ["it was taken by ministack 1; this is ministack 2"]


def test_a_release_that_left_the_store_is_told(bench: Bench) -> None:
    """It serves, but nothing could deploy it again."""
    bench.stored.remove("d1")
    bench.restore(TEST)
    (note,) = bench.said("note:")
    assert note.startswith("release r1 is no longer in the artifact store")
    assert bench.driver.states == {"test": "old"}


def test_a_state_without_a_release_leaves_the_ledger_alone(bench: Bench) -> None:
    """What is on record is deployed again by the next start."""
    bench.driver.states["prod"] = "bare"
    bench.transfer.save("bare", [PROD], replace=False)
    bench.driver.states["prod"] = "new"
    bench.transfer.restore(bench.transfer.find("bare", [PROD]), [PROD], timeout=5)
    assert bench.driver.states["prod"] == "bare"
    assert bench.history.deployments("prod") == []
    assert bench.said("note:") == ["nothing had been deployed when it was taken"]


def interrupted(bench: Bench, source: str | None) -> None:
    """The command that began to bring r1 from *source* was killed; the next one finds it."""
    bench.history.begin("test", RELEASE, cause=Cause(source=source))
    with closing(sqlite3.connect(bench.root / "history.sqlite")) as connection, connection:
        connection.execute("DROP TRIGGER deployments_no_UPDATE")
        connection.execute("UPDATE deployments SET process_started = 1 WHERE id = 3")
    (found,) = bench.history.close_interrupted()
    bench.transfer.finish(found)


def test_a_restore_that_was_killed_is_finished(bench: Bench) -> None:
    """Whether its state had been replaced or not: old data under a new release there is never."""
    interrupted(bench, "snapshot before")
    assert bench.driver.states == {"test": "old"}
    current = bench.history.current("test")
    assert current is not None
    assert (current.release, current.cause.source) == (RELEASE, "snapshot before")
    assert bench.said("finishing") == ["the restore of snapshot before"]


def test_a_deployment_that_was_killed_is_no_restore(bench: Bench) -> None:
    """It is repaired by `up`."""
    interrupted(bench, None)
    assert bench.driver.calls == []


def test_a_restore_that_can_not_be_finished_stops_nobody(bench: Bench) -> None:
    """The snapshot is gone: said once, and the command goes on."""
    bench.snapshots.delete("before", [])
    interrupted(bench, "snapshot before")
    assert bench.said("can't finish") == ["its restore: there is no snapshot before"]
    assert bench.driver.states == {"test": "new"}


def test_copy_replaces_the_state_with_names_rewritten(bench: Bench) -> None:
    """The release of the target is deployed again, its artifact checked before anything stops."""
    bench.deployed(PROD, OTHER)
    bench.driver.states = {"test": "arn:aws:iam::111111111111:role/o-test", "prod": "mine"}
    bench.driver.running = {"test", "prod"}
    bench.lifecycle.error = NotReady("enough")
    bench.transfer.copy(TEST, PROD, timeout=5)
    assert bench.driver.states["prod"] == "arn:aws:iam::333333333333:role/o-prod"
    assert bench.driver.states["test"] == "arn:aws:iam::111111111111:role/o-test"
    assert bench.driver.calls == ["stop prod", "load prod", "start prod"]
    assert bench.lifecycle.built == ["d2"]
    assert bench.snapshots.names() == ["before"]


def test_copy_into_one_that_never_was_deployed_takes_the_release_of_the_source(bench: Bench) -> None:
    """With the address that the target will have, which only a start decides."""
    bench.driver.states = {"test": "http://127.0.0.1:4600/111111111111/q"}
    bench.driver.running = {"test"}
    bench.lifecycle.error = NotReady("enough")
    bench.transfer.copy(TEST, PROD, timeout=5)
    assert bench.driver.states["prod"] == "http://127.0.0.1:4633/333333333333/q"
    assert bench.driver.calls == ["start prod", "stop prod", "stop prod", "load prod", "start prod"]
    assert bench.lifecycle.built == ["d2"]


def test_a_copy_that_can_not_be_loaded_leaves_the_target_as_it_was(bench: Bench) -> None:
    """It serves its old state again, if it did before."""
    bench.driver.states = {"test": "theirs", "prod": "mine"}
    bench.driver.running, bench.driver.refuses = {"test", "prod"}, {"prod"}
    bench.deployed(PROD, OTHER)
    with pytest.raises(MultistackError, match="environment prod: the disk is full"):
        bench.transfer.copy(TEST, PROD, timeout=5)
    assert bench.driver.states["prod"] == "mine"
    assert bench.driver.running == {"test", "prod"}
    bench.driver.running.remove("prod")
    with pytest.raises(MultistackError, match="environment prod: the disk is full"):
        bench.transfer.copy(TEST, PROD, timeout=5)
    assert bench.driver.running == {"test"}


def test_copy_needs_two_environments(bench: Bench) -> None:
    """Nothing happens to the one."""
    with pytest.raises(ConfigError, match="test can't be copied into itself"):
        bench.transfer.copy(TEST, TEST, timeout=5)
    assert bench.driver.calls == []


def test_copy_of_drivers_that_differ_is_refused(bench: Bench) -> None:
    """One emulator can't read the other's state."""
    other = replace(PROD, driver=DriverName.LOCALSTACK)
    with pytest.raises(ConfigError, match="of driver embedded, which that of prod, localstack, can't read"):
        bench.transfer.copy(TEST, other, timeout=5)


def test_copy_of_a_container_is_refused(bench: Bench) -> None:
    """Its state can't be given other names, and nothing is touched."""
    source, target = (replace(one, driver=DriverName.LOCALSTACK) for one in (TEST, PROD))
    with pytest.raises(ConfigError, match="driver localstack can't be given another account's names"):
        bench.transfer.copy(source, target, timeout=5)
    assert bench.driver.calls == []


def test_copy_of_nothing_is_refused(bench: Bench) -> None:
    """Neither has a release that could be deployed."""
    staging = replace(TEST, name="staging")
    with pytest.raises(NotReady, match="nothing was deployed into staging yet"):
        bench.transfer.copy(staging, PROD, timeout=5)


def test_copy_without_the_artifact_touches_nothing(bench: Bench) -> None:
    """What could not be deployed afterwards is not begun."""
    bench.stored.clear()
    with pytest.raises(ArtifactError, match="no artifact d2"):
        bench.transfer.copy(TEST, PROD, timeout=5)
    assert bench.driver.calls == []


def test_a_full_disk_is_one_line(bench: Bench) -> None:
    """Not even half a snapshot stays."""
    (bench.root / "snapshots").rename(bench.root / "away")
    (bench.root / "snapshots").write_text("in the way")
    with pytest.raises(MultistackError, match="can't write snapshot more: Not a directory"):
        bench.transfer.save("more", [TEST], replace=False)
