"""Stacks: what an update does to functions, their versions and aliases, and to tables."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.account import Account, unique, zipped
from tests.conformance.cases import case
from tests.conformance.stack_templates import (
    GUIDE,
    TEMPLATES,
    calls,
    events,
    failing,
    function,
    resource,
    status,
    template,
)


@case(source=f"{TEMPLATES}/aws-resource-lambda-function.html")
def test_a_function_is_updated_in_place(account: Account) -> None:
    """Changing a function's code and configuration keeps its name and serves the new ones."""
    stack = account.create_stack(template({"Function": function(account, "one")}))
    name = account.physical_id(stack, "Function")
    assert calls(account, stack, "Function") == ["one", None]
    changed = function(account, "two", Environment={"Variables": {"WHO": "me"}})
    account.update_stack(stack, template({"Function": changed}))
    assert account.physical_id(stack, "Function") == name
    assert calls(account, stack, "Function") == ["two", "me"]


@case(rule=6, source=f"{TEMPLATES}/aws-resource-lambda-function.html", gap="function_properties")
def test_a_template_reserves_concurrency(account: Account) -> None:
    """`ReservedConcurrentExecutions` of a template is in force: with 0 no call gets through."""
    made = function(account, "one", ReservedConcurrentExecutions=0)
    stack = account.create_stack(template({"Function": made}))
    aws, name = account.client("lambda"), account.physical_id(stack, "Function")
    try:
        aws.invoke(FunctionName=name)
        throttled = False
    except aws.exceptions.TooManyRequestsException:
        throttled = True
    assert throttled
    del made["Properties"]["ReservedConcurrentExecutions"]
    account.update_stack(stack, template({"Function": made}))
    assert calls(account, stack, "Function") == ["one", None]


@case(source=f"{TEMPLATES}/aws-properties-lambda-function-deadletterconfig.html", gap="function_properties")
def test_a_template_sets_a_dead_letter_queue(account: Account) -> None:
    """`DeadLetterConfig` of a template is the function's."""
    dead = function(account, "one", DeadLetterConfig={"TargetArn": {"Fn::GetAtt": ["Queue", "Arn"]}})
    stack = account.create_stack(template({"Function": dead, "Queue": resource("SQS::Queue")}))
    found = account.client("lambda").get_function_configuration(FunctionName=account.physical_id(stack, "Function"))
    assert found["DeadLetterConfig"]["TargetArn"].startswith("arn:aws:sqs:")


@case(source=f"{GUIDE}/using-cfn-updating-stacks-update-behaviors.html")
def test_a_changed_key_replaces_a_table(account: Account) -> None:
    """Changing a table's key makes a new, empty table and deletes the old one."""
    stack = account.create_stack(template({"Table": _table("id")}))
    dynamodb, first = account.client("dynamodb"), account.physical_id(stack, "Table")
    dynamodb.put_item(TableName=first, Item={"id": {"S": "1"}})
    account.update_stack(stack, template({"Table": _table("sku")}))
    assert status(account, stack) == "UPDATE_COMPLETE"
    second = account.physical_id(stack, "Table")
    assert dynamodb.describe_table(TableName=second)["Table"]["KeySchema"][0]["AttributeName"] == "sku"
    assert dynamodb.scan(TableName=second)["Items"] == []


@case(source=f"{GUIDE}/using-cfn-updating-stacks-update-behaviors.html", gap="table_replacement")
def test_a_failed_update_keeps_the_table_it_would_replace(account: Account) -> None:
    """A replaced table is deleted only once the update has succeeded."""
    stack = account.create_stack(template({"Table": _table("id")}))
    dynamodb, name = account.client("dynamodb"), account.physical_id(stack, "Table")
    dynamodb.put_item(TableName=name, Item={"id": {"S": "1"}})
    for wrong in (
        {"Table": _table("sku"), "Wrong": {**failing(), "DependsOn": "Table"}},
        {"Table": _table("sku", TimeToLiveSpecification={"Enabled": True})},
    ):
        account.update_stack(stack, template(wrong))
        assert status(account, stack) == "UPDATE_ROLLBACK_COMPLETE"
        assert account.physical_id(stack, "Table") == name
        assert dynamodb.get_item(TableName=name, Key={"id": {"S": "1"}})["Item"] == {"id": {"S": "1"}}


@case(source=f"{GUIDE}/view-stack-events.html")
def test_a_refused_change_does_not_block_the_stack(account: Account) -> None:
    """A change of a table that DynamoDB refuses is rolled back: the stack can be updated again."""
    stack = account.create_stack(template({"Table": _table("id")}))
    name = account.physical_id(stack, "Table")
    account.update_stack(stack, template({"Table": _table("id", GlobalSecondaryIndexes=[_index("unknown")])}))
    assert status(account, stack) == "UPDATE_ROLLBACK_COMPLETE"
    account.update_stack(stack, template({"Table": _table("id", DeletionProtectionEnabled=False)}))
    assert status(account, stack) == "UPDATE_COMPLETE"
    assert account.physical_id(stack, "Table") == name


@case(source=f"{TEMPLATES}/aws-properties-name.html")
def test_a_named_table_can_not_be_replaced(account: Account) -> None:
    """An update that would replace a resource with a name of its own fails, and the old one goes on."""
    name = unique("table")
    stack = account.create_stack(template({"Table": _table("id", TableName=name)}))
    account.update_stack(stack, template({"Table": _table("sku", TableName=name)}))
    assert status(account, stack) == "UPDATE_ROLLBACK_COMPLETE"
    reasons = [event.get("ResourceStatusReason", "") for event in events(account, stack)]
    assert any("cannot update a stack when a custom-named resource requires replacing" in reason for reason in reasons)
    found = account.client("dynamodb").describe_table(TableName=name)["Table"]
    assert found["KeySchema"][0]["AttributeName"] == "id"


def _index(key: str) -> dict[str, Any]:
    keys = [{"AttributeName": key, "KeyType": "HASH"}]
    return {"IndexName": "by-key", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}


def _table(key: str, **properties: Any) -> dict[str, Any]:
    return resource(
        "DynamoDB::Table",
        {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            **properties,
        },
    )


@case(source=f"{TEMPLATES}/aws-resource-lambda-version.html", rule=1)
def test_a_new_version_resource_publishes(account: Account) -> None:
    """A Version resource with a new logical id publishes; the alias moves; a retained one still runs."""
    stack = account.create_stack(_versioned(account, "one", "VersionOne"))
    aws, name = account.client("lambda"), account.physical_id(stack, "Function")
    assert _says(account, name, "live") == "one"
    account.update_stack(stack, _versioned(account, "two", "VersionTwo"))
    assert _says(account, name, "live") == "two"
    assert _says(account, name, "1") == "one"
    versions = aws.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]


@case(source=f"{TEMPLATES}/aws-resource-lambda-version.html", rule=1)
def test_a_version_resource_left_alone_does_not_publish(account: Account) -> None:
    """New code under an old Version resource changes `$LATEST` only, not what the alias serves."""
    stack = account.create_stack(_versioned(account, "one", "Version"))
    account.update_stack(stack, _versioned(account, "two", "Version"))
    name = account.physical_id(stack, "Function")
    assert _says(account, name, "live") == "one"
    assert _says(account, name, "$LATEST") == "two"


def _versioned(account: Account, says: str, version: str, **properties: Any) -> dict[str, Any]:
    alias = {
        "FunctionName": {"Ref": "Function"},
        "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
        "Name": "live",
    }
    return template(
        {
            "Function": function(account, says, **properties),
            version: resource("Lambda::Version", {"FunctionName": {"Ref": "Function"}}, DeletionPolicy="Retain"),
            "Alias": resource("Lambda::Alias", alias),
        }
    )


def _says(account: Account, name: str, qualifier: str) -> str:
    answer = account.client("lambda").invoke(FunctionName=name, Qualifier=qualifier)
    return str(json.loads(answer["Payload"].read())[0])


@case(source=f"{TEMPLATES}/aws-resource-lambda-alias.html", rule=3)
def test_an_alias_resource_routes_by_weight(account: Account) -> None:
    """`RoutingConfig` of an Alias resource is the alias's, and goes when the template drops it."""
    made = _versioned(account, "one", "VersionOne")
    role = made["Resources"]["Function"]["Properties"]["Role"]
    stack = account.create_stack(made)
    alias = {"Name": "live", "FunctionName": account.physical_id(stack, "Function")}
    made = _versioned(account, "two", "VersionTwo", Role=role)
    weights = [{"FunctionVersion": "1", "FunctionWeight": 0.3}]
    made["Resources"]["Alias"]["Properties"]["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    account.update_stack(stack, made)
    found = account.client("lambda").get_alias(**alias)
    assert found["FunctionVersion"] == "2"
    assert found["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 0.3}}
    del made["Resources"]["Alias"]["Properties"]["RoutingConfig"]
    account.update_stack(stack, made)
    assert not account.client("lambda").get_alias(**alias).get("RoutingConfig")


@case(source="https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCode.html", gap="missing_code")
def test_code_that_is_not_there_fails_the_stack(account: Account) -> None:
    """A function whose code object isn't in the bucket fails the stack."""
    bucket = unique("code")
    region = account.endpoint.region
    account.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    account.client("s3").put_object(Bucket=bucket, Key="one.zip", Body=zipped("def handler(e, c): return ['one', 1]"))
    missing = function(account, "", Code={"S3Bucket": bucket, "S3Key": "missing.zip"})
    stack = account.create_stack(template({"Function": missing}))
    assert status(account, stack) == "ROLLBACK_COMPLETE"
    good = function(account, "", Code={"S3Bucket": bucket, "S3Key": "one.zip"})
    stack = account.create_stack(template({"Function": good}))
    account.update_stack(stack, template({"Function": missing}))
    assert status(account, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert calls(account, stack, "Function") == ["one", 1]
