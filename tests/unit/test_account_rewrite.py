"""A saved state gets another account, region, address and stack; what applications put in stays as it is."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator import checkpoint
from emulator.account_rewrite import Place, move

TEST = Place(account_id="111111111111", region="eu-west-1", stack="orders-test", authority="127.0.0.1:4600")
PROD = Place(account_id="333333333333", region="us-east-1", stack="orders-prod", authority="127.0.0.1:4602")
TABLE = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders-test-Orders-1A"
MOVED_TABLE = "arn:aws:dynamodb:us-east-1:333333333333:table/orders-prod-Orders-1A"
QUEUE = "http://127.0.0.1:4600/111111111111/orders-test-Placed-1A"
MOVED_QUEUE = "http://127.0.0.1:4602/333333333333/orders-prod-Placed-1A"


def write(folder: Path, state: dict[str, Any]) -> None:
    """A saved state of TEST."""
    header = checkpoint.Header(
        emulator="ministack 1.5.33", at=datetime(2026, 1, 1, tzinfo=UTC), account_id="111111111111", region="eu-west-1"
    )
    folder.mkdir()
    checkpoint.write(folder / "checkpoint", header, json.dumps(state).encode())


def moved(tmp_path: Path, service: str, state: Any) -> Any:
    """*state* of one service, moved from TEST to PROD."""
    write(tmp_path / "state", {service: state})
    move(tmp_path / "state", TEST, PROD)
    return json.loads(checkpoint.read(tmp_path / "state" / "checkpoint")[1])[service]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TABLE, MOVED_TABLE),
        (QUEUE, MOVED_QUEUE),
        (
            "http://127.0.0.1:4711/111111111111/orders-test-Placed",
            "http://127.0.0.1:4602/333333333333/orders-prod-Placed",
        ),
        ("111111111111", "333333333333"),
        ("eu-west-1", "us-east-1"),
        ("eu-west-1a", "us-east-1a"),
        ("multistack-artifacts-eu-west-1", "multistack-artifacts-us-east-1"),
        ("orders-test", "orders-prod"),
        ("/orders-test/Discount", "/orders-prod/Discount"),
        ("audit-orders-test", "audit-orders-prod"),
        ("arn:aws:iam::111111111111:role/orders-test-Role", "arn:aws:iam::333333333333:role/orders-prod-Role"),
        (json.dumps({"deadLetterTargetArn": TABLE}), json.dumps({"deadLetterTargetArn": MOVED_TABLE})),
        ("111111111111\0eu-west-1\0'orders-test'", "333333333333\0us-east-1\0'orders-prod'"),
        ("abc.execute-api.127.0.0.1:4600", "abc.execute-api.127.0.0.1:4602"),
    ],
)
def test_names_are_rewritten(tmp_path: Path, before: str, after: str) -> None:
    """Each whole word that is the old place's becomes the new place's, in values and in keys."""
    assert moved(tmp_path, "iam", {"key": [before], before: {"deep": before}}) == {
        "key": [after],
        after: {"deep": after},
    }


@pytest.mark.parametrize(
    "text",
    [
        "orders-test2",
        "myorders-test",
        "orders-testing-1",
        "1111111111112",
        "a111111111111",
        "eu-west-12",
        "eu-west-1abc",
        "127.0.0.1:46001",
        "arn:aws:iam::222222222222:role/x",
        "http://127.0.0.1:9000/pay",
        "eu-west-2",
    ],
)
def test_other_words_stay(tmp_path: Path, text: str) -> None:
    """A part of a word is another word."""
    assert moved(tmp_path, "iam", {text: text}) == {text: text}


@pytest.mark.parametrize(
    ("service", "key"),
    [
        ("dynamodb", "items"),
        ("sqs", "messages"),
        ("sqs", "dedup_cache"),
        ("kinesis", "records"),
        ("cloudwatch_logs", "events"),
        ("stepfunctions", "executions"),
    ],
)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("orders-test", "orders-test"),
        ("account 111111111111 in eu-west-1", "account 111111111111 in eu-west-1"),
        (f"see {TABLE}, please", f"see {MOVED_TABLE}, please"),
        (f'{{"queue": "{QUEUE}"}}', f'{{"queue": "{MOVED_QUEUE}"}}'),
        ("arn:aws:s3:::orders-test-files", "arn:aws:s3:::orders-test-files"),
        ("arn:aws:sns:eu-west-1:222222222222:orders-test", "arn:aws:sns:eu-west-1:222222222222:orders-test"),
    ],
    ids=["stack", "account", "arn", "queue url", "arn without account", "other account"],
)
def test_data_keeps_all_but_arns_and_queue_urls(
    tmp_path: Path, service: str, key: str, before: str, after: str
) -> None:
    """What an application put in is its own, at any depth, but for what can be nothing but a name of AWS."""
    state = {"orders-test": {key: {before: [{"S": before}]}, "after": "orders-test"}}
    assert moved(tmp_path, service, state) == {
        "orders-prod": {key: {after: [{"S": after}]}, "after": "orders-prod"},
    }


def test_a_key_that_is_data_elsewhere_is_no_data_here(tmp_path: Path) -> None:
    """Only DynamoDB's items are items."""
    assert moved(tmp_path, "apigateway", {"items": ["orders-test"]}) == {"items": ["orders-prod"]}


def md5(content: bytes) -> str:
    """As SQS says it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_what_sqs_notes_with_a_message_follows(tmp_path: Path) -> None:
    """Its sender is an account, and its hashes are of what is in it now; nothing but an ARN in it changed."""
    message = {
        "body": f"account 111111111111 has {TABLE}",
        "md5_body": "before",
        "md5_attrs": "before",
        "message_attributes": {
            "Table": {"DataType": "String", "StringValue": TABLE},
            "Raw": {"DataType": "Binary", "BinaryValue": {"__bytes__": "AAE="}},
        },
        "sys": {"SenderId": "111111111111", "SentTimestamp": "1"},
    }
    bare = {"body": "", "md5_body": "", "md5_attrs": "", "message_attributes": {}, "sys": {"SenderId": "111111111111"}}
    queues = {"__account_region_scoped__": True, "data": {QUEUE: {"messages": [message, bare]}}}
    first, second = moved(tmp_path, "sqs", {"payload": {"queues": queues}})["payload"]["queues"]["data"][MOVED_QUEUE][
        "messages"
    ]
    assert first["body"] == f"account 111111111111 has {MOVED_TABLE}"
    assert first["md5_body"] == md5(first["body"].encode())
    assert first["message_attributes"]["Raw"] == message["message_attributes"]["Raw"]
    # The encoding is that of AWS, SQS Developer Guide, "Calculating the MD5 message digest for message attributes".
    parts = [b"Raw", b"Binary", b"\x02", b"\x00\x01", b"Table", b"String", b"\x01", MOVED_TABLE.encode()]
    encoded = b"".join(
        part if index % 4 == 2 else len(part).to_bytes(4, "big") + part for index, part in enumerate(parts)
    )
    assert first["md5_attrs"] == md5(encoded)
    assert (first["sys"]["SenderId"], second["sys"]["SenderId"]) == ("333333333333", "333333333333")
    assert (second["md5_body"], second["md5_attrs"]) == ("d41d8cd98f00b204e9800998ecf8427e", None)


def test_bytes_and_numbers_stay(tmp_path: Path) -> None:
    """Nobody can tell what is in bytes; a number is no account id."""
    state = {"code": {"__bytes__": "orders-test"}, "n": 111111111111, "f": 1.5, "none": None, "yes": True}
    assert moved(tmp_path, "lambda", state) == state


def test_the_header_says_whose_state_it_is_now(tmp_path: Path) -> None:
    """Else no driver would load it; its moment and its emulator stay."""
    write(tmp_path / "state", {})
    before, _ = checkpoint.read(tmp_path / "state/checkpoint")
    move(tmp_path / "state", TEST, PROD)
    after, _ = checkpoint.read(tmp_path / "state/checkpoint")
    assert (after.account_id, after.region) == ("333333333333", "us-east-1")
    assert (after.at, after.emulator) == (before.at, before.emulator)


def test_folders_of_objects_move_and_objects_stay(tmp_path: Path) -> None:
    """Accounts and buckets are names; keys and bodies are data."""
    write(tmp_path / "state", {})
    s3 = tmp_path / "state/files/s3"
    for path in (
        "111111111111/orders-test-files/orders-test/a",
        "111111111111/other/b",
        "111111111111/multistack-artifacts-eu-west-1/code/c",
        ".versions/111111111111/orders-test-files/v1/orders-test/a",
        "222222222222/orders-test-files/d",
    ):
        (s3 / path).parent.mkdir(parents=True, exist_ok=True)
        (s3 / path).write_text("orders-test 111111111111")
    move(tmp_path / "state", TEST, PROD)
    files = [path for path in s3.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(s3).as_posix() for path in files) == [
        ".versions/333333333333/orders-prod-files/v1/orders-test/a",
        "222222222222/orders-test-files/d",
        "333333333333/multistack-artifacts-us-east-1/code/c",
        "333333333333/orders-prod-files/orders-test/a",
        "333333333333/other/b",
    ]
    assert {path.read_text() for path in files} == {"orders-test 111111111111"}


def test_the_release_mark_is_left_out(tmp_path: Path) -> None:
    """Nothing was verified in the new place yet, even where both have the same release."""
    write(tmp_path / "state", {})
    deployed = tmp_path / "state/files/s3/111111111111/multistack-artifacts-eu-west-1/deployed"
    deployed.mkdir(parents=True)
    for name in ("orders-test", "orders-test.meta.json"):
        (deployed / name).write_text("77a038d05ccb")
    move(tmp_path / "state", TEST, PROD)
    assert [path for path in (tmp_path / "state/files").rglob("*") if path.is_file()] == []


def test_places_that_differ_in_nothing_but_the_account(tmp_path: Path) -> None:
    """A word that is the same in both is left alone."""
    write(tmp_path / "state", {"sqs": {"url": QUEUE, "region": "eu-west-1"}})
    here = Place(account_id="333333333333", region="eu-west-1", stack="orders-prod", authority="127.0.0.1:4600")
    move(tmp_path / "state", TEST, here)
    content = json.loads(checkpoint.read(tmp_path / "state/checkpoint")[1])
    url = "http://127.0.0.1:4600/333333333333/orders-prod-Placed-1A"
    assert content == {"sqs": {"url": url, "region": "eu-west-1"}}


def suffix(*words: str) -> str:
    """What MiniStack ends a generated name with."""
    return hashlib.sha256(":".join(words).encode()).hexdigest()[:13].upper()


def a_stack(name: str, resources: dict[str, Any]) -> dict[str, Any]:
    """The state of CloudFormation with one stack."""
    stacks = {f"111111111111\0eu-west-1\0'{name}'": {"StackName": name, "_resources": resources}}
    return {"payload": {"stacks": {"__account_region_scoped__": True, "data": stacks}}}


def test_generated_names_are_those_that_the_next_update_expects(tmp_path: Path) -> None:
    """The suffix is derived from the stack's name: with the old one a table is replaced by an empty one."""
    table = f"orders-test-Orders-{suffix('orders-test', 'Orders')}"
    bucket = f"orders-test-files-{suffix('orders-test', 'Files', 'seed').lower()}"
    role = f"orders-test-Role-{suffix('orders-test', 'Role')}"
    stack = a_stack(
        "orders-test",
        {
            "Orders": {"PhysicalResourceId": table, "ResourceType": "AWS::DynamoDB::Table"},
            "Files": {"PhysicalResourceId": bucket, "ResourceType": "AWS::S3::Bucket", "_name_seed": "seed"},
            "Role": {"PhysicalResourceId": role, "ResourceType": "AWS::IAM::Role"},
        },
    )
    write(tmp_path / "state", {"cloudformation": stack, "iam": {"x": role}, "dynamodb": {"tables": [table]}})
    (tmp_path / f"state/files/s3/111111111111/{bucket}").mkdir(parents=True)
    holders = move(tmp_path / "state", TEST, PROD)
    new_bucket = f"orders-prod-files-{suffix('orders-prod', 'Files', 'seed').lower()}"
    assert holders == {"Orders": f"orders-prod-Orders-{suffix('orders-prod', 'Orders')}", "Files": new_bucket}
    content = json.loads(checkpoint.read(tmp_path / "state/checkpoint")[1])
    assert content["dynamodb"] == {"tables": [holders["Orders"]]}
    assert content["iam"] == {"x": f"orders-prod-Role-{suffix('orders-prod', 'Role')}"}
    assert (tmp_path / f"state/files/s3/333333333333/{new_bucket}").is_dir()


def test_nested_stacks_are_renamed_from_the_outside(tmp_path: Path) -> None:
    """The name of a nested stack holds a suffix, and its own resources are named after that."""
    nested = f"orders-test-Inner-{suffix('orders-test', 'Inner')}"
    table = f"{nested}-Deep-{suffix(nested, 'Deep')}"
    outer = a_stack("orders-test", {"Inner": {"PhysicalResourceId": nested}})
    inner = a_stack(nested, {"Deep": {"PhysicalResourceId": table, "ResourceType": "AWS::DynamoDB::Table"}})
    outer["payload"]["stacks"]["data"] |= inner["payload"]["stacks"]["data"]
    write(tmp_path / "state", {"cloudformation": outer, "dynamodb": [table]})
    move(tmp_path / "state", TEST, PROD)
    new_nested = f"orders-prod-Inner-{suffix('orders-prod', 'Inner')}"
    content = json.loads(checkpoint.read(tmp_path / "state/checkpoint")[1])
    assert content["dynamodb"] == [f"{new_nested}-Deep-{suffix(new_nested, 'Deep')}"]


def test_the_suffix_is_what_ministack_makes_it() -> None:
    """The day that MiniStack names resources in another way, this module must know."""
    from ministack.services.cloudformation.provisioners import _physical_name

    assert _physical_name("orders-test", "Orders") == f"orders-test-Orders-{suffix('orders-test', 'Orders')}"
