"""Messages of a queue, from records and to records; each is sent once in an environment's life."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from emulator.endpoint import connection_to
from emulator.endpoint_key import headers_of
from emulator.members import Member
from emulator.model import Endpoint
from emulator.seeds.notation import as_json
from emulator.seeds.records import Record
from emulator.sending import Message, send_to

_MARK = "$message"
_FIELDS = {"body", "attributes", "group"}
# MiniStack's: what is in a queue, without receiving it.
_LOOK = "/_ministack/sqs/messages"
_TIMEOUT = 30.0


def read_messages(records: Sequence[Record]) -> Sequence[Message]:
    """
    A message for each record: text as it is, everything else as JSON.

    ``{"$message": {"body": ..., "attributes": {...}, "group": ...}}`` says more than a body.

    Raises:
        ConfigError: One can't be a message.
    """
    return [_message(record) for record in records]


def _message(record: Record) -> Message:
    value = record.value
    if not isinstance(value, dict) or list(value) != [_MARK]:
        return Message(body=_body(value))
    given = value[_MARK]
    if not isinstance(given, dict) or "body" not in given or given.keys() - _FIELDS:
        record.refuse(f"{_MARK} takes an object with body, and perhaps {' and '.join(sorted(_FIELDS - {'body'}))}")
    attributes, group = given.get("attributes", {}), given.get("group")
    if not isinstance(attributes, dict) or not all(isinstance(one, str) for one in attributes.values()):
        record.refuse("attributes takes an object of strings")
    if group is not None and not isinstance(group, str):
        record.refuse("group takes a string")
    return Message(body=_body(given["body"]), attributes=attributes, group=group)


def _body(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)


def send_new(endpoint: Endpoint, queue: Member, messages: Sequence[Message], sent: Counter[str]) -> int:
    """
    Send those of *messages* that *sent* doesn't know; what is read from a queue is gone, so only that can tell.

    Args:
        sent: Hash of a message to how often it was sent; kept up.

    Returns:
        How many.
    """
    wanted: Counter[str] = Counter()
    before = sent.copy()
    for message in messages:
        name = _hash(message)
        wanted[name] += 1
        if wanted[name] > before[name]:
            send_to(endpoint, queue, message)
            sent[name] += 1
    return (sent - before).total()


def _hash(message: Message) -> str:
    content = as_json([message.body, dict(sorted(message.attributes.items())), message.group])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def dump_messages(endpoint: Endpoint, queue: Member) -> Sequence[Any] | None:
    """Records of what is in *queue* now, in its order; None where the emulator only shows what is received."""
    query = urlencode({"QueueUrl": queue.physical_id, "account": endpoint.account_id, "region": endpoint.region})
    connection = connection_to(endpoint.url, timeout=_TIMEOUT)
    try:
        connection.request("GET", f"{_LOOK}?{query}", headers=headers_of(endpoint.key))
        answer = connection.getresponse()
        accounts = json.loads(answer.read())["messages"] if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    if accounts is None:
        return None
    queues = accounts.get(endpoint.account_id, {}).get(endpoint.region, {})
    return [_record(one) for one in queues.get(queue.physical_id, [])]


def _record(message: Mapping[str, Any]) -> Any:
    attributes = {
        name: one["StringValue"]
        for name, one in sorted(message["MessageAttributes"].items())
        if one.get("StringValue") is not None
    }
    body, group = _plain_body(message["Body"]), message.get("MessageGroupId")
    if not attributes and not group:
        is_mark = isinstance(body, dict) and list(body) == [_MARK]
        return {_MARK: {"body": body}} if is_mark else body
    more = {"attributes": attributes or None, "group": group}
    return {_MARK: {"body": body, **{name: value for name, value in more.items() if value}}}


def _plain_body(body: str) -> Any:
    """A body of JSON as such, if it is written again as it was; else as the text that it is."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return body
    return value if not isinstance(value, str) and as_json(value) == body else body
