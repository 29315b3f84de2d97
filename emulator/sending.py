"""Sends messages to queues and topics of an environment, events to its buses."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.endpoint import answering, client
from emulator.errors import ConfigError, MultistackError
from emulator.members import Member, find, members, of_types
from emulator.model import Endpoint

QUEUE, TOPIC, BUS = "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Events::EventBus"
WORDS = {QUEUE: "queue", TOPIC: "topic", BUS: "bus"}
# Every account has it, and no template makes it.
DEFAULT_BUS = Member(logical_id="default", type=BUS, physical_id="default")
_GROUP = "multistack"
_FIFO = ".fifo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    Attributes:
        body: What is sent; for a bus the event's detail, JSON.
        attributes: For queues and topics, each a string.
        group: The message group; FIFO queues and topics need one, and get one when None is named.
        deduplication: Messages of the same one, sent within five minutes, are one; by default none are.
        subject: For topics.
        source: For buses, which need it.
        detail_type: For buses, which need it.
    """

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    deduplication: str | None = None
    subject: str | None = None
    source: str | None = None
    detail_type: str | None = None


def targets(endpoint: Endpoint, stack: str) -> Sequence[Member]:
    """
    What of *stack* messages can be sent to, and the account's default bus.

    Raises:
        NotReady: Nothing is deployed.
    """
    with answering(endpoint):
        return [*of_types(members(endpoint, stack), WORDS), DEFAULT_BUS]


def send(endpoint: Endpoint, stack: str, target: str, message: Message) -> tuple[Member, str]:
    """
    Send *message* to the queue, topic or bus that *target* names.

    Returns:
        What it was sent to, and the id of the message there.

    Raises:
        ConfigError: There is none of that name, or the message lacks what it needs.
        MultistackError: It was refused.
    """
    member = find(targets(endpoint, stack), target, environment=endpoint.environment, what="queue, topic or bus")
    return member, send_to(endpoint, member, message)


def send_to(endpoint: Endpoint, member: Member, message: Message) -> str:
    """Send *message* to *member*; returns its id. Raises as :func:`send` does."""
    _check(member, message)
    with answering(endpoint, refusal=MultistackError):
        if member.type == QUEUE:
            queue = {"QueueUrl": member.physical_id, "MessageBody": message.body}
            return str(client(endpoint, "sqs").send_message(**queue, **_common(member, message))["MessageId"])
        if member.type == TOPIC:
            topic = {"TopicArn": member.physical_id, "Message": message.body}
            subject = {"Subject": message.subject} if message.subject is not None else {}
            return str(client(endpoint, "sns").publish(**topic, **subject, **_common(member, message))["MessageId"])
        return _put_event(endpoint, member, message)


def _check(member: Member, message: Message) -> None:
    """
    Refuse what *member* would not even be asked with.

    Raises:
        ConfigError: The message lacks something, or has what only others take.
    """
    is_bus = member.type == BUS
    lacking = [
        flag for flag, value in (("--source", message.source), ("--detail-type", message.detail_type)) if not value
    ]
    if is_bus and lacking:
        raise ConfigError(f"{member.logical_id} is a bus: an event needs {' and '.join(lacking)}")
    if is_bus and not _is_object(message.body):
        raise ConfigError(f"{member.logical_id} is a bus: the detail of an event must be a JSON object")
    given = {
        "--source": (message.source, is_bus),
        "--detail-type": (message.detail_type, is_bus),
        "--subject": (message.subject, member.type == TOPIC),
        "--group": (message.group, member.physical_id.endswith(_FIFO)),
        "--attribute": (message.attributes, not is_bus),
    }
    if wrong := [flag for flag, (value, fits) in given.items() if value and not fits]:
        kind = WORDS[member.type]
        raise ConfigError(f"{member.logical_id} is a {kind}, which takes no {wrong[0]}")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _common(member: Member, message: Message) -> dict[str, Any]:
    """What queues and topics take alike."""
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()}
    found: dict[str, Any] = {"MessageAttributes": attributes} if attributes else {}
    if member.physical_id.endswith(_FIFO):
        found["MessageGroupId"] = message.group or _GROUP
        found["MessageDeduplicationId"] = message.deduplication or str(uuid.uuid4())
    return found


def _put_event(endpoint: Endpoint, member: Member, message: Message) -> str:
    event = {
        "EventBusName": member.physical_id,
        "Source": message.source,
        "DetailType": message.detail_type,
        "Detail": message.body,
    }
    (entry,) = client(endpoint, "events").put_events(Entries=[event])["Entries"]
    if "EventId" not in entry:
        raise MultistackError(
            f"environment {endpoint.environment}: bus {member.logical_id} refused the event: "
            f"{entry.get('ErrorMessage') or entry.get('ErrorCode') or 'without a reason'}"
        )
    return str(entry["EventId"])
