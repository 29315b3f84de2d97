"""Change sets: a plan that shows what an update would do, and is carried out or not."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.account import Account, eventually, unique
from tests.conformance.cases import case
from tests.conformance.stack_templates import (
    API,
    GUIDE,
    TEMPLATES,
    calls,
    failing,
    function,
    parameter,
    refused,
    resource,
    status,
    template,
)

_GUIDE = f"{GUIDE}/using-cfn-updating-stacks-changesets.html"
_EXECUTE = f"{API}/API_ExecuteChangeSet.html"


def _plan(account: Account, stack: str, body: Any, *, name: str = "plan", kind: str = "UPDATE", **more: Any) -> Any:
    """A change set once it is planned, good or bad."""
    aws = account.client("cloudformation")
    aws.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        ChangeSetType=kind,
        TemplateBody=json.dumps(body),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        **more,
    )
    return eventually(
        lambda: aws.describe_change_set(StackName=stack, ChangeSetName=name),
        lambda found: not found["Status"].endswith(("_IN_PROGRESS", "_PENDING")),
    )


def _execute(account: Account, stack: str, name: str = "plan") -> str:
    account.client("cloudformation").execute_change_set(StackName=stack, ChangeSetName=name)
    return status(account, stack)


def _changes(plan: Any) -> dict[str, Any]:
    return {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in plan["Changes"]}


@case(source=f"{API}/API_CreateChangeSet.html")
def test_a_change_set_creates_a_stack(account: Account) -> None:
    """A CREATE change set makes an empty stack in review, and its resources when executed."""
    stack = unique("stack")
    plan = _plan(account, stack, template({"One": parameter("one")}), kind="CREATE")
    assert {name: change["Action"] for name, change in _changes(plan).items()} == {"One": "Add"}
    found = account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    assert found["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert account.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"] == []
    assert _execute(account, stack) == "CREATE_COMPLETE"
    assert account.client("ssm").get_parameter(Name=account.physical_id(stack, "One"))["Parameter"]["Value"] == "one"


@case(source=f"{API}/API_ResourceChange.html")
def test_a_change_set_lists_what_it_would_do(account: Account) -> None:
    """A change set says what it adds, modifies and removes, and what a modification replaces."""
    before = {
        "Function": function(account, "one"),
        "Gone": parameter("gone"),
        "Named": resource("SQS::Queue", {"QueueName": unique("queue")}),
        "Same": parameter("same"),
    }
    stack = account.create_stack(template(before))
    after = {
        "Added": parameter("added"),
        "Function": {**before["Function"], "Properties": {**before["Function"]["Properties"], "MemorySize": 256}},
        "Named": resource("SQS::Queue", {"QueueName": unique("queue")}),
        "Same": before["Same"],
    }
    plan = _plan(account, stack, template(after))
    found = {name: (change["Action"], change.get("Replacement")) for name, change in _changes(plan).items()}
    assert found == {
        "Added": ("Add", None),
        "Function": ("Modify", "False"),
        "Gone": ("Remove", None),
        "Named": ("Modify", "True"),
    }
    modified = _changes(plan)["Function"]
    assert modified["Scope"] == ["Properties"]
    assert modified["Details"][0]["Target"]["Name"] == "MemorySize"
    assert modified["PhysicalResourceId"] == account.physical_id(stack, "Function")


@case(source=f"{API}/API_ResourceChange.html")
def test_a_change_set_marks_what_may_be_replaced(account: Account) -> None:
    """A change set also lists what refers to a resource that will be replaced."""
    first, second = unique("topic"), unique("topic")
    made = {
        "Topic": resource("SNS::Topic", {"TopicName": first}),
        "Subscription": resource(
            "SNS::Subscription",
            {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]}},
        ),
        "Queue": resource("SQS::Queue"),
    }
    stack = account.create_stack(template(made))
    made["Topic"] = resource("SNS::Topic", {"TopicName": second})
    found = _changes(_plan(account, stack, template(made)))
    assert found["Topic"]["Replacement"] == "True"
    assert found["Subscription"]["Replacement"] in ("True", "Conditional")
    detail = found["Subscription"]["Details"][0]
    assert (detail["ChangeSource"], detail["CausingEntity"]) == ("ResourceReference", "Topic")


@case(source=_GUIDE)
def test_a_change_set_without_changes_fails(account: Account) -> None:
    """A change set of the same template fails, says why, and can't be executed."""
    body = template({"One": parameter("one")})
    stack = account.create_stack(body)
    plan = _plan(account, stack, body)
    assert (plan["Status"], plan["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "The submitted information didn't contain changes" in plan["StatusReason"]
    with refused(account, "InvalidChangeSetStatus"):
        _execute(account, stack)


@case(source=_EXECUTE)
def test_only_an_executed_change_set_does_anything(account: Account) -> None:
    """A change set that is deleted changes nothing; one that is executed does what it says."""
    stack = account.create_stack(template({"Function": function(account, "one")}))
    plan = template({"Function": function(account, "two")})
    _plan(account, stack, plan)
    account.client("cloudformation").delete_change_set(StackName=stack, ChangeSetName="plan")
    assert calls(account, stack, "Function") == ["one", None]
    with refused(account, "ChangeSetNotFound"):
        _execute(account, stack)
    _plan(account, stack, plan)
    assert _execute(account, stack) == "UPDATE_COMPLETE"
    assert calls(account, stack, "Function") == ["two", None]


@case(source=_EXECUTE, gap="change_set_names")
def test_a_name_can_be_used_again_after_execution(account: Account) -> None:
    """One fixed change set name serves every deployment of a pipeline."""
    stack = unique("stack")
    _plan(account, stack, template({"One": parameter("one")}), kind="CREATE")
    assert _execute(account, stack) == "CREATE_COMPLETE"
    for value in ("two", "three"):
        _plan(account, stack, template({"One": parameter(value)}))
        assert _execute(account, stack) == "UPDATE_COMPLETE"
    found = account.client("ssm").get_parameter(Name=account.physical_id(stack, "One"))
    assert found["Parameter"]["Value"] == "three"
    _plan(account, stack, template({"One": parameter("four")}))
    with refused(account, "AlreadyExistsException"):
        _plan(account, stack, template({"One": parameter("five")}))


@case(source=_EXECUTE)
def test_executing_one_change_set_removes_the_others(account: Account) -> None:
    """The other change sets of a stack don't fit it any more once one is executed: they are gone."""
    stack = account.create_stack(template({"One": parameter("one")}))
    _plan(account, stack, template({"One": parameter("two")}), name="two")
    _plan(account, stack, template({"One": parameter("three")}), name="three")
    assert _execute(account, stack, "two") == "UPDATE_COMPLETE"
    with refused(account, "ChangeSetNotFound"):
        _execute(account, stack, "three")


@case(source=f"{API}/API_DescribeChangeSet.html")
def test_a_stale_change_set_is_refused(account: Account) -> None:
    """A change set that was planned before the stack was updated can't be executed any more."""
    stack = account.create_stack(template({"One": parameter("one")}))
    _plan(account, stack, template({"One": parameter("two")}))
    account.update_stack(stack, template({"One": parameter("hotfix")}))
    aws = account.client("cloudformation")
    try:
        aws.execute_change_set(StackName=stack, ChangeSetName="plan")
        code = ""
    except aws.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
    assert code in ("InvalidChangeSetStatus", "ChangeSetNotFound")
    found = account.client("ssm").get_parameter(Name=account.physical_id(stack, "One"))
    assert found["Parameter"]["Value"] == "hotfix"


@case(source=f"{GUIDE}/view-stack-events.html", gap="unusable_stacks")
def test_a_stack_that_is_stuck_takes_no_change_set(account: Account) -> None:
    """A stack in ROLLBACK_COMPLETE refuses new change sets of either type."""
    stack = account.create_stack(template({"Wrong": failing()}))
    for kind in ("CREATE", "UPDATE"):
        with refused(account):
            _plan(account, stack, template({"One": parameter("one")}), kind=kind)


@case(
    source=f"{TEMPLATES}/parameters-section-structure.html",
    gap="parameter_values",
)
def test_a_change_set_masks_hidden_parameters(account: Account) -> None:
    """A change set shows no value of a `NoEcho` parameter, and sets it all the same when executed."""
    body = template({"Copy": parameter("")}, Parameters={"Password": {"Type": "String", "NoEcho": True}})
    body["Resources"]["Copy"]["Properties"]["Value"] = {"Ref": "Password"}
    stack = unique("stack")
    given = [{"ParameterKey": "Password", "ParameterValue": "hush"}]
    plan = _plan(account, stack, body, kind="CREATE", Parameters=given)
    assert plan["Parameters"][0]["ParameterValue"] == "****"
    assert _execute(account, stack) == "CREATE_COMPLETE"
    found = account.client("ssm").get_parameter(Name=account.physical_id(stack, "Copy"))
    assert found["Parameter"]["Value"] == "hush"
