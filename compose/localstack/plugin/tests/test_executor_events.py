"""Calls that nobody waits for, and mappings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from running_functions import ACCOUNT, REGION, Function, eventually

MakeFunction = Callable[..., Function]
RECEIVE = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}


def _queue(client: Callable[[str], Any], name: str) -> tuple[str, str]:
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def test_event_is_answered_at_once_and_handled_later(make_function: MakeFunction, client: Callable[[str], Any]) -> None:
    """An asynchronous call returns 202; its result goes to the destination."""
    url, arn = _queue(client, "succeeded")
    function = make_function("def handler(event, context): return {'seen': event}")
    function.client.put_function_event_invoke_config(
        FunctionName=function.name, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    answer = function.client.invoke(FunctionName=function.name, InvocationType="Event", Payload=json.dumps("x"))
    assert answer["StatusCode"] == 202
    messages = eventually(lambda: client("sqs").receive_message(QueueUrl=url, **RECEIVE).get("Messages"))
    assert json.loads(messages[0]["Body"])["responsePayload"] == {"seen": "x"}


def test_event_that_fails_ends_in_the_dead_letter_queue(
    make_function: MakeFunction, client: Callable[[str], Any]
) -> None:
    """After its attempts a failed event is not lost."""
    url, arn = _queue(client, "dead")
    function = make_function("def handler(event, context): raise ValueError('no')", DeadLetterConfig={"TargetArn": arn})
    function.client.put_function_event_invoke_config(FunctionName=function.name, MaximumRetryAttempts=0)
    function.client.invoke(FunctionName=function.name, InvocationType="Event", Payload=json.dumps({"order": 7}))
    messages = eventually(lambda: client("sqs").receive_message(QueueUrl=url, **RECEIVE).get("Messages"))
    assert json.loads(messages[0]["Body"]) == {"order": 7}


def test_messages_of_a_queue_call_the_function(make_function: MakeFunction, client: Callable[[str], Any]) -> None:
    """A mapping hands messages to the function, and they leave the queue."""
    url, arn = _queue(client, "mapped")
    told, _ = _queue(client, "told")
    function = make_function(
        f"""
import boto3
def handler(event, context):
    for record in event["Records"]:
        boto3.client("sqs").send_message(QueueUrl="{told}", MessageBody=record["body"].upper())
"""
    )
    function.client.create_event_source_mapping(FunctionName=function.name, EventSourceArn=arn, BatchSize=5)
    client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    messages = eventually(lambda: client("sqs").receive_message(QueueUrl=told, **RECEIVE).get("Messages"))
    assert messages[0]["Body"] == "HELLO"


def test_changes_of_a_table_call_the_function(make_function: MakeFunction, client: Callable[[str], Any]) -> None:
    """A mapping on a table's stream hands over new and old images."""
    told, _ = _queue(client, "changes")
    table = client("dynamodb").create_table(
        TableName="streamed",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    function = make_function(
        f"""
import boto3, json
def handler(event, context):
    for record in event["Records"]:
        boto3.client("sqs").send_message(QueueUrl="{told}", MessageBody=json.dumps(record))
"""
    )
    function.client.create_event_source_mapping(
        FunctionName=function.name, EventSourceArn=table["LatestStreamArn"], StartingPosition="TRIM_HORIZON"
    )
    tables = client("dynamodb")
    tables.put_item(TableName="streamed", Item={"id": {"S": "1"}, "n": {"N": "1"}})
    tables.put_item(TableName="streamed", Item={"id": {"S": "1"}, "n": {"N": "2"}})
    tables.delete_item(TableName="streamed", Key={"id": {"S": "1"}})
    records: list[dict[str, Any]] = []

    def three() -> bool:
        messages = client("sqs").receive_message(QueueUrl=told, **RECEIVE).get("Messages", [])
        records.extend(json.loads(message["Body"]) for message in messages)
        return len(records) >= 3

    assert eventually(three)
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert records[1]["dynamodb"]["OldImage"]["n"] == {"N": "1"}
    assert records[1]["dynamodb"]["NewImage"]["n"] == {"N": "2"}
    assert records[2]["eventSource"] == "aws:dynamodb"
