"""Stacks that fail: what is refused before anything happens, what is rolled back, and what then is stuck."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.account import Account, eventually, unique, zipped
from tests.conformance.cases import case
from tests.conformance.stack_templates import (
    API,
    GUIDE,
    TEMPLATES,
    calls,
    events,
    failing,
    function,
    parameter,
    refused,
    resource,
    status,
    template,
)

_STATES = f"{GUIDE}/view-stack-events.html"
_CONTINUE = f"{GUIDE}/using-cfn-updating-stacks-continueupdaterollback.html"
_CENTER = "https://repost.aws/knowledge-center"


@case(source=f"{API}/API_CreateStack.html")
def test_an_unknown_resource_type_is_refused(account: Account) -> None:
    """A template with a resource type that doesn't exist is refused before anything is made."""
    with refused(account, says="AWS::No::Such"):
        account.create_stack(template({"Strange": resource("No::Such"), "Parameter": parameter("one")}))


@case(source=f"{_CENTER}/cloudformation-circular-dependency-sam", gap="template_references")
def test_a_circle_of_dependencies_is_refused(account: Account) -> None:
    """Resources that need each other are refused before anything is made: no stack is left behind."""
    name = unique("stack")
    circle = template({"A": parameter("a", DependsOn="B"), "B": parameter("b", DependsOn="A"), "C": parameter("c")})
    with refused(account, says="Circular dependency between resources"):
        account.client("cloudformation").create_stack(StackName=name, TemplateBody=_text(circle))
    with refused(account, says="does not exist"):
        account.client("cloudformation").describe_stacks(StackName=name)


@case(source=f"{_CENTER}/cloudformation-template-validation", gap="template_references")
def test_a_reference_to_nothing_is_refused(account: Account) -> None:
    """`Ref` of a name that is neither resource nor parameter is refused, at creation and at an update."""
    wrong = template({"Parameter": parameter("x", DependsOn=[])})
    wrong["Resources"]["Parameter"]["Properties"]["Value"] = {"Fn::Join": ["", [{"Ref": "Nowhere"}]]}
    with refused(account, says="Nowhere"):
        account.create_stack(wrong)
    stack = account.create_stack(template({"Parameter": parameter("one")}))
    with refused(account, says="Nowhere"):
        account.update_stack(stack, wrong)
    assert status(account, stack) == "CREATE_COMPLETE"


@case(source=f"{GUIDE}/template-anatomy.html", gap="template_references")
def test_a_part_that_is_no_object_is_refused(account: Account) -> None:
    """A template whose resource or output is no object is refused before anything is made."""
    wrong = [template({"Parameter": "x"})]
    wrong += [template({"Parameter": parameter("one")}, Outputs=outputs) for outputs in ({"Parameter": "x"}, ["x"])]
    for body in wrong:
        with refused(account):
            account.create_stack(body)


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body)


@case(source=_STATES)
def test_a_failed_creation_is_rolled_back(account: Account) -> None:
    """A creation that fails ends in ROLLBACK_COMPLETE, with nothing left but the events."""
    name = unique("parameter")
    named = parameter("one")
    named["Properties"]["Name"] = name
    stack = account.create_stack(template({"Made": named, "Wrong": {**failing(), "DependsOn": "Made"}}))
    assert status(account, stack) == "ROLLBACK_COMPLETE"
    assert account.client("ssm").get_parameters(Names=[name])["InvalidParameters"] == [name]
    seen = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in events(account, stack)]
    order = [("Made", "CREATE_COMPLETE"), ("Wrong", "CREATE_FAILED"), (stack, "ROLLBACK_IN_PROGRESS")]
    order += [("Made", "DELETE_COMPLETE"), (stack, "ROLLBACK_COMPLETE")]
    assert [entry for entry in seen if entry in order] == order
    failed = next(event for event in events(account, stack) if event["ResourceStatus"] == "CREATE_FAILED")
    assert failed["ResourceStatusReason"]


@case(source=_STATES, gap="function_properties")
def test_a_resource_that_failed_half_made_is_gone(account: Account) -> None:
    """A function or table that can't get all of its properties fails the stack, and isn't left behind."""
    names = {kind: unique(kind) for kind in ("function", "table")}
    crowded = function(account, "one", FunctionName=names["function"], ReservedConcurrentExecutions=1_000_000)
    forever = _named(account, "table", names["table"])
    forever["Properties"]["TimeToLiveSpecification"] = {"Enabled": True}
    for wrong in (crowded, forever):
        assert status(account, account.create_stack(template({"Wrong": wrong}))) == "ROLLBACK_COMPLETE"
    functions = account.client("lambda").get_paginator("list_functions").paginate().search("Functions[].FunctionName")
    tables = account.client("dynamodb").get_paginator("list_tables").paginate().search("TableNames[]")
    assert names["function"] not in list(functions)
    assert names["table"] not in list(tables)


@case(source=_STATES)
def test_a_stack_whose_creation_failed_can_not_be_updated(account: Account) -> None:
    """A stack in ROLLBACK_COMPLETE refuses updates and can be deleted."""
    stack = account.create_stack(template({"Wrong": failing()}))
    with refused(account, says="ROLLBACK_COMPLETE"):
        account.update_stack(stack, template({"Parameter": parameter("one")}))
    account.client("cloudformation").delete_stack(StackName=stack)
    _gone(account, stack)


@case(source=_STATES, gap="unusable_stacks")
def test_a_stack_whose_creation_failed_keeps_its_name(account: Account) -> None:
    """A stack in ROLLBACK_COMPLETE must be deleted before its name can be used again."""
    stack = account.create_stack(template({"Wrong": failing()}))
    aws, body = account.client("cloudformation"), _text(template({"Parameter": parameter("one")}))
    with pytest.raises(aws.exceptions.AlreadyExistsException):
        aws.create_stack(StackName=stack, TemplateBody=body)
    for kind in ("CREATE", "UPDATE"):
        with refused(account):
            aws.create_change_set(StackName=stack, ChangeSetName="c", ChangeSetType=kind, TemplateBody=body)
    aws.delete_stack(StackName=stack)
    _gone(account, stack)
    aws.create_stack(StackName=stack, TemplateBody=body)
    assert status(account, stack) == "CREATE_COMPLETE"


def _gone(account: Account, stack: str) -> None:
    def names() -> list[str]:
        return [found["StackName"] for found in account.client("cloudformation").describe_stacks()["Stacks"]]

    assert stack not in eventually(names, lambda found: stack not in found)


@case(source=_STATES)
def test_a_failed_update_serves_the_old_release(account: Account) -> None:
    """A failed update is rolled back: the old code answers again, and what was added is gone."""
    before = {"Function": function(account, "one", Environment={"Variables": {"WHO": "before"}})}
    stack = account.create_stack(template(before))
    added = unique("parameter")
    named = parameter("one")
    named["Properties"]["Name"] = added
    after = {
        "Function": function(account, "two", Environment={"Variables": {"WHO": "after"}}),
        "Added": named,
        "Wrong": {**failing(), "DependsOn": ["Function", "Added"]},
    }
    account.update_stack(stack, template(after))
    assert status(account, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert calls(account, stack, "Function") == ["one", "before"]
    assert account.client("ssm").get_parameters(Names=[added])["InvalidParameters"] == [added]
    found = account.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    assert list(found["Resources"]) == ["Function"]


@case(source=_STATES, gap="rollback_failed")
def test_a_half_done_update_of_a_resource_is_undone(account: Account) -> None:
    """An update that fails after it changed a function's code puts the old code back."""
    stack = account.create_stack(template({"Function": function(account, "one")}))
    region, layer = account.endpoint.region, unique("layer")
    layers = [f"arn:aws:lambda:{region}:{account.endpoint.account_id}:layer:{layer}:1"]
    account.update_stack(stack, template({"Function": function(account, "two", Layers=layers)}))
    assert status(account, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert calls(account, stack, "Function") == ["one", None]


def _stuck(account: Account) -> str:
    """A stack in UPDATE_ROLLBACK_FAILED: somebody deleted its function by hand before an update."""
    stack = account.create_stack(
        template({"First": parameter("one"), "Function": function(account, "one", Description="one")})
    )
    account.client("lambda").delete_function(FunctionName=account.physical_id(stack, "Function"))
    account.update_stack(
        stack, template({"First": parameter("two"), "Function": function(account, "two", Description="two")})
    )
    return stack


@case(source=_CONTINUE, gap="rollback_failed")
def test_a_rollback_that_fails_blocks_the_stack(account: Account) -> None:
    """A rollback to a deleted function ends in UPDATE_ROLLBACK_FAILED, where updates are refused."""
    stack = _stuck(account)
    found = account.stack_settled(stack)
    assert found["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert "Function" in found["StackStatusReason"]
    hotfix = template({"First": parameter("three")})
    with refused(account, says="UPDATE_ROLLBACK_FAILED"):
        account.update_stack(stack, hotfix)
    assert account.client("ssm").get_parameter(Name=account.physical_id(stack, "First"))["Parameter"]["Value"] == "one"


@case(source=f"{API}/API_ContinueUpdateRollback.html", gap="rollback_failed")
def test_a_rollback_is_continued_without_what_is_lost(account: Account) -> None:
    """ContinueUpdateRollback goes on without a lost function that is skipped."""
    stack = _stuck(account)
    aws = account.client("cloudformation")
    aws.continue_update_rollback(StackName=stack)
    assert status(account, stack) == "UPDATE_ROLLBACK_FAILED"
    aws.continue_update_rollback(StackName=stack, ResourcesToSkip=["Function"])
    assert status(account, stack) == "UPDATE_ROLLBACK_COMPLETE"
    account.update_stack(stack, template({"First": parameter("three")}))
    assert status(account, stack) == "UPDATE_COMPLETE"
    with refused(account):
        aws.continue_update_rollback(StackName=stack)


@case(source=_CONTINUE, gap="rollback_failed")
def test_a_rollback_is_continued_once_its_cause_is_gone(account: Account) -> None:
    """ContinueUpdateRollback succeeds once somebody has made the lost function again."""
    name, aws = unique("function"), account.client("lambda")
    old = function(account, "one", FunctionName=name)
    stack = account.create_stack(template({"Function": old}))
    aws.delete_function(FunctionName=name)
    account.update_stack(stack, template({"Function": function(account, "two", FunctionName=name)}))
    assert status(account, stack) == "UPDATE_ROLLBACK_FAILED"
    by_hand = zipped("def handler(event, context):\n    return 'by hand'\n")
    role = old["Properties"]["Role"]
    aws.create_function(
        FunctionName=name, Runtime="python3.12", Handler="index.handler", Role=role, Code={"ZipFile": by_hand}
    )
    account.client("cloudformation").continue_update_rollback(StackName=stack)
    assert status(account, stack) == "UPDATE_ROLLBACK_COMPLETE"
    account.settle(name)
    assert calls(account, stack, "Function") == ["one", None]


@case(source=f"{GUIDE}/stack-failure-options.html", gap="paused_stacks")
def test_a_failure_without_rollback_can_be_corrected(account: Account) -> None:
    """With `DisableRollback` a failed update stops, and a corrected template goes on from there."""
    stack = account.create_stack(template({"Function": function(account, "one")}))
    two = function(account, "two")
    wrong = {"Function": two, "Wrong": {**failing(), "DependsOn": "Function"}}
    account.update_stack(stack, template(wrong), DisableRollback=True)
    assert status(account, stack) == "UPDATE_FAILED"
    assert calls(account, stack, "Function") == ["two", None]
    account.update_stack(stack, template({"Function": two, "Right": parameter("one")}))
    assert status(account, stack) == "UPDATE_COMPLETE"
    assert calls(account, stack, "Function") == ["two", None]


@case(source=f"{API}/API_RollbackStack.html")
def test_a_failure_without_rollback_can_be_rolled_back_later(account: Account) -> None:
    """RollbackStack takes a stack in UPDATE_FAILED back to the release before."""
    stack = account.create_stack(template({"Function": function(account, "one")}))
    wrong = {"Function": function(account, "two"), "Wrong": {**failing(), "DependsOn": "Function"}}
    account.update_stack(stack, template(wrong), DisableRollback=True)
    account.client("cloudformation").rollback_stack(StackName=stack)
    assert status(account, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert calls(account, stack, "Function") == ["one", None]


@case(source=f"{GUIDE}/troubleshooting.html", gap="full_buckets")
def test_a_full_bucket_can_not_be_deleted(account: Account) -> None:
    """Deleting a stack whose bucket has objects ends in DELETE_FAILED and keeps them."""
    stack = account.create_stack(template({"Bucket": resource("S3::Bucket"), "Parameter": parameter("one")}))
    s3, bucket = account.client("s3"), account.physical_id(stack, "Bucket")
    s3.put_object(Bucket=bucket, Key="kept", Body=b"data")
    account.client("cloudformation").delete_stack(StackName=stack)
    found = eventually(lambda: _describe(account, stack), lambda now: now != "CREATE_COMPLETE")
    assert found in ("DELETE_IN_PROGRESS", "DELETE_FAILED")
    assert status(account, stack) == "DELETE_FAILED"
    assert s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"data"
    s3.delete_object(Bucket=bucket, Key="kept")
    account.client("cloudformation").delete_stack(StackName=stack)
    _gone(account, stack)


@case(source=f"{API}/API_DeleteStack.html", gap="full_buckets")
def test_a_stack_is_deleted_without_what_it_can_not_delete(account: Account) -> None:
    """`RetainResources` deletes a stack without the bucket that can't be deleted."""
    stack = account.create_stack(template({"Bucket": resource("S3::Bucket")}))
    aws, bucket = account.client("cloudformation"), account.physical_id(stack, "Bucket")
    account.client("s3").put_object(Bucket=bucket, Key="kept", Body=b"data")
    aws.delete_stack(StackName=stack)
    ended = eventually(lambda: _describe(account, stack), lambda now: now in (None, "DELETE_FAILED"))
    assert ended == "DELETE_FAILED"
    aws.delete_stack(StackName=stack, RetainResources=["Bucket"])
    _gone(account, stack)
    assert account.client("s3").get_object(Bucket=bucket, Key="kept")["Body"].read() == b"data"


@case(rule=3, source=_CONTINUE, gap="rollback_failed")
def test_an_alias_that_is_gone_is_not_made_again(account: Account) -> None:
    """An update of an alias that somebody deleted fails: it is not made again in silence."""
    made = {
        "Function": function(account, "one"),
        "Version": resource("Lambda::Version", {"FunctionName": {"Ref": "Function"}}),
        "Alias": resource("Lambda::Alias", {"FunctionName": {"Ref": "Function"}, "Name": "live"}),
    }
    made["Alias"]["Properties"]["FunctionVersion"] = {"Fn::GetAtt": ["Version", "Version"]}
    stack = account.create_stack(template(made))
    name = account.physical_id(stack, "Function")
    account.client("lambda").delete_alias(FunctionName=name, Name="live")
    made["Alias"]["Properties"]["Description"] = "changed"
    account.update_stack(stack, template(made))
    assert status(account, stack) == "UPDATE_ROLLBACK_FAILED"
    assert account.client("lambda").list_aliases(FunctionName=name)["Aliases"] == []


def _describe(account: Account, stack: str) -> str | None:
    found = account.client("cloudformation").describe_stacks()["Stacks"]
    return next((entry["StackStatus"] for entry in found if entry["StackName"] == stack), None)


@case(source=f"{TEMPLATES}/aws-properties-name.html", gap="taken_names")
def test_a_taken_name_fails_the_stack(account: Account) -> None:
    """A stack can't take over a resource that exists already: it fails, and the other stack's goes on."""
    made = {name: _named(account, name, unique(name)) for name in ("function", "table", "queue", "group", "role")}
    first = account.create_stack(template({name.title(): entry for name, entry in made.items()}))
    assert status(account, first) == "CREATE_COMPLETE"
    for entry in made.values():
        second = account.create_stack(template({"Named": entry}))
        assert status(account, second) == "ROLLBACK_COMPLETE", entry
        assert any("exist" in event.get("ResourceStatusReason", "") for event in events(account, second))
    aws = account.client("cloudformation")
    for name in made:
        drift = aws.detect_stack_resource_drift(StackName=first, LogicalResourceId=name.title())
        assert drift["StackResourceDrift"]["StackResourceDriftStatus"] == "IN_SYNC"


def _named(account: Account, kind: str, name: str) -> dict[str, Any]:
    trust = {"Version": "2012-10-17", "Statement": []}
    key = {"AttributeName": "id"}
    return {
        "function": lambda: function(account, "one", FunctionName=name),
        "table": lambda: resource(
            "DynamoDB::Table",
            {
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{**key, "AttributeType": "S"}],
                "KeySchema": [{**key, "KeyType": "HASH"}],
            },
        ),
        "queue": lambda: resource("SQS::Queue", {"QueueName": name}),
        "group": lambda: resource("Logs::LogGroup", {"LogGroupName": name}),
        "role": lambda: resource("IAM::Role", {"RoleName": name, "AssumeRolePolicyDocument": trust}),
    }[kind]()
