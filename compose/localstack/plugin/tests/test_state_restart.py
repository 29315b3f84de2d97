"""LocalStack is killed, its checkpoints are damaged or copied: what it starts from, and what it says of that."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from localstack_process import LocalStackProcess
from state_scenarios import eventually

# Seconds after which whatever was acknowledged is in a checkpoint: one, and some for a busy machine.
_SAFE = 2.5


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStackProcess]:
    """A LocalStack for all tests of this module, since a start takes seconds."""
    localstack = LocalStackProcess(tmp_path_factory.mktemp("localstack"))
    localstack.start()
    yield localstack
    localstack.kill()


@pytest.fixture
def localstack(shared: LocalStackProcess) -> LocalStackProcess:
    """It runs, whatever the test before did to it."""
    if not shared.is_running():
        shared.start()
    return shared


def put(localstack: LocalStackProcess, name: str, value: str) -> None:
    """Set a parameter."""
    localstack.client("ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)


def get(localstack: LocalStackProcess, name: str) -> str:
    """A parameter's value, or nothing if it is not there."""
    found = localstack.client("ssm").get_parameters(Names=[name])["Parameters"]
    return str(found[0]["Value"]) if found else ""


def told(localstack: LocalStackProcess) -> str:
    """What its route says is wrong with its state."""
    status, body = localstack.get("/_multistack/state")
    assert status == 200
    return str(json.loads(body)["problem"])


def put_and_wait(localstack: LocalStackProcess, name: str, value: str) -> Path:
    """Set a parameter; returns the checkpoint that has it."""
    before = localstack.checkpoints()[:1]
    put(localstack, name, value)
    eventually(lambda: localstack.checkpoints()[:1] != before)
    time.sleep(0.3)
    return localstack.checkpoints()[0]


def test_killed_under_load_loses_a_second(localstack: LocalStackProcess) -> None:
    """Whatever was acknowledged some seconds before a kill is there after, and nothing is there by half."""
    s3, sqs = localstack.client("s3"), localstack.client("sqs")
    s3.create_bucket(Bucket="load", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    url = sqs.create_queue(QueueName="load")["QueueUrl"]
    acknowledged: list[tuple[float, int]] = []
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            try:
                s3.put_object(Bucket="load", Key=f"{number:06}", Body=str(number).encode() * 1000)
                sqs.send_message(QueueUrl=url, MessageBody=str(number))
            except Exception:  # it was killed
                return
            acknowledged.append((time.monotonic(), number))
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    eventually(lambda: len(acknowledged) > 30)
    time.sleep(2 * _SAFE)
    killed = time.monotonic()
    localstack.kill()
    ended.set()
    writer.join()
    safe = max(number for at, number in acknowledged if at < killed - _SAFE)
    assert safe > 20

    localstack.start()
    s3, sqs = localstack.client("s3"), localstack.client("sqs")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="load")
    found = [int(each["Key"]) for page in pages for each in page.get("Contents", [])]
    assert found == list(range(len(found)))
    assert len(found) > safe
    assert all(_content(s3, number) == str(number).encode() * 1000 for number in found[-20:])
    waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert int(waiting["ApproximateNumberOfMessages"]) > safe
    assert localstack.condition()["problem"] == ""


def _content(s3: Any, number: int) -> bytes:
    return bytes(s3.get_object(Bucket="load", Key=f"{number:06}")["Body"].read())


def test_stopped_loses_nothing(localstack: LocalStackProcess) -> None:
    """What was acknowledged right before a stop is there after."""
    for number in range(5):
        put(localstack, "last", str(number))
    localstack.stop()
    localstack.start()
    assert get(localstack, "last") == "4"
    assert localstack.condition()["restored"].startswith("checkpoint ")


def test_nothing_is_written_while_nothing_happens(localstack: LocalStackProcess) -> None:
    """Reading writes no checkpoints."""
    put_and_wait(localstack, "still", "1")
    time.sleep(_SAFE)
    before = localstack.checkpoints()
    for _ in range(10):
        assert get(localstack, "still") == "1"
        time.sleep(0.3)
    assert localstack.checkpoints() == before


def test_broken_newest_checkpoint(localstack: LocalStackProcess) -> None:
    """A cut checkpoint is put aside, the one before it restored, and the condition says what that means."""
    put_and_wait(localstack, "broken", "before")
    newest = put_and_wait(localstack, "broken", "after")
    localstack.kill()
    newest = localstack.checkpoints()[0]
    newest.write_bytes(newest.read_bytes()[:-10])
    localstack.start()
    assert get(localstack, "broken") == "before"
    problem = localstack.condition()["problem"]
    assert "what was written after is lost" in problem
    assert newest.with_suffix(".broken").exists()
    assert told(localstack) == problem
    put_and_wait(localstack, "broken", "again")
    localstack.stop()
    localstack.start()
    assert (get(localstack, "broken"), localstack.condition()["problem"]) == ("again", "")


def test_state_that_can_not_be_saved_is_told(localstack: LocalStackProcess) -> None:
    """Over HTTP, where the driver asks for it: what is wrong while it is, and nothing once it is mended."""
    put_and_wait(localstack, "told", "1")
    assert told(localstack) == ""
    folder, aside = localstack.state / "checkpoints", localstack.state / "elsewhere"
    folder.rename(aside)
    folder.touch()
    put(localstack, "told", "2")
    eventually(lambda: told(localstack).startswith("its state can't be saved: "))
    folder.unlink()
    aside.rename(folder)
    eventually(lambda: told(localstack) == "")


def test_foreign_page_is_told_nothing_of_the_state(localstack: LocalStackProcess) -> None:
    """The route lies behind the guard, and no other method is answered by it."""
    assert localstack.get("/_multistack/state", {"Host": "evil.example"})[0] == 403
    assert localstack.get("/_multistack/state", {"Origin": "https://evil.example"})[0] == 403
    assert localstack.get("/_multistack/state/x")[0] == 404


def test_no_whole_checkpoint(localstack: LocalStackProcess) -> None:
    """LocalStack starts empty, says so, and removes nothing that somebody may still want."""
    localstack.client("s3").create_bucket(
        Bucket="rescued", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    localstack.client("s3").put_object(Bucket="rescued", Key="k", Body=b"x")
    localstack.stop()
    for path in localstack.checkpoints():
        path.write_bytes(path.read_bytes()[:-1])
    before = set((localstack.state / "objects").iterdir())
    localstack.start()
    assert before <= set((localstack.state / "objects").iterdir())
    assert localstack.condition()["problem"].startswith("it started empty: no checkpoint was whole")
    assert not localstack.client("s3").list_buckets()["Buckets"]


def test_missing_object_breaks_its_checkpoint(localstack: LocalStackProcess) -> None:
    """A checkpoint without one of the files it needs is no whole one."""
    s3 = localstack.client("s3")
    s3.create_bucket(Bucket="lost", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    before = set((localstack.state / "objects").iterdir())
    s3.put_object(Bucket="lost", Key="k", Body=b"x")
    localstack.stop()
    for path in set((localstack.state / "objects").iterdir()) - before:
        path.unlink()
    localstack.start()
    assert "objects are missing" in localstack.condition()["problem"]
    put_and_wait(localstack, "a", "2")
    localstack.stop()
    localstack.start()
    assert localstack.condition()["problem"] == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format": 2}, "this image reads up to 1.1"),
        ({"layout": 2}, "this image reads up to 1.1"),
        ({"emulator": "localstack 5.0.0"}, "is of localstack 5.0.0"),
        ({"emulator": "ministack 1.5.33", "layout": None}, "ministack 1.5.33 wrote it"),
    ],
    ids=["newer format", "newer layout", "newer LocalStack", "another emulator"],
)
def test_foreign_checkpoint_is_refused(
    localstack: LocalStackProcess, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    """LocalStack does not start with an empty or older state in the place of one that it can't read."""
    assert localstack.command("checkpoint").returncode == 0
    other = LocalStackProcess(tmp_path, {"EAGER_SERVICE_LOADING": "0"})
    shutil.copytree(localstack.state, other.state)
    newest = other.checkpoints()[0]
    newest.write_bytes(_rewritten(newest.read_bytes(), changed))
    before = {path: path.read_bytes() for path in other.checkpoints()}
    other.spawn()
    try:
        assert other.wait() == 3
    finally:
        other.kill()
    assert said in other.log
    assert {path: path.read_bytes() for path in other.checkpoints()} == before


def _rewritten(content: bytes, changed: dict[str, Any]) -> bytes:
    """A checkpoint with other fields in its first line, as whole as before."""
    from multistack_localstack.state import checkpoint

    first, _, body = content.partition(b"\n")
    described = {key: value for key, value in (json.loads(first) | changed).items() if value is not None}
    return checkpoint._line({**described, "sha256": checkpoint._digest(described, body)}) + body


def test_checkpoint_on_request_can_be_copied(localstack: LocalStackProcess, tmp_path: Path) -> None:
    """Once the command has ended, the folder holds all that was acknowledged before, for another LocalStack, too."""
    put(localstack, "copied", "x")
    localstack.client("s3").create_bucket(
        Bucket="copied", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    localstack.client("s3").put_object(Bucket="copied", Key="k", Body=b"content")
    began = datetime.now(UTC)
    done = localstack.command("checkpoint")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    header = json.loads(localstack.checkpoints()[0].read_bytes().partition(b"\n")[0])
    assert datetime.fromisoformat(header["at"]) >= began
    assert (header["emulator"], header["account_id"]) == ("localstack 4.14.0", "111111111111")

    other = LocalStackProcess(tmp_path)
    try:
        shutil.copytree(localstack.state, other.state)
        other.start()
        assert get(other, "copied") == "x"
        assert other.client("s3").get_object(Bucket="copied", Key="k")["Body"].read() == b"content"
    finally:
        other.kill()


def test_command_without_localstack(localstack: LocalStackProcess) -> None:
    """Nobody answers: exit code 1 and one line."""
    localstack.stop()
    done = localstack.command("checkpoint")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_stack_in_progress_is_taken_back_after(localstack: LocalStackProcess) -> None:
    """A deployment that a kill interrupted is rolled back by the next start."""
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
    resources = {f"Parameter{number}": parameter for number in range(300)}
    cloudformation, named = localstack.client("cloudformation"), {"StackName": "interrupted", "ChangeSetName": "c"}
    body = json.dumps({"Resources": resources})
    cloudformation.create_change_set(**named, ChangeSetType="CREATE", TemplateBody=body)
    cloudformation.get_waiter("change_set_create_complete").wait(**named, WaiterConfig={"Delay": 1})
    cloudformation.execute_change_set(**named)
    assert localstack.command("checkpoint").returncode == 0
    localstack.kill()
    localstack.start()
    cloudformation = localstack.client("cloudformation")

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName="interrupted")["Stacks"][0]["StackStatus"])

    eventually(lambda: not status().endswith("_IN_PROGRESS"))
    assert status() == "ROLLBACK_COMPLETE"
    pages = localstack.client("ssm").get_paginator("describe_parameters").paginate()
    left = [one["Name"] for page in pages for one in page["Parameters"] if one["Name"].startswith("interrupted-")]
    # The one that was just being made may be in the checkpoint before the stack knew of it.
    assert len(left) <= 1
    events = cloudformation.describe_stack_events(StackName="interrupted")["StackEvents"]
    reasons = {event["ResourceStatus"]: event.get("ResourceStatusReason") for event in events[::-1]}
    assert reasons["ROLLBACK_IN_PROGRESS"] == "LocalStack stopped while this was in progress"
    assert cloudformation.describe_change_set(**named)["ExecutionStatus"] == "EXECUTE_FAILED"


def test_a_page_with_a_rebound_name_gets_nothing(localstack: LocalStackProcess) -> None:
    """Only hosts that no page can have are answered, and no foreign page is."""
    health = "/_localstack/health"
    local = f"127.0.0.1:{localstack.port}"
    assert localstack.get(health, {"Host": "evil.example"})[0] == 403
    assert localstack.get(health, {"Host": local, "Origin": "https://evil.example"})[0] == 403
    for host in (local, "localhost", "test:4566", "sqs.eu-west-1.localhost.localstack.cloud:4566", "172.18.0.2:4566"):
        assert localstack.get(health, {"Host": host})[0] == 200, host
