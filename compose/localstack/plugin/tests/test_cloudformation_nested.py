"""Stacks in stacks, and stacks that a process which is gone was working on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cloudformation_account import Account, failing, parameter, resource, running, template, unique
from localstack_process import LocalStackProcess


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
        account = Account(process.url)
        stack = account.stack()
        assert stack.deploy(template({"One": parameter("one")})) == "CREATE_COMPLETE"
        # So many that it is in the middle whatever the commands here take.
        needs = {f"Queue{number}": {"Type": "AWS::SQS::Queue", "DependsOn": ["One"]} for number in range(450)}
        plan = stack.plan(template({"One": parameter("two"), **needs}))
        stack.aws.execute_change_set(ChangeSetName=plan["ChangeSetId"])
        assert process.command("checkpoint").returncode == 0
        process.kill()
        process.start()
        stack = type(stack)(Account(process.url), stack.name)
        assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE", stack.told
        found = stack.account.client("ssm").get_parameter(Name=stack.resources["One"])["Parameter"]
        assert found["Value"] == "one"
        # The one that was just being made may be in the checkpoint before the stack knew of it.
        assert len(stack.account.client("sqs").list_queues().get("QueueUrls", [])) <= 1
        assert stack.deploy(template({"One": parameter("three")})) == "UPDATE_COMPLETE", stack.told
    finally:
        process.kill()
