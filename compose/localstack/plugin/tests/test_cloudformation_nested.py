"""Stacks in stacks, and stacks that a process which is gone was working on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cloudformation_account import Account, Stack, failing, parameter, resource, running, template, unique
from localstack_process import LocalStackProcess
from multistack_localstack.state import control


@pytest.fixture(scope="module")
def account() -> Account:
    return running()


def test_a_nested_stack_is_updated_and_taken_back_with_its_parent(account: Account) -> None:
    """A nested stack follows its parent's parameters, back as well; its outputs are attributes."""
    s3, bucket, stack = account.client("s3"), unique("templates"), account.stack()
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    inner = template(
        {"One": parameter({"Ref": "Value"}), "Wrong": {**failing(), "Condition": "IsWrong"}},
        Parameters={"Value": {"Type": "String"}},
        Conditions={"IsWrong": {"Fn::Equals": [{"Ref": "Value"}, "wrong"]}},
        Outputs={"Name": {"Value": {"Ref": "One"}}, "Value": {"Value": {"Ref": "Value"}}},
    )
    s3.put_object(Bucket=bucket, Key="inner.json", Body=json.dumps(inner).encode())
    url = f"{account.url}/{bucket}/inner.json"

    def outer(value: str, **more: Any) -> dict[str, Any]:
        nested = resource("CloudFormation::Stack", {"TemplateURL": url, "Parameters": {"Value": value}})
        copied = parameter({"Fn::GetAtt": ["Nested", "Outputs.Value"]})
        return template({"Nested": nested, "Copy": copied, **more}, Outputs={"O": {"Value": {"Ref": "Copy"}}})

    def values() -> list[str]:
        nested = stack.aws.describe_stacks(StackName=stack.resources["Nested"])["Stacks"][0]["Outputs"]
        names = [stack.outputs["O"], *(one["OutputValue"] for one in nested if one["OutputKey"] == "Name")]
        return [account.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] for name in names]

    assert stack.deploy(outer("one")) == "CREATE_COMPLETE", stack.told
    nested = stack.resources["Nested"]
    assert values() == ["one", "one"]
    assert stack.deploy(outer("two", Wrong=failing("Copy"))) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert values() == ["one", "one"]
    assert stack.deploy(outer("wrong")) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert values() == ["one", "one"]
    assert stack.deploy(outer("two")) == "UPDATE_COMPLETE", stack.told
    assert (stack.resources["Nested"], values()) == (nested, ["two", "two"])
    assert stack.delete() == "DELETE_COMPLETE", stack.told
    assert stack.aws.describe_stacks(StackName=nested)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"


def test_a_deployment_that_was_cut_short_is_taken_back(tmp_path: Path) -> None:
    """A LocalStack that was killed in the middle of an update takes it back when it is started again."""
    process = LocalStackProcess(tmp_path)
    process.start()
    try:
        stack = _checkpointed_in_an_update(Account(process.url), process)
        process.kill()
        process.start()
        stack = type(stack)(Account(process.url), stack.name)
        assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE", stack.told
        found = stack.account.client("ssm").get_parameter(Name=stack.resources["One"])["Parameter"]
        assert found["Value"] == "one"
        # The one that was just being made may be in the checkpoint before the stack knew of it.
        assert len(_tables_of(stack)) <= 1
        assert stack.deploy(template({"One": parameter("three")})) == "UPDATE_COMPLETE", stack.told
    finally:
        process.kill()


def _checkpointed_in_an_update(account: Account, process: LocalStackProcess) -> Stack:
    """A stack that is being updated, with a checkpoint that was taken meanwhile."""
    # As many as a template may hold; on a busy machine a checkpoint may yet take longer: another update is tried then.
    needs = {f"Table{number}": {**_table(), "DependsOn": ["One"]} for number in range(180)}
    for _ in range(5):
        stack = account.stack()
        assert stack.deploy(template({"One": parameter("one")})) == "CREATE_COMPLETE", stack.told
        plan = stack.plan(template({"One": parameter("two"), **needs}))
        stack.aws.execute_change_set(ChangeSetName=plan["ChangeSetId"])
        assert "error" not in control.ask(process.socket, "checkpoint", timeout=60.0)
        if stack.describe()["StackStatus"] == "UPDATE_IN_PROGRESS":
            return stack
        assert stack.settled() == "UPDATE_COMPLETE", stack.told
    raise AssertionError("every update was complete before its checkpoint was")


def _tables_of(stack: Stack) -> list[str]:
    pages = stack.account.client("dynamodb").get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"] if name.startswith(stack.name)]


def _table() -> dict[str, Any]:
    return resource(
        "DynamoDB::Table",
        {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        },
    )
