"""``multistack snapshot``: what was saved comes back whole, also past kills, full disks and damaged files."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import checkpoint
from emulator.endpoint import client as aws_client
from emulator.model import Endpoint
from tests.conftest import ProjectFolder, copy_sample, http
from tests.drivers import driver_name, emulator_of, is_embedded
from tests.functional.tiny import refused

OWN_DRIVER = f'"{driver_name()}"'.encode()
NO_COPY = pytest.mark.embedded("a container's state can't be given another account's names")


def put(project: ProjectFolder, environment: str, order: str) -> None:
    """Place an order."""
    body = {"id": order, "item": "lamp", "qty": 1, "price": 5}
    assert http("POST", project.url(environment, "orders"), body).status == 201


def orders(project: ProjectFolder, environment: str) -> set[str]:
    """The ids of all orders."""
    answer = http("GET", project.url(environment, "orders"))
    assert answer.status == 200, answer.body
    return {order["id"] for order in answer.json()["orders"]}


def served(project: ProjectFolder, environment: str) -> tuple[str, frozenset[str]]:
    """The release that a function says it is of, which must be the recorded one, and the orders there."""
    config = http("GET", project.url(environment, "config")).json()
    assert config["environment"] == environment
    assert config["release"] == project.status()[environment]["release"]
    return config["release"], frozenset(orders(project, environment))


def deploy_other_config(project: ProjectFolder, *environments: str) -> None:
    """Another release in *environments*."""
    file = project.folder / "multistack.toml"
    file.write_text(
        file.read_text().replace("PageSize = 5\n", "PageSize = 6\n").replace("PageSize = 20", "PageSize = 21")
    )
    project.run("deploy", *environments)


def folder_of(project: ProjectFolder, name: str, environment: str) -> Path:
    """One snapshot of one environment."""
    return project.folder / ".multistack/snapshots" / name / environment


def names(project: ProjectFolder) -> list[tuple[str, str]]:
    """What ``list`` lists."""
    return [(row["name"], row["environment"]) for row in json.loads(project.run("snapshot", "list", "--json").stdout)]


def test_restore_brings_back_data_stack_and_release(project: ProjectFolder) -> None:
    """Afterwards up has nothing to do; the neighbour, and what was saved of it, are left alone."""
    project.run("up", "test", "staging")
    put(project, "test", "kept")
    old = served(project, "test")
    saved = project.run("snapshot", "save", "before", "test", "staging")
    assert saved.stdout.startswith("saved before: test, staging (")
    put(project, "staging", "theirs")
    put(project, "test", "lost")
    deploy_other_config(project, "test")
    assert served(project, "test")[1] == {"kept", "lost"}
    restored = project.run("snapshot", "restore", "before", "test")
    assert "restoring snapshot before" in restored.stderr
    assert served(project, "test") == old
    assert "nothing to do" in project.run("up", "test", "staging").stderr
    assert orders(project, "staging") == {"theirs"}
    put(project, "test", "after")
    assert orders(project, "test") == {"kept", "after"}


def test_a_stopped_environment_is_saved_and_restored_stopped(project: ProjectFolder) -> None:
    """Nothing is started for it; the state is there with the next up."""
    project.run("up", "test")
    put(project, "test", "kept")
    project.run("down")
    project.run("snapshot", "save", "stopped", "test")
    project.run("up", "test")
    put(project, "test", "lost")
    project.run("down")
    restored = project.run("snapshot", "restore", "stopped")
    assert project.status()["test"]["status"] == "stopped"
    assert project.processes() == []
    assert restored.stdout.splitlines()[1].startswith("test         stopped")
    assert "deployed" not in project.run("up", "test").stderr
    assert orders(project, "test") == {"kept"}


def test_list_shows_what_there_is(project: ProjectFolder) -> None:
    """Aligned, oldest first, in promotion order; the same as JSON; empty at first."""
    assert "no snapshots" in project.run("snapshot", "list").stderr
    assert names(project) == []
    project.run("up", "test", "staging")
    project.run("snapshot", "save", "zero", "test", "staging")
    project.run("snapshot", "save", "again", "test")
    assert names(project) == [("zero", "test"), ("zero", "staging"), ("again", "test")]
    row = json.loads(project.run("snapshot", "list", "--json").stdout)[0]
    status = project.status()["test"]
    assert (row["release"], row["digest"], row["config_hash"]) == (
        status["release"],
        status["digest"],
        status["config_hash"],
    )
    assert (row["driver"], row["account_id"], row["region"]) == (driver_name(), "111111111111", "eu-west-1")
    assert row["size"] > 1000
    lines = project.run("snapshot", "list").stdout.splitlines()
    assert len(lines) == 4
    for heading in ("ENVIRONMENT", "TAKEN AT", "RELEASE", "DRIVER", "SIZE"):
        column = lines[0].index(heading)
        assert all(line[column - 1] == " " and line[column] != " " for line in lines[1:])
    assert project.run("snapshot", "delete", "zero", "staging").stdout == "deleted zero: staging\n"
    assert project.run("snapshot", "delete", "again").stdout == "deleted again: test\n"
    assert names(project) == [("zero", "test")]


def test_snapshots_are_for_their_owner_only(project: ProjectFolder) -> None:
    """They hold secrets."""
    project.run("up", "test")
    project.run("snapshot", "save", "before", "test")
    root = project.folder / ".multistack/snapshots"
    for path in (root, *root.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_protected_environments_need_consent(project: ProjectFolder) -> None:
    """Neither restore nor copy touches prod without --yes, whoever else is named."""
    project.run("up", "test", "prod")
    project.run("snapshot", "save", "before", "test", "prod")
    put(project, "prod", "real")
    put(project, "test", "mine")
    assert "prod is protected" in refused(project, "snapshot", "restore", "before", code=2)
    if is_embedded():
        assert "prod is protected" in refused(project, "snapshot", "copy", "test", "prod", code=2)
    assert (orders(project, "prod"), orders(project, "test")) == ({"real"}, {"mine"})
    project.run("snapshot", "restore", "before", "--yes")
    assert (orders(project, "prod"), orders(project, "test")) == (set(), set())


@NO_COPY
def test_copy_puts_the_data_of_one_into_another(project: ProjectFolder) -> None:
    """Data of the one; account, names, code and config of the other; each goes its own way from then on."""
    project.run("up", "test", "prod")
    put(project, "test", "copied")
    queue = client(project, "test", "sqs").create_queue(QueueName="waiting-orders-test")["QueueUrl"]
    reply_to = {"ReplyTo": {"DataType": "String", "StringValue": queue}}
    client(project, "test", "sqs").send_message(QueueUrl=queue, MessageBody=queue, MessageAttributes=reply_to)
    before = project.status()
    project.run("snapshot", "copy", "test", "prod", "--yes")
    assert project.status()["prod"]["release"] == before["prod"]["release"]
    config = http("GET", project.url("prod", "config")).json()
    assert (config["environment"], config["config"]["PageSize"]) == ("prod", 50)
    put(project, "prod", "own")
    assert (orders(project, "prod"), orders(project, "test")) == ({"copied", "own"}, {"copied"})
    until_processed(project, "prod", "own")
    assert "nothing to do" in project.run("up", "test", "prod").stderr
    put(project, "test", "later")
    assert orders(project, "prod") == {"copied", "own"}
    project.run("down")
    project.run("up", "test", "prod")
    assert orders(project, "prod") == {"copied", "own"}
    assert left_of(project, "prod", b"111111111111", b"orders-test") == []
    check_waiting(project)


def check_waiting(project: ProjectFolder) -> None:
    """The message that nobody had taken yet is prod's now, and passes the checks that clients make of it."""
    sqs = client(project, "prod", "sqs")
    queue = sqs.get_queue_url(QueueName="waiting-orders-prod")["QueueUrl"]
    asked = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["SenderId"]}
    (message,) = sqs.receive_message(QueueUrl=queue, **asked)["Messages"]
    assert message["Body"] == message["MessageAttributes"]["ReplyTo"]["StringValue"] == queue
    assert message["Attributes"]["SenderId"] == "333333333333"
    # botocore checks no hash of what it receives; other clients do. Sent once more, both are made anew.
    sent = sqs.send_message(QueueUrl=queue, MessageBody=queue, MessageAttributes=message["MessageAttributes"])
    for made in ("MD5OfMessageBody", "MD5OfMessageAttributes"):
        assert message[made.replace("MessageBody", "Body")] == sent[made]


def client(project: ProjectFolder, environment: str, service: str) -> Any:
    """A boto3 client of one environment."""
    status = project.status()[environment]
    place = {key: status[key] for key in ("environment", "account_id", "region")}
    return aws_client(Endpoint(url=status["endpoint"], **place), service)


def until_processed(project: ProjectFolder, environment: str, order: str) -> None:
    """Its message went through the queue of its own environment to the worker."""
    deadline = time.monotonic() + 60
    while http("GET", project.url(environment, f"orders/{order}")).json()["status"] != "processed":
        assert time.monotonic() < deadline, "the worker never saw the order"
        time.sleep(0.05)


def left_of(project: ProjectFolder, environment: str, *words: bytes) -> list[str]:
    """The saved texts of an environment that hold one of *words*."""
    project.run("snapshot", "save", "look", environment, "--replace")
    state = folder_of(project, "look", environment) / "state"
    texts = {str(path): path.read_bytes() for path in state.rglob("*.json")}
    # What functions logged before the copy is data.
    services = json.loads(checkpoint.read(state / "checkpoint")[1])
    texts |= {name: json.dumps(content).encode() for name, content in services.items() if name != "cloudwatch_logs"}
    texts |= {str(path): str(path.relative_to(state)).encode() for path in state.rglob("*")}
    return [name for name, text in texts.items() if any(word in text for word in words)]


@NO_COPY
def test_copy_makes_an_environment_that_never_was_up(project: ProjectFolder) -> None:
    """It gets the source's artifact with its own config, and queues at its own address."""
    project.run("up", "test")
    put(project, "test", "copied")
    project.run("snapshot", "copy", "test", "staging")
    config = http("GET", project.url("staging", "config")).json()
    assert (config["environment"], config["config"]["PageSize"]) == ("staging", 20)
    assert config["digest"] == project.status()["test"]["digest"]
    put(project, "staging", "own")
    until_processed(project, "staging", "own")
    assert orders(project, "staging") == {"copied", "own"}
    port = project.status()["test"]["endpoint"].rpartition(":")[2]
    assert left_of(project, "staging", f"127.0.0.1:{port}".encode()) == []


@NO_COPY
def test_copy_of_the_same_release_is_deployed_all_the_same(project: ProjectFolder) -> None:
    """Where both have the same artifact and config, functions still have to learn where they are now."""
    file = project.folder / "multistack.toml"
    text = file.read_text()
    config = text[text.index("[environments.test.config]") : text.index("[environments.staging]")]
    start, end = text.index("[environments.staging.config]"), text.index("[environments.prod]")
    file.write_text(text[:start] + config.replace("test", "staging", 1) + text[end:])
    project.run("up", "test", "staging")
    status = project.status()
    assert status["test"]["release"] == status["staging"]["release"]
    project.run("snapshot", "copy", "test", "staging")
    assert http("GET", project.url("staging", "config")).json()["environment"] == "staging"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["restore", "befroe"], 2, "hint: did you mean before?"),
        (["restore", "before", "staging"], 2, "holds no state of staging"),
        (["restore", "before", "tset"], 2, "hint: did you mean test?"),
        (["delete", "before", "staging"], 2, "hint: it holds: test"),
        (["delete", "nothing"], 2, "there is no snapshot nothing"),
        (["save", "before", "test"], 2, "hint: add --replace, or take another name"),
        (["save", "../x", "test"], 2, "can't be the name of a snapshot"),
        (["save", "other"], 1, "environment staging has no state to save"),
        (["copy", "test", "test"], 2, "test can't be copied into itself"),
        (["copy", "tset", "staging"], 2, "hint: did you mean test?"),
        pytest.param(["copy", "staging", "test"], 1, "environment staging has no state to save", marks=NO_COPY),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_can_not_be_is_refused(held: ProjectFolder, args: list[str], code: int, message: str) -> None:
    """One line says why, the exit code what kind it is, and the environment serves on."""
    before = emulator(held)
    assert message in refused(held, "snapshot", *args, code=code)
    assert emulator(held) == before
    assert orders(held, "test") == {"kept"}
    assert names(held) == [("before", "test")]


def emulator(project: ProjectFolder) -> str:
    """What tells test's emulator from a later one."""
    return emulator_of(project.folder, "test")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """Test is up with one order, and saved as ``before``; for tests that leave it so."""
    root = tmp_path_factory.mktemp("held")
    (root / "home").mkdir()
    folder = ProjectFolder(copy_sample(root / "project"), root / "home")
    folder.run("up", "test")
    put(folder, "test", "kept")
    folder.run("snapshot", "save", "before", "test")
    yield folder
    folder.run("down")
    assert folder.processes() == []


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("snapshot.json", lambda text: text.replace(b'"format": 1', b'"format": 2'), "has format 2, newer than"),
        ("snapshot.json", lambda text: text[:-9], "is broken: snapshot.json"),
        ("snapshot.json", lambda text: text.replace(OWN_DRIVER, b'"another"'), "taken with driver another"),
        ("snapshot.json", lambda text: text.replace(b'"1111', b'"2222'), "taken with account 222211111111"),
        ("state/checkpoint", lambda text: text.replace(b'"format": 1', b'"format": 2'), "has format 2"),
        ("state/checkpoint", lambda text: text[:1000], "is broken"),
        ("state/checkpoint", lambda text: b"", "is broken"),
        ("state/checkpoint", lambda text: text[:-1] + bytes([text[-1] ^ 1]), "is broken"),
        ("state/checkpoint", None, "can't be read"),
    ],
    ids=["newer", "cut", "driver", "account", "newer state", "cut state", "empty state", "changed state", "no state"],
)
def test_a_damaged_snapshot_is_refused(held: ProjectFolder, file: str, change: object, message: str) -> None:
    """Before anything is stopped; what is there is neither changed nor lost."""
    before = emulator(held)
    path = folder_of(held, "before", "test") / file
    content = path.read_bytes()
    try:
        if callable(change):
            path.write_bytes(change(content))
        else:
            path.unlink()
        assert message in refused(held, "snapshot", "restore", "before", "test", code=2 if "taken" in message else 1)
    finally:
        path.write_bytes(content)
    assert emulator(held) == before
    assert orders(held, "test") == {"kept"}


def test_a_damaged_snapshot_hides_no_other(held: ProjectFolder) -> None:
    """list shows the rest and ends with what is wrong."""
    broken = folder_of(held, "bad", "test")
    broken.mkdir(parents=True)
    try:
        done = held.run("snapshot", "list", check=False)
        assert done.returncode == 1
        assert "before" in done.stdout
        assert "error: snapshot bad of test is broken" in done.stderr
        assert "hint: multistack snapshot delete bad test" in done.stderr
    finally:
        held.run("snapshot", "delete", "bad", "test")
    assert names(held) == [("before", "test")]


def test_a_release_that_left_the_store_serves_from_the_snapshot(project: ProjectFolder) -> None:
    """What that means is said: it can't be deployed again."""
    project.run("up", "test")
    old = served(project, "test")
    project.run("snapshot", "save", "before", "test")
    source = project.folder / "src/app.py"
    source.write_text(source.read_text() + "\n# changed\n")
    project.run("deploy", "test")
    shutil.rmtree(
        project.folder
        / ".multistack/artifacts"
        / json.loads((folder_of(project, "before", "test") / "snapshot.json").read_text())["release"]["digest"]
    )
    done = project.run("snapshot", "restore", "before", "test")
    assert "is no longer in the artifact store" in done.stderr
    assert served(project, "test") == old
    assert "nothing to do" in project.run("up", "test").stderr


@pytest.mark.embedded("its state folder")
def test_a_state_with_other_apis_than_recorded_is_deployed_again(project: ProjectFolder) -> None:
    """Else up would find nothing to do and every request the answer "Not Found"."""
    project.run("up", "test")
    project.run("down", "test")
    state, other = project.folder / ".multistack/environments/test/state", project.folder / "other"
    shutil.copytree(state, other)
    project.run("reset", "test")
    project.run("down", "test")
    shutil.rmtree(state)
    other.rename(state)
    assert "redeploying" in project.run("up", "test").stderr
    assert http("GET", project.url("test", "config")).status == 200
    assert "nothing to do" in project.run("up", "test").stderr


@pytest.mark.embedded("its state folder")
def test_a_state_folder_deleted_under_its_emulator_is_named_and_mended(project: ProjectFolder) -> None:
    """By status and save, and by up, which starts it again and says why; what follows works again."""
    project.run("up", "test")
    shutil.rmtree(project.folder / ".multistack/environments/test/state")
    loss = "its state folder was deleted or moved while it ran, its S3 objects with it"
    assert f"test: {loss}; run `multistack up test`\n" in project.run("status", "test").stdout
    assert f"environment test: it can't be saved: {loss}" in refused(project, "snapshot", "save", "bad", "test", code=1)
    assert f"restarting because {loss}" in project.run("up", "test").stderr
    put(project, "test", "later")
    project.run("snapshot", "save", "good", "test")
    assert "nothing to do" in project.run("up", "test").stderr
    project.run("snapshot", "restore", "good", "test")
    assert orders(project, "test") == {"later"}


@pytest.fixture
def two_states(project: ProjectFolder) -> ProjectFolder:
    """Test has a release and an order more than in the snapshot ``before``."""
    project.run("up", "test")
    put(project, "test", "first")
    project.run("snapshot", "save", "before", "test")
    put(project, "test", "second")
    deploy_other_config(project, "test")
    return project


def kill_at(project: ProjectFolder, seconds: float, *args: str) -> bool:
    """Start a command and kill it after *seconds*; whether it was still at work."""
    command = project.start(*args)
    time.sleep(seconds)  # the moment is what is tested
    was_working = command.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(command.pid, signal.SIGKILL)
    command.communicate(timeout=60)
    return was_working


@pytest.mark.usefixtures("installed_command")
def test_a_killed_restore_is_the_old_or_the_new(two_states: ProjectFolder) -> None:
    """Data and release together, never the one with the other's; up makes it serve."""
    project = two_states
    new = served(project, "test")
    project.run("snapshot", "save", "after", "test")
    project.run("snapshot", "restore", "before", "test")
    old = served(project, "test")
    assert old[0] != new[0]
    assert old[1] < new[1]
    moments = random.Random(3)  # seeded, so that a failure can be repeated
    target = {"before": old, "after": new}
    cuts = 0
    for number in range(5):
        name = "after" if served(project, "test") == old else "before"
        cuts += kill_at(project, moments.uniform(0.15, 1.0 if number % 2 else 0.6), "snapshot", "restore", name, "test")
        up = project.run("up", "test")
        now = served(project, "test")
        assert now in (old, new), up.stderr
        project.run("snapshot", "restore", name, "test")
        assert served(project, "test") == target[name]
    assert cuts


@pytest.mark.usefixtures("installed_command")
def test_a_killed_save_is_the_old_or_the_new(two_states: ProjectFolder) -> None:
    """A snapshot that is there can be restored; one that isn't left nothing behind."""
    project = two_states
    moments = random.Random(4)
    cuts = 0
    for _ in range(4):
        cuts += kill_at(project, moments.uniform(0.1, 0.35), "snapshot", "save", "before", "test", "--replace")
        assert names(project) == [("before", "test")]
        assert orders(project, "test") == {"first", "second"}
    assert cuts
    project.run("snapshot", "save", "other", "test")
    assert sorted(path.name for path in (project.folder / ".multistack/snapshots").iterdir()) == ["before", "other"]
    project.run("snapshot", "restore", "before", "test")
    assert orders(project, "test") in ({"first"}, {"first", "second"})


@NO_COPY
@pytest.mark.usefixtures("installed_command")
def test_a_killed_copy_is_the_old_or_the_new(project: ProjectFolder) -> None:
    """Staging has its own data or test's, and always its own release and config."""
    project.run("up", "test", "staging")
    put(project, "test", "theirs")
    put(project, "staging", "mine")
    release = project.status()["staging"]["release"]
    moments = random.Random(5)
    cuts = 0
    for _ in range(4):
        cuts += kill_at(project, moments.uniform(0.2, 1.2), "snapshot", "copy", "test", "staging")
        up = project.run("up", "test", "staging")
        found = served(project, "staging")
        assert found in {(release, frozenset({"mine"})), (release, frozenset({"theirs"}))}, up.stderr
        assert orders(project, "test") == {"theirs"}
    assert cuts


@pytest.fixture
def small_disk(project: ProjectFolder) -> Iterator[ProjectFolder]:
    """Snapshots are on a disk of 120 KB, which one of the sample fits on."""
    root = project.folder / ".multistack/snapshots"
    root.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=120k,nr_inodes=500", "tmpfs", str(root)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting a small disk needs CAP_SYS_ADMIN: {mounted.stderr.strip()}")
    try:
        yield project
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)


@pytest.mark.embedded("the size of its state")
def test_a_full_disk_is_an_error_of_one_line(small_disk: ProjectFolder) -> None:
    """Of a running and of a stopped environment; the snapshot that is there stays, and what runs serves on."""
    small_disk.run("up", "test")
    put(small_disk, "test", "kept")
    small_disk.run("snapshot", "save", "fits", "test")
    for _ in range(2):
        text = refused(small_disk, "snapshot", "save", "more", "test", code=1)
        assert "No space left on device" in text
        assert names(small_disk) == [("fits", "test")]
        if small_disk.processes():
            assert orders(small_disk, "test") == {"kept"}
        small_disk.run("down")
    text = refused(small_disk, "snapshot", "copy", "test", "staging", code=1)
    assert "No space left on device" in text
    small_disk.run("snapshot", "restore", "fits")
    fillers = (small_disk.folder / ".multistack/snapshots" / f"filler{number}" for number in range(500))
    with pytest.raises(OSError, match="No space left on device"):  # not even for a folder
        collections.deque(map(Path.touch, fillers))
    small_disk.run("snapshot", "delete", "fits")
    assert names(small_disk) == []
