"""DynamoDB without a download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def table(client: Callable[[str], Any], request: pytest.FixtureRequest) -> tuple[Any, str]:
    """A table with a string key."""
    name = request.node.name.replace("[", "-").replace("]", "")
    tables = client("dynamodb")
    tables.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return tables, name


def test_items_can_be_put_read_changed_and_removed(table: tuple[Any, str]) -> None:
    """The round of an item."""
    tables, name = table
    tables.put_item(TableName=name, Item={"id": {"S": "1"}, "n": {"N": "1"}})
    tables.update_item(
        TableName=name,
        Key={"id": {"S": "1"}},
        UpdateExpression="SET n = n + :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    assert tables.get_item(TableName=name, Key={"id": {"S": "1"}})["Item"]["n"] == {"N": "2"}
    tables.delete_item(TableName=name, Key={"id": {"S": "1"}})
    assert tables.scan(TableName=name)["Items"] == []


def test_condition_that_does_not_hold_is_refused(table: tuple[Any, str]) -> None:
    """A conditional write fails with AWS's error."""
    tables, name = table
    tables.put_item(TableName=name, Item={"id": {"S": "1"}})
    with pytest.raises(ClientError) as caught:
        tables.put_item(TableName=name, Item={"id": {"S": "1"}}, ConditionExpression="attribute_not_exists(id)")
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"


def test_tables_of_accounts_are_apart(client: Callable[[str], Any], table: tuple[Any, str]) -> None:
    """Another access key is another account."""
    import boto3
    from running_functions import ENDPOINT, REGION

    other = boto3.client(
        "dynamodb",
        endpoint_url=ENDPOINT,
        region_name=REGION,
        aws_access_key_id="222222222222",
        aws_secret_access_key="x",
    )
    assert table[1] not in other.list_tables()["TableNames"]
