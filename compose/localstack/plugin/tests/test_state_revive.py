"""What was under way when LocalStack stopped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.cloudformation.stores import cloudformation_stores
from localstack.services.cloudformation.v2.entities import ChangeSet, Stack
from localstack.services.lambda_.event_source_mapping.pollers.stream_poller import StreamPoller
from localstack.services.lambda_.invocation.internal_sqs_queue import get_fake_sqs_client
from localstack.services.sqs.models import MessageMoveTask, sqs_stores
from localstack.utils.batching import Batcher
from multistack_localstack.state.revive import cloudformation, functions, queues, streams

ACCOUNT, REGION = "111111111111", "eu-west-1"


@pytest.fixture(autouse=True)
def empty_stores() -> Iterator[None]:
    """Each test begins and ends with empty stores."""
    yield
    cloudformation_stores.reset()
    sqs_stores.reset()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("CREATE_IN_PROGRESS", "CREATE_FAILED"),
        ("UPDATE_IN_PROGRESS", "UPDATE_FAILED"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"),
        ("ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"),
        ("DELETE_IN_PROGRESS", "DELETE_FAILED"),
        ("REVIEW_IN_PROGRESS", "REVIEW_IN_PROGRESS"),
        ("CREATE_COMPLETE", "CREATE_COMPLETE"),
    ],
)
def test_stack_in_progress_has_failed(before: str, after: str) -> None:
    """A deployment that nobody goes on with does not look as if somebody did."""
    stack = a_stack(before)
    cloudformation.revive(None)
    assert stack.status == after
    assert (stack.status_reason is None) is (before == after)


def test_resource_in_progress_has_failed() -> None:
    """The stack's events say which resource it was."""
    stack = a_stack("CREATE_IN_PROGRESS")
    stack.set_resource_status(
        logical_resource_id="Q", physical_resource_id=None, resource_type="AWS::SQS::Queue", status="CREATE_IN_PROGRESS"
    )
    cloudformation.revive(None)
    assert stack.resource_states["Q"]["ResourceStatus"] == "CREATE_FAILED"
    assert [event["LogicalResourceId"] for event in stack.events[:2]] == ["s", "Q"]


@pytest.mark.parametrize(
    ("status", "execution", "expected"),
    [
        ("CREATE_IN_PROGRESS", "AVAILABLE", ("FAILED", "UNAVAILABLE")),
        ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", ("CREATE_COMPLETE", "EXECUTE_FAILED")),
        ("CREATE_COMPLETE", "AVAILABLE", ("CREATE_COMPLETE", "AVAILABLE")),
    ],
)
def test_change_set_in_progress_has_failed(status: str, execution: str, expected: tuple[str, str]) -> None:
    """A change set that was planned can be executed; one whose execution was interrupted has failed."""
    change_set: Any = ChangeSet(a_stack("CREATE_COMPLETE"), {"ChangeSetName": "c"}, "{}")
    change_set.status, change_set.execution_status = status, execution
    cloudformation_stores[ACCOUNT][REGION].change_sets["c"] = change_set
    cloudformation.revive(None)
    assert (change_set.status, change_set.execution_status) == expected


def a_stack(status: str) -> Any:
    """One that is in the stores."""
    stack: Any = Stack(ACCOUNT, REGION, {"StackName": "s"}, status)
    cloudformation_stores[ACCOUNT][REGION].stacks_v2[stack.stack_id] = stack
    return stack


def test_move_of_messages_goes_on() -> None:
    """One that ran is begun again; one that has ended is not."""
    running, ended = (MessageMoveTask("a", "b") for _ in range(2))
    running.status, ended.status = "RUNNING", "COMPLETED"
    sqs_stores[ACCOUNT][REGION].move_tasks.update({"1": running, "2": ended})
    submitted: list[MessageMoveTask] = []
    queues.revive(SimpleNamespace(_message_move_task_manager=SimpleNamespace(submit=submitted.append)))
    assert submitted == [running]


def test_events_wait_for_their_function() -> None:
    """Events of asynchronous calls are handed to the function of the next LocalStack, once there is one."""
    client = get_fake_sqs_client()
    queue = client.create_queue(QueueName="before")["QueueUrl"]
    for body in ("handled", "waiting"):
        client.send_message(QueueUrl=queue, MessageBody=body)
    received = client.receive_message(QueueUrl=queue)["Messages"][0]
    client.delete_message(QueueUrl=queue, ReceiptHandle=received["ReceiptHandle"])
    client.send_message(QueueUrl=queue, MessageBody="running")
    client.receive_message(QueueUrl=queue)
    saved = functions.PendingEvents(provider_of(queue)).save()

    after = client.create_queue(QueueName="after")["QueueUrl"]
    pending = functions.PendingEvents(provider_of(after))
    pending.load(saved)
    pending.enqueue()
    found = client.receive_message(QueueUrl=after, MaxNumberOfMessages=10)["Messages"]
    assert sorted(message["Body"] for message in found) == ["running", "waiting"]
    for name in (queue, after):
        client.delete_queue(QueueUrl=name)


def test_reader_goes_on_where_all_was_handled() -> None:
    """Records whose function was running when LocalStack stopped are read again, and none before them."""
    streams.follow_readers()
    reader: Any = Reader()
    reader.poll_events_from_shard("s", "0")
    assert positions_of(reader).save() == {"u": {"s": "1"}}
    reader.is_failing = True
    with pytest.raises(RuntimeError):
        reader.poll_events_from_shard("s", "1")
    saved = positions_of(reader).save()
    assert saved == {"u": {"s": "1"}}

    next_one = Reader()
    positions = positions_of(next_one)
    positions.load(saved)
    assert positions.save() == saved
    positions.give(SimpleNamespace(uuid="u", poller=next_one))
    assert next_one.shards == {"s": "1"}
    assert positions.save() == saved


class Reader(StreamPoller):  # type: ignore[misc]
    """Reads a stream of numbers."""

    is_failing = False

    def __new__(cls) -> Any:
        """Without what LocalStack needs for one."""
        made = object.__new__(cls)
        made.shards, made.shard_batcher = {}, defaultdict(Batcher)
        return made

    def __init__(self) -> None:
        """Nothing is needed."""

    def get_records(self, shard_iterator: str) -> dict[str, Any]:
        """The next number."""
        return {"Records": [{}], "NextShardIterator": str(int(shard_iterator) + 1)}

    @property
    def stream_parameters(self) -> dict[str, Any]:
        """One at a time."""
        return {"BatchSize": 1}

    def forward_events_to_target(self, shard_id: str, records: list[dict[str, Any]]) -> None:
        """Calls its function."""
        if self.is_failing:
            raise RuntimeError


Reader.__abstractmethods__ = frozenset()  # the others are not asked for


def positions_of(reader: Any) -> streams.StreamPositions:
    """Those of a Lambda with one mapping."""
    return streams.StreamPositions(SimpleNamespace(esm_workers={"u": SimpleNamespace(poller=reader)}))


def provider_of(queue: str) -> Any:
    """A Lambda with one function, whose events lie in *queue*."""
    managers = {"arn": SimpleNamespace(event_queue_url=queue)}
    return SimpleNamespace(lambda_service=SimpleNamespace(event_managers=managers))
