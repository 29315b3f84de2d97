"""A running emulator does for its owner, who can read the token, what it does for nobody else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emulator import process
from emulator.config import process_environ, scrubbed_environ
from emulator.drivers import control, saved_state
from emulator.drivers.base import Driver
from emulator.drivers.registry import Drivers
from emulator.endpoint import client, wait_until_healthy
from emulator.errors import MultistackError, NotReady
from emulator.model import DriverName, Endpoint, Environment, Project
from emulator.opening import open_workspace
from tests.conftest import Answer, http

pytestmark = pytest.mark.embedded("its control routes")

ENVIRONMENT = Environment(name="alpha", driver=DriverName.EMBEDDED, account_id="100000000001", region="eu-west-1")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With one environment."""
    root = tmp_path_factory.mktemp("control")
    return Project(
        file=root / "multistack.toml", service="s", template=root / "template.yaml", environments=(ENVIRONMENT,)
    )


@pytest.fixture(scope="module")
def drivers(project: Project) -> Drivers:
    """Those of the project."""
    return open_workspace(project, environ=scrubbed_environ(process_environ()), emit=lambda _event: None).drivers


@pytest.fixture(scope="module")
def driver(drivers: Drivers) -> Iterator[Driver]:
    """The environment's; what runs in the end is stopped."""
    driver = drivers.of(ENVIRONMENT)
    yield driver
    driver.stop(ENVIRONMENT)


@pytest.fixture
def endpoint(driver: Driver) -> Endpoint:
    """The environment, up."""
    endpoint = driver.observe(ENVIRONMENT).endpoint or driver.start(ENVIRONMENT)
    wait_until_healthy(endpoint, timeout=30)
    return endpoint


@pytest.fixture
def folder(project: Project) -> Path:
    """Of the environment."""
    return project.environment_state(ENVIRONMENT.name)


def test_the_token_is_its_owners_and_new_at_each_start(driver: Driver, endpoint: Endpoint, folder: Path) -> None:
    """Mode 600; one that leaked is worth nothing after a restart."""
    before = (folder / control.TOKEN_FILE).read_text()
    assert (folder / control.TOKEN_FILE).stat().st_mode & 0o777 == 0o600
    driver.stop(ENVIRONMENT)
    again = driver.start(ENVIRONMENT)
    wait_until_healthy(again, timeout=30)
    assert (folder / control.TOKEN_FILE).read_text() != before
    assert ask(again, "POST", "/_multistack/checkpoint", token=before).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/_multistack/checkpoint",
        "/_multistack/snapshot",
        "/_multistack/restore",
        "/_multistack/reset",
        "/_multistack/clock",
        "/_ministack/reset",
        "/_ministack/config",
    ],
)
def test_nobody_else_changes_anything(endpoint: Endpoint, path: str) -> None:
    """Neither without a token nor with a wrong one."""
    put(endpoint, "kept")
    for token in (None, "", "wrong"):
        assert ask(endpoint, "POST", path, token=token).status == 403
    assert value(endpoint) == "kept"


def test_a_token_does_not_open_it_to_other_hosts(endpoint: Endpoint, folder: Path) -> None:
    """A request whose Host is not loopback comes from a page with a rebound name."""
    headers = {control.HEADER: (folder / control.TOKEN_FILE).read_text(), "Host": "evil.example"}
    answer = http("POST", f"{endpoint.url}/_multistack/checkpoint", b"{}", headers=headers)
    assert answer.status == 403
    assert "Host" in answer.json()["message"]


def test_health_needs_no_token(endpoint: Endpoint) -> None:
    """MiniStack's, LocalStack's, and what is wrong with the state."""
    for path in ("/_ministack/health", "/_localstack/health", "/_multistack/state"):
        assert ask(endpoint, "GET", path).status == 200


def test_a_checkpoint_is_there_when_it_is_answered(endpoint: Endpoint, folder: Path) -> None:
    """What was written before is in it."""
    put(endpoint, "now")
    control.ask(endpoint, folder, "checkpoint", {}, timeout=60)
    assert b'"now"' in (saved_state.newest(folder / saved_state.STATE).payload or b"")


def test_a_reset_empties_it(endpoint: Endpoint, folder: Path) -> None:
    """On the disk, too: a kill right after it brings nothing back."""
    put(endpoint, "gone")
    control.ask(endpoint, folder, "reset", {}, timeout=60)
    assert client(endpoint, "ssm").get_parameters(Names=["p"])["Parameters"] == []
    assert b'"gone"' not in (saved_state.newest(folder / saved_state.STATE).payload or b"")


def test_a_moved_clock_brings_what_was_delayed(endpoint: Endpoint, folder: Path) -> None:
    """A message that waits for fifteen minutes is there at once; the clock goes back as well."""
    sqs = client(endpoint, "sqs")
    queue = sqs.create_queue(QueueName="delayed")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=900)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    control.ask(endpoint, folder, "clock", {"offset": 901}, timeout=60)
    try:
        assert [message["Body"] for message in sqs.receive_message(QueueUrl=queue)["Messages"]] == ["later"]
        control.ask(endpoint, folder, "checkpoint", {}, timeout=60)
    finally:
        control.ask(endpoint, folder, "clock", {"offset": 0}, timeout=60)
    sqs.send_message(QueueUrl=queue, MessageBody="much later", DelaySeconds=900)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


@pytest.mark.parametrize("offset", [None, "1", True, 1e300], ids=str)
def test_a_clock_goes_only_to_a_time_that_there_is(endpoint: Endpoint, folder: Path, offset: object) -> None:
    """Anything else is refused in one line."""
    with pytest.raises(MultistackError, match="the clock needs an offset in seconds"):
        control.ask(endpoint, folder, "clock", {"offset": offset}, timeout=60)


def test_a_running_environment_is_saved_and_loaded_again(
    driver: Driver, endpoint: Endpoint, folder: Path, tmp_path: Path
) -> None:
    """Parameters and objects as they were; what came later is gone."""
    put(endpoint, "saved")
    store = client(endpoint, "s3")
    store.create_bucket(Bucket="things", CreateBucketConfiguration={"LocationConstraint": ENVIRONMENT.region})
    store.put_object(Bucket="things", Key="deep/key", Body=b"saved")
    driver.save(ENVIRONMENT, tmp_path / "copies/one")
    put(endpoint, "later")
    store.put_object(Bucket="things", Key="deep/key", Body=b"later")
    store.put_object(Bucket="things", Key="other", Body=b"later")
    driver.stop(ENVIRONMENT)
    driver.load(ENVIRONMENT, tmp_path / "copies/one")
    again = driver.start(ENVIRONMENT)
    wait_until_healthy(again, timeout=30)
    assert value(again) == "saved"
    listed = client(again, "s3").list_objects_v2(Bucket="things")["Contents"]
    assert [one["Key"] for one in listed] == ["deep/key"]
    assert client(again, "s3").get_object(Bucket="things", Key="deep/key")["Body"].read() == b"saved"


def test_a_copy_under_load_is_of_one_moment(driver: Driver, endpoint: Endpoint, tmp_path: Path) -> None:
    """
    Requests wait while it is taken, and none fails.

    Each writes an object, then a parameter: a copy never has a parameter whose object it lacks.
    """
    store, stop, written = client(endpoint, "s3"), threading.Event(), []
    put(endpoint, "before")
    store.create_bucket(Bucket="pairs", CreateBucketConfiguration={"LocationConstraint": ENVIRONMENT.region})

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            store.put_object(Bucket="pairs", Key=f"{number}", Body=b"x")
            put(endpoint, str(number))
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for name in "abc":
            driver.save(ENVIRONMENT, tmp_path / name)
    finally:
        stop.set()
        writer.join()
    assert written[-1] == len(written)
    for name in "abc":
        _, payload = saved_state.read_copy(tmp_path / name)
        objects = {path.name for path in (tmp_path / name).rglob("pairs/*")}
        (parameter,) = json.loads(payload)["ssm"]["payload"]["parameters"]["data"].values()
        assert parameter["Value"] == "before" or parameter["Value"] in objects


def test_a_copy_that_cannot_be_written_is_refused_in_one_line(
    driver: Driver, endpoint: Endpoint, tmp_path: Path
) -> None:
    """The environment goes on."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(MultistackError, match=r"^environment alpha: can't write .*/taken: File exists$"):
        driver.save(ENVIRONMENT, tmp_path / "taken")
    with pytest.raises(MultistackError, match="absolute path"):
        control.ask(endpoint, folder_of(driver, endpoint), "snapshot", {"folder": "relative"}, timeout=60)
    assert driver.observe(ENVIRONMENT).endpoint == endpoint


def test_a_running_environment_takes_no_other_state(driver: Driver, endpoint: Endpoint, tmp_path: Path) -> None:
    """It would write over it with its next checkpoint."""
    driver.save(ENVIRONMENT, tmp_path / "one")
    with pytest.raises(NotReady, match="is running"):
        driver.load(ENVIRONMENT, tmp_path / "one")


def test_a_saved_state_is_put_back_without_a_restart(
    driver: Driver, drivers: Drivers, endpoint: Endpoint, folder: Path, tmp_path: Path
) -> None:
    """Parameters, objects and what was made since: all is as it was saved, on the disk too, in the same process."""
    s3 = client(endpoint, "s3")
    s3.create_bucket(Bucket="back", CreateBucketConfiguration={"LocationConstraint": endpoint.region})
    s3.put_object(Bucket="back", Key="kept", Body=b"as it was")
    put(endpoint, "as it was")
    driver.save(ENVIRONMENT, tmp_path / "one")
    before = driver.observe(ENVIRONMENT).process
    put(endpoint, "changed")
    s3.put_object(Bucket="back", Key="kept", Body=b"changed")
    s3.put_object(Bucket="back", Key="made since", Body=b"")
    assert drivers.load_running(ENVIRONMENT, tmp_path / "one")
    assert value(endpoint) == "as it was"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="back")["Contents"]] == ["kept"]
    assert s3.get_object(Bucket="back", Key="kept")["Body"].read() == b"as it was"
    assert driver.observe(ENVIRONMENT).process == before
    assert b'"as it was"' in (saved_state.newest(folder / saved_state.STATE).payload or b"")


def test_a_state_that_can_not_be_put_back_changes_nothing(
    driver: Driver, drivers: Drivers, endpoint: Endpoint, tmp_path: Path
) -> None:
    """A broken copy, and that of another account; a stopped environment is loaded by other means."""
    put(endpoint, "kept")
    driver.save(ENVIRONMENT, tmp_path / "one")
    with pytest.raises(MultistackError, match="its account is 100000000001, not 100000000002"):
        drivers.load_running(replace(ENVIRONMENT, account_id="100000000002"), tmp_path / "one")
    (tmp_path / "one" / "checkpoint").write_bytes(b"broken")
    with pytest.raises(MultistackError):
        drivers.load_running(ENVIRONMENT, tmp_path / "one")
    assert value(endpoint) == "kept"
    driver.stop(ENVIRONMENT)
    assert drivers.load_running(ENVIRONMENT, tmp_path / "one") is False


def test_another_accounts_state_is_refused(driver: Driver, endpoint: Endpoint, tmp_path: Path) -> None:
    """Nothing in it would be found."""
    driver.save(ENVIRONMENT, tmp_path / "one")
    other = replace(ENVIRONMENT, name="other", account_id="100000000002")
    with pytest.raises(MultistackError, match="its account is 100000000001, not 100000000002"):
        driver.load(other, tmp_path / "one")


def test_a_killed_environment_is_saved_from_its_last_checkpoint(
    driver: Driver, endpoint: Endpoint, folder: Path, tmp_path: Path
) -> None:
    """And without any state there is nothing to save."""
    put(endpoint, "stopped")
    driver.stop(ENVIRONMENT)
    driver.save(ENVIRONMENT, tmp_path / "one")
    assert b'"stopped"' in saved_state.read_copy(tmp_path / "one")[1]
    assert not process.is_running(folder)
    with pytest.raises(MultistackError, match="has no state to save: it never ran"):
        driver.save(replace(ENVIRONMENT, name="never"), tmp_path / "two")


def ask(endpoint: Endpoint, method: str, path: str, *, token: str | None = None) -> Answer:
    """One request, as anybody can make it."""
    headers = {} if token is None else {control.HEADER: token}
    return http(method, endpoint.url + path, b"{}" if method == "POST" else None, headers=headers)


def folder_of(driver: Driver, endpoint: Endpoint) -> Path:
    """Where the emulator at *endpoint* logs."""
    instance = driver.observe(ENVIRONMENT)
    assert instance.endpoint == endpoint
    assert instance.process is not None
    return Path(f"/proc/{instance.process.pid}/cwd").readlink()


def put(endpoint: Endpoint, text: str) -> None:
    """The smallest write."""
    client(endpoint, "ssm").put_parameter(Name="p", Value=text, Type="String", Overwrite=True)


def value(endpoint: Endpoint) -> str:
    """What was put last."""
    return str(client(endpoint, "ssm").get_parameter(Name="p")["Parameter"]["Value"])
