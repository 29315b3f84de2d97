"""
A saved state moved to another account: its account id, region, address and stack get the names of the new place.

There are two kinds of text in a state. *Names* are all that AWS itself keeps: names, ARNs, URLs, policies, settings,
templates; in them each whole word that is the old place's becomes the new place's. *Data* is what applications put in;
in it only ARNs of the old account and URLs of its queues change, because nothing else is surely a name.

Source:
    What is in an ARN: AWS, IAM User Guide, "Amazon Resource Names (ARNs)". A queue's URL holds its account: AWS, SQS
    Developer Guide, "Queue and message identifiers".
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator import checkpoint
from emulator.artifact import bucket_of

# State key of a service to the keys, at any depth of its state, below which everything is data.
_DATA: Mapping[str, frozenset[str]] = {
    "cloudwatch_logs": frozenset({"events"}),
    "dynamodb": frozenset({"items"}),
    "kinesis": frozenset({"records"}),
    "sns": frozenset({"sms_messages"}),
    "sqs": frozenset({"messages", "dedup_cache"}),
    "stepfunctions": frozenset({"executions"}),
}
_VERSIONS = ".versions"
_MARKS = "deployed"
_BYTES = "__bytes__"
# Resources that hold what applications put in.
_HOLDERS = {
    "AWS::DynamoDB::Table",
    "AWS::Kinesis::Stream",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}
_SUFFIX = 13

_Edit = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """
    Where a state belongs.

    Attributes:
        stack: The stack of the service there, e.g. ``orders-test``.
        authority: Host and port of the emulator, e.g. ``127.0.0.1:4600``; queue URLs hold it.
    """

    account_id: str
    region: str
    stack: str
    authority: str


def move(folder: Path, old: Place, new: Place) -> Mapping[str, str]:
    """
    Rewrite the saved state in *folder*, which was taken in *old*, so that it can be loaded in *new*.

    What the old place's emulator remembered as verified and deployed is left out: nothing was in the new one.

    Returns:
        Logical to physical id of the resources of the stack that hold data, as they are called now.

    Raises:
        MultistackError: The state is broken, or a later multistack wrote it.
        OSError: It can't be written.
    """
    path = folder / "checkpoint"
    header, payload = checkpoint.read(path)
    before = json.loads(payload)
    names, data = _edits(old, new, before)
    state = {
        service: _walk(content, names, data, _DATA.get(service, frozenset())) for service, content in before.items()
    }
    _note_messages(state, names)
    header = dataclasses.replace(header, account_id=new.account_id, region=new.region)
    checkpoint.write(path, header, json.dumps(state).encode())
    _move_objects(folder / "files" / "s3", old, new, names)
    return {
        logical_id: resource["PhysicalResourceId"]
        for stack in _stacks(state)
        for logical_id, resource in stack["_resources"].items()
        if stack["StackName"] == new.stack and resource.get("ResourceType") in _HOLDERS
    }


def _edits(old: Place, new: Place, state: Mapping[str, Any]) -> tuple[_Edit, _Edit]:
    """What is done to a name, and to data."""
    words = {
        old.account_id: new.account_id,
        old.stack: new.stack,
        old.region: new.region,
        old.authority: new.authority,
    }
    # From outer stacks to nested ones, whose names hold a suffix themselves.
    for stack in sorted(_stacks(state), key=lambda stack: len(stack["StackName"])):
        words |= dict(_suffixes(stack, _whole_words(words, old)(stack["StackName"])))
    edit_word = _whole_words(words, old)
    # A queue made while the emulator had another port has that port in its URL.
    queue = re.compile(rf"(https?://)127\.0\.0\.1:\d+(?=/{old.account_id}/)")
    whole = re.compile(
        rf"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:{old.account_id}:[^\s\"'<>\\]+"
        rf"|https?://[A-Za-z0-9.:-]+/{old.account_id}/[A-Za-z0-9_-]+"
    )

    def edit_name(text: str) -> str:
        return edit_word(queue.sub(rf"\g<1>{new.authority}", text))

    return edit_name, lambda text: whole.sub(lambda found: edit_name(found[0]), text)


def _whole_words(words: Mapping[str, str], old: Place) -> _Edit:
    """Replaces all in one pass, so that nothing is rewritten twice. A zone is a region with a letter: eu-west-1a."""
    pattern = "|".join(
        re.escape(word) + (r"(?=[a-f]?(?![A-Za-z0-9]))" if word == old.region else "(?![A-Za-z0-9])")
        for word in sorted(words, key=len, reverse=True)
    )
    compiled = re.compile(f"(?<![A-Za-z0-9])(?:{pattern})")
    return lambda text: compiled.sub(lambda found: words[found[0]], text)


def _stacks(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The CloudFormation stacks that still are or were in a state."""
    service = state.get("cloudformation", {})
    stacks = service.get("payload", {}).get("stacks", {}).get("data", {})
    return [stack for stack in stacks.values() if "StackName" in stack and isinstance(stack.get("_resources"), dict)]


def _suffixes(stack: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    """
    The suffixes of generated names in *stack*, and what they will be when it is called *name*.

    MiniStack derives a suffix from stack and logical id, and asks again at every update: with another suffix than it
    then expects, a table counts as replaced by a new, empty one.
    """
    for logical_id, resource in stack["_resources"].items():
        for seed in {"", str(resource.get("_name_seed") or "")}:
            before, after = (
                hashlib.sha256(":".join(filter(None, (one, logical_id, seed))).encode()).hexdigest()[:_SUFFIX]
                for one in (stack["StackName"], name)
            )
            yield before, after
            yield before.upper(), after.upper()


def _walk(value: Any, edit: _Edit, data: _Edit, data_keys: frozenset[str]) -> Any:
    """*value* with every string in it edited, keys too; below *data_keys* as data. Bytes are left alone."""
    if isinstance(value, str):
        return edit(value)
    if isinstance(value, list):
        return [_walk(item, edit, data, data_keys) for item in value]
    if isinstance(value, dict):
        if _BYTES in value:
            return value
        return {
            edit(key): _walk(item, data if key in data_keys else edit, data, data_keys) for key, item in value.items()
        }
    return value


def _note_messages(state: Mapping[str, Any], names: _Edit) -> None:
    """What SQS itself notes with a message: whose account sent it, and the hashes by which a client checks it."""
    from ministack.services.sqs import _md5_msg_attrs

    for queue in state.get("sqs", {}).get("payload", {}).get("queues", {}).get("data", {}).values():
        for message in queue["messages"]:
            message["sys"]["SenderId"] = names(message["sys"]["SenderId"])
            message["md5_body"] = hashlib.md5(message["body"].encode(), usedforsecurity=False).hexdigest()
            attributes = {
                name: {field: value[_BYTES] if isinstance(value, dict) else value for field, value in one.items()}
                for name, one in message["message_attributes"].items()
            }
            message["md5_attrs"] = _md5_msg_attrs(attributes)


def _move_objects(root: Path, old: Place, new: Place, names: _Edit) -> None:
    """Give the folders of accounts and buckets their new names; objects and their keys stay as they are."""
    for base in (root, root / _VERSIONS):
        account = base / old.account_id
        if not account.is_dir():
            continue
        for bucket in list(account.iterdir()):
            bucket.rename(account / names(bucket.name))
        account.rename(base / new.account_id)
    marks = root / new.account_id / bucket_of(new.region) / _MARKS
    # What was deployed there, and the inventory of it.
    for mark in (old.stack, f"{old.stack}.inventory"):
        for name in (mark, f"{mark}.meta.json"):
            (marks / name).unlink(missing_ok=True)
