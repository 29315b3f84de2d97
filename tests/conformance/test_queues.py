"""Queues: event source mappings of SQS, what they hand over, and what becomes of messages that fail."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.conformance.account import Account, Function, eventually, unique
from tests.conformance.cases import case

_SQS = "https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"
_ERRORS = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"
_CONFIGURE = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"
_WEIGHTS = "https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html"
_DLQ = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html"
# Says what it got by a message, because lines of a log come late, or not at all where an emulator loses some; and sends
# it without an SDK, whose import takes seconds on a busy machine.
_WORKER = """
import json, os, time, urllib.parse, urllib.request
def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    said = json.dumps({"at": time.time_ns(), "version": context.function_version, "bodies": bodies})
    form = urllib.parse.urlencode({"Action": "SendMessage", "MessageBody": said, "Version": "2012-11-05"})
    urllib.request.urlopen(os.environ["SAID"], form.encode()).close()
    bad = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
    if bad and "PARTIAL" not in os.environ:
        raise ValueError("bad")
    return {"batchItemFailures": [{"itemIdentifier": found} for found in bad]}
"""


@dataclass(frozen=True)
class Queue:
    """A queue and what is done with it."""

    account: Account
    url: str
    arn: str

    def send(self, *bodies: str, **more: Any) -> None:
        """Send messages one after another."""
        for body in bodies:
            self.account.client("sqs").send_message(QueueUrl=self.url, MessageBody=body, **more)

    def bodies(self) -> list[str]:
        """Bodies of the messages that can be received now; they are taken away."""
        sqs = self.account.client("sqs")
        found = sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in found]

    def size(self) -> int:
        """Messages in the queue, visible or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.account.client("sqs").get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)


def _queue(account: Account, *, name: str | None = None, **attributes: str) -> Queue:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=name or unique("queue"), Attributes=attributes)["QueueUrl"]
    return Queue(
        account, url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    )


def _with_dead_letters(account: Account, most: int) -> tuple[Queue, Queue]:
    """A queue whose messages come back soon, and the one that gets them after *most* receives."""
    dead = _queue(account)
    policy = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": most})
    return _queue(account, RedrivePolicy=policy, VisibilityTimeout="2"), dead


@contextmanager
def _mapped(account: Account, queue: Queue, function: str, **more: Any) -> Iterator[str]:
    """Let a queue call a function, version or alias, for a while: a mapping that stays keeps an emulator busy."""
    aws = account.client("lambda")
    mapping = aws.create_event_source_mapping(EventSourceArn=queue.arn, FunctionName=function, **more)["UUID"]
    try:
        yield str(mapping)
    finally:
        aws.delete_event_source_mapping(UUID=mapping)


@dataclass(frozen=True)
class Worker:
    """A function and the queue in which it says what it got."""

    function: Function
    said: Queue
    heard: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.name

    def got(self, wanted: int = 1, *, timeout: float = 5) -> list[tuple[str, list[str]]]:
        """Version and bodies of all batches so far, oldest first, once there are *wanted* of them."""

        def batches() -> int:
            self.heard.extend(json.loads(body) for body in self.said.bodies())
            return len(self.heard)

        eventually(batches, lambda found: found >= wanted, timeout=timeout)
        return [(said["version"], said["bodies"]) for said in sorted(self.heard, key=lambda said: said["at"])]

    def got_bodies(self, wanted: int) -> list[str]:
        """The bodies of all batches so far, oldest first, once there are *wanted* of them."""
        deadline = time.monotonic() + 5
        while len(found := [body for _, bodies in self.got() for body in bodies]) < wanted:
            if time.monotonic() > deadline:
                break
        return found


def _worker(account: Account, **variables: str) -> Worker:
    said = _queue(account)
    function = account.function(_WORKER, Environment={"Variables": {"SAID": said.url, **variables}})
    return Worker(function, said, [])


@case(rule=11, source=_SQS)
def test_a_queue_calls_its_function(account: Account) -> None:
    """A message reaches the mapped function and is gone from the queue when the function succeeds."""
    worker, queue = _worker(account), _queue(account)
    with _mapped(account, queue, worker.name):
        queue.send("one")
        assert worker.got() == [("$LATEST", ["one"])]
        assert eventually(queue.size, lambda size: size == 0) == 0


def _publish_two(account: Account, worker: Worker) -> None:
    """Publish the versions 1 and 2."""
    account.publish(worker.function)
    account.client("lambda").update_function_configuration(FunctionName=worker.name, Description="second")
    account.settle(worker.name)
    account.publish(worker.function)


@case(rule=11, source=_SQS)
def test_a_queue_calls_an_alias(account: Account) -> None:
    """A mapping of an alias runs its version, and the next one once the alias has moved."""
    worker, queue = _worker(account), _queue(account)
    _publish_two(account, worker)
    account.alias(worker.function, "prod", "1")
    with _mapped(account, queue, f"{worker.name}:prod"):
        queue.send("one")
        assert worker.got() == [("1", ["one"])]
        account.client("lambda").update_alias(FunctionName=worker.name, Name="prod", FunctionVersion="2")
        queue.send("two")
        assert worker.got(2) == [("1", ["one"]), ("2", ["two"])]


@case(rule=11, source=_SQS)
def test_a_queue_calls_a_version(account: Account) -> None:
    """A mapping of a version runs that version, whatever `$LATEST` has become."""
    worker, queue = _worker(account), _queue(account)
    version = account.publish(worker.function)
    account.update_code(worker.function, "def handler(event, context):\n    raise ValueError\n")
    with _mapped(account, queue, f"{worker.function.arn}:{version}"):
        queue.send("one")
        assert worker.got() == [(version, ["one"])]


@case(rule=3, source=_WEIGHTS, gap="alias_weights")
def test_weights_steer_messages(account: Account) -> None:
    """The batches of an alias's mapping are shared between its versions."""
    worker, queue = _worker(account), _queue(account)
    _publish_two(account, worker)
    account.alias(worker.function, "prod", "1", {"2": 0.5})
    with _mapped(account, queue, f"{worker.name}:prod", BatchSize=1):
        queue.send(*(str(number) for number in range(16)))
        assert {version for version, _ in worker.got(16)} == {"1", "2"}


@case(rule=11, source=_DLQ)
def test_a_failed_message_ends_in_the_dead_letter_queue(account: Account) -> None:
    """A message whose function fails `maxReceiveCount` times goes to the dead-letter queue."""
    worker = _worker(account)
    queue, dead = _with_dead_letters(account, 2)
    with _mapped(account, queue, worker.name):
        queue.send("bad")
        assert eventually(dead.bodies, bool, timeout=15) == ["bad"]
        assert worker.got(2) == [("$LATEST", ["bad"])] * 2
        assert queue.size() == 0


@case(rule=11, source=_ERRORS)
def test_a_batch_may_fail_in_part(account: Account) -> None:
    """With `ReportBatchItemFailures` only the messages that the function names come back."""
    worker = _worker(account, PARTIAL="1")
    queue, dead = _with_dead_letters(account, 1)
    with _mapped(
        account, queue, worker.name, FunctionResponseTypes=["ReportBatchItemFailures"], Enabled=False
    ) as mapping:
        queue.send("good", "bad", "fine")
        account.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
        assert eventually(dead.bodies, bool, timeout=15) == ["bad"]
        assert sorted(worker.got_bodies(3)) == ["bad", "fine", "good"]


@case(rule=11, source=_ERRORS)
def test_a_batch_fails_as_a_whole(account: Account) -> None:
    """A function that raises fails all messages of its batch: all of them come back."""
    worker = _worker(account)
    queue, dead = _with_dead_letters(account, 1)
    with _mapped(account, queue, worker.name, Enabled=False) as mapping:
        queue.send("good", "bad")
        account.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
        found = eventually(dead.bodies, bool, timeout=15)
        # How messages that were there before form batches is AWS's choice.
        assert sorted(found) == sorted(next(bodies for _, bodies in worker.got() if "bad" in bodies))


@case(rule=11, source="https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html")
def test_a_disabled_mapping_hands_nothing_over(account: Account) -> None:
    """A disabled mapping leaves messages in the queue; enabled again it goes on with them."""
    worker, queue = _worker(account), _queue(account)
    with _mapped(account, queue, worker.name, Enabled=False) as mapping:
        queue.send("one")
        assert worker.got(timeout=0.5) == []
        assert queue.size() == 1
        account.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
        assert worker.got() == [("$LATEST", ["one"])]


@case(rule=11, source="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html")
def test_a_throttled_mapping_loses_nothing(account: Account) -> None:
    """While a function may not run its messages wait; they are handed over once it may."""
    worker, queue = _worker(account), _queue(account, VisibilityTimeout="1")
    aws = account.client("lambda")
    aws.put_function_concurrency(FunctionName=worker.name, ReservedConcurrentExecutions=0)
    with _mapped(account, queue, worker.name):
        queue.send("one")
        assert worker.got(timeout=0.5) == []
        assert queue.size() == 1
        aws.delete_function_concurrency(FunctionName=worker.name)
        assert worker.got() == [("$LATEST", ["one"])]


@case(rule=11, source=_CONFIGURE)
def test_a_batch_has_at_most_its_size(account: Account) -> None:
    """No batch has more messages than the mapping's batch size."""
    worker, queue = _worker(account), _queue(account)
    with _mapped(account, queue, worker.name, BatchSize=2, Enabled=False) as mapping:
        queue.send(*"abcde")
        account.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
        assert sorted(worker.got_bodies(5)) == list("abcde")
        assert max(len(bodies) for _, bodies in worker.got()) == 2


@case(rule=11, source=_CONFIGURE, gap="batch_window")
def test_a_mapping_waits_for_its_window(account: Account) -> None:
    """A mapping with a batching window gathers messages until the window has passed."""
    worker, queue = _worker(account), _queue(account)
    with _mapped(account, queue, worker.name, BatchSize=10, MaximumBatchingWindowInSeconds=1):
        for body in "abc":
            queue.send(body)
            time.sleep(0.1)  # so that a mapping that does not wait hands the first one over alone
        assert sorted(worker.got_bodies(3)) == list("abc")
        assert len(worker.got()) == 1


@case(rule=11, source="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html")
def test_a_fifo_queue_keeps_its_order(account: Account) -> None:
    """Messages of one group of a FIFO queue reach the function in the order in which they were sent."""
    worker = _worker(account)
    queue = _queue(account, name=f"{unique('queue')}.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    with _mapped(account, queue, worker.name, BatchSize=2):
        queue.send(*"abcdef", MessageGroupId="orders")
        assert worker.got_bodies(6) == list("abcdef")


@case(rule=11, source="https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html")
def test_a_mapping_outlives_its_function(account: Account) -> None:
    """Without its function a mapping hands nothing over: the messages stay in the queue."""
    worker, queue = _worker(account), _queue(account)
    with _mapped(account, queue, worker.name) as mapping:
        account.client("lambda").delete_function(FunctionName=worker.name)
        queue.send("one")
        assert worker.got(timeout=0.5) == []
        account.client("lambda").get_event_source_mapping(UUID=mapping)
        assert queue.size() == 1
