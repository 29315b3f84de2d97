"""Failed stacks on a running LocalStack: what is taken back, and what can be done then."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_account import Account, failing, parameter, resource, running, template, unique


@pytest.fixture(scope="module")
def account() -> Account:
    return running()


def _value(account: Account, name: str) -> str:
    return str(account.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])


def test_a_failed_update_is_back_where_it_was(account: Account) -> None:
    """Template, parameters, outputs, exports, tags and resources are those of before, and events say why."""
    stack, export, second = account.stack(), unique("export"), unique("queue")
    given = {"Value": {"Type": "String"}}
    shown = {"O": {"Value": {"Ref": "One"}, "Export": {"Name": export}}}
    tags = [{"Key": "release", "Value": "1"}]
    before = template(
        {"One": parameter({"Ref": "Value"}), "Gone": parameter("x"), "Queue": resource("SQS::Queue")},
        Parameters=given,
        Outputs=shown,
    )
    assert stack.deploy(before, Parameters={"Value": "one"}, Tags=tags) == "CREATE_COMPLETE"
    described, resources = stack.describe(), stack.resources
    after = template(
        {
            "One": parameter({"Ref": "Value"}),
            "Queue": resource("SQS::Queue", {"QueueName": second}),
            "Wrong": failing("One", "Queue"),
        },
        Parameters=given,
        Outputs={"Other": {"Value": "x", "Export": {"Name": export}}},
    )
    plan = stack.plan(after, Parameters={"Value": "two"}, Tags=[{"Key": "release", "Value": "2"}])
    assert stack.execute(plan) == "UPDATE_ROLLBACK_COMPLETE"
    found = stack.describe()
    for key in ("Parameters", "Outputs", "Tags"):
        assert found[key] == described[key]
    assert stack.aws.get_template(StackName=stack.name)["TemplateBody"] == before
    assert stack.resources == resources
    assert _value(account, resources["One"]) == "one"
    assert account.client("sqs").list_queues(QueueNamePrefix=second).get("QueueUrls", []) == []
    failed = [(name, reason) for name, status, reason in stack.events if status.endswith("_FAILED")]
    assert [name for name, _ in failed] == ["Wrong"]
    assert "reserved parameter" in failed[0][1]
    assert stack.deploy(template({"One": parameter("three")})) == "UPDATE_COMPLETE"
    assert _value(account, stack.resources["One"]) == "three"
    assert stack.delete() == "DELETE_COMPLETE"


def test_events_tell_a_rollback_in_order(account: Account) -> None:
    """The events of a failed update come in AWS's order."""
    stack = account.stack()
    assert stack.deploy(template({"One": parameter("one")})) == "CREATE_COMPLETE"
    known = len(stack.events)
    stack.deploy(template({"One": parameter("two"), "New": parameter("x"), "Wrong": failing("One", "New")}))
    assert [(name, status) for name, status, _ in stack.events[known:]] == [
        (stack.name, "UPDATE_IN_PROGRESS"),
        ("One", "UPDATE_IN_PROGRESS"),
        ("One", "UPDATE_COMPLETE"),
        ("New", "CREATE_IN_PROGRESS"),
        ("New", "CREATE_COMPLETE"),
        ("Wrong", "CREATE_IN_PROGRESS"),
        ("Wrong", "CREATE_FAILED"),
        (stack.name, "UPDATE_ROLLBACK_IN_PROGRESS"),
        ("One", "UPDATE_IN_PROGRESS"),
        ("One", "UPDATE_COMPLETE"),
        (stack.name, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("New", "DELETE_IN_PROGRESS"),
        ("New", "DELETE_COMPLETE"),
        (stack.name, "UPDATE_ROLLBACK_COMPLETE"),
    ]


@pytest.mark.parametrize(
    ("on_failure", "ended"),
    [
        pytest.param(None, "ROLLBACK_COMPLETE", id="by default"),
        pytest.param("ROLLBACK", "ROLLBACK_COMPLETE", id="rollback"),
        pytest.param("DO_NOTHING", "CREATE_FAILED", id="do nothing"),
        pytest.param("DELETE", "", id="delete"),
    ],
)
def test_a_failed_creation_ends_as_asked(account: Account, on_failure: str | None, ended: str) -> None:
    """What was made goes, stays or goes with the stack, as OnStackFailure says; the name is free after a deletion."""
    stack, name = account.stack(), unique("/cloudformation/made")
    made = parameter("one")
    made["Properties"]["Name"] = name
    assert stack.deploy(template({"Made": made, "Wrong": failing("Made")}), OnStackFailure=on_failure) == ended
    left = account.client("ssm").get_parameters(Names=[name])["Parameters"]
    assert bool(left) == (ended == "CREATE_FAILED")
    if ended:
        assert stack.delete() == "DELETE_COMPLETE"
    assert account.client("ssm").get_parameters(Names=[name])["Parameters"] == []
    assert stack.deploy(template({"Made": made})) == "CREATE_COMPLETE"


def test_a_creation_that_kept_what_it_made_can_be_corrected(account: Account) -> None:
    """A stack in CREATE_FAILED goes on with a corrected template, or back with RollbackStack."""
    stack = account.stack()
    body = template({"Made": parameter("one"), "Wrong": failing("Made")})
    assert stack.deploy(body, OnStackFailure="DO_NOTHING") == "CREATE_FAILED"
    kept = stack.resources["Made"]
    assert stack.deploy(template({"Made": parameter("one"), "Right": parameter("x")})) == "UPDATE_COMPLETE"
    assert stack.resources["Made"] == kept
    other = account.stack()
    assert other.deploy(body, OnStackFailure="DO_NOTHING") == "CREATE_FAILED"
    other.aws.rollback_stack(StackName=other.name)
    assert other.settled() == "ROLLBACK_COMPLETE"


def test_a_rollback_that_can_not_be_done_says_so(account: Account) -> None:
    """Where a resource can't be brought back the stack is UPDATE_ROLLBACK_FAILED, and goes on when told to."""
    stack = account.stack()
    assert stack.deploy(template({"One": parameter("one"), "Two": parameter("one")})) == "CREATE_COMPLETE"
    account.client("ssm").delete_parameter(Name=stack.resources["Two"])
    update = template({"One": parameter("two"), "Two": parameter("two")})
    assert stack.deploy(update) == "UPDATE_ROLLBACK_FAILED"
    assert "[Two]" in stack.describe()["StackStatusReason"]
    assert _value(account, stack.resources["One"]) == "one"
    with pytest.raises(ClientError, match="UPDATE_ROLLBACK_FAILED state and can not be updated"):
        stack.plan(update)
    stack.aws.continue_update_rollback(StackName=stack.name, ResourcesToSkip=["Two"])
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.deploy(template({"One": parameter("three")})) == "UPDATE_COMPLETE"
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_paused_update_goes_back_to_where_it_began(account: Account) -> None:
    """After two failed updates without rollback, RollbackStack goes back to before the first."""
    stack = account.stack()
    assert stack.deploy(template({"One": parameter("one")})) == "CREATE_COMPLETE"
    for value, more in (("two", {}), ("three", {"New": parameter("x")})):
        plan = stack.plan(template({"One": parameter(value), **more, "Wrong": failing("One", *more)}))
        assert stack.execute(plan, DisableRollback=True) == "UPDATE_FAILED"
        assert _value(account, stack.resources["One"]) == value
    made = stack.resources["New"]
    stack.aws.rollback_stack(StackName=stack.name)
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE"
    assert (_value(account, stack.resources["One"]), list(stack.resources)) == ("one", ["One"])
    assert account.client("ssm").get_parameters(Names=[made])["InvalidParameters"] == [made]


def test_policies_decide_what_a_rollback_deletes(account: Account) -> None:
    """`Retain` keeps also what a failed update made, `RetainExceptOnCreate` only what was there before."""
    stack, names = (
        account.stack(),
        {policy: unique("/cloudformation/kept") for policy in ("Retain", "RetainExceptOnCreate")},
    )
    assert stack.deploy(template({"One": parameter("one")})) == "CREATE_COMPLETE"
    made = {policy: parameter("x", DeletionPolicy=policy) for policy in names}
    for policy, name in names.items():
        made[policy]["Properties"]["Name"] = name
    body = template({"One": parameter("two"), **made, "Wrong": failing("One", *made)})
    assert stack.deploy(body) == "UPDATE_ROLLBACK_COMPLETE"
    left = account.client("ssm").get_parameters(Names=list(names.values()))["Parameters"]
    assert [one["Name"] for one in left] == [names["Retain"]]


def test_exports_hold_stacks_together(account: Account) -> None:
    """An export in use can't be changed or deleted; the name and the user are in the message."""
    name, exporter, importer = unique("export"), account.stack(), account.stack()

    def exporting(value: str) -> dict[str, Any]:
        outputs = {"O": {"Value": value, "Export": {"Name": name}}}
        return template({"One": parameter(value)}, Outputs=outputs)

    assert exporter.deploy(exporting("one")) == "CREATE_COMPLETE"
    assert importer.deploy(template({"Copy": parameter({"Fn::ImportValue": name})})) == "CREATE_COMPLETE"
    assert exporter.aws.list_imports(ExportName=name)["Imports"] == [importer.name]
    assert exporter.deploy(exporting("two")) == "UPDATE_ROLLBACK_COMPLETE"
    assert any(importer.name in reason for _, _, reason in exporter.events)
    assert _value(account, exporter.resources["One"]) == "one"
    with pytest.raises(ClientError, match=f"in use by {importer.name}"):
        exporter.delete()
    assert importer.delete() == "DELETE_COMPLETE"
    assert exporter.deploy(exporting("two")) == "UPDATE_COMPLETE"
    found = [one["Value"] for one in exporter.aws.list_exports()["Exports"] if one["Name"] == name]
    assert found == ["two"]
    assert exporter.delete() == "DELETE_COMPLETE"


def test_a_stack_that_can_not_be_deleted_keeps_what_is_left(account: Account) -> None:
    """A bucket with objects ends a deletion in DELETE_FAILED; what doesn't need it is gone, and the rest can follow."""
    stack, s3 = account.stack(), account.client("s3")
    bucket = resource("S3::Bucket")
    assert stack.deploy(template({"Bucket": bucket, "One": parameter("x")})) == "CREATE_COMPLETE"
    name = stack.resources["Bucket"]
    s3.put_object(Bucket=name, Key="a", Body=b"kept")
    assert stack.delete() == "DELETE_FAILED"
    assert list(stack.resources) == ["Bucket"]
    assert stack.delete(RetainResources=["Bucket"]) == "DELETE_COMPLETE"
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"kept"


def test_hidden_parameters_stay_hidden(account: Account) -> None:
    """A NoEcho value is kept through updates with UsePreviousValue and shown nowhere."""
    stack = account.stack()
    hidden = {"Password": {"Type": "String", "NoEcho": True}, "Other": {"Type": "String", "Default": "a"}}
    body = template({"Copy": parameter({"Ref": "Password"}), "Shown": parameter({"Ref": "Other"})}, Parameters=hidden)
    assert stack.deploy(body, Parameters={"Password": "hush"}) == "CREATE_COMPLETE"
    given = [{"ParameterKey": "Password", "UsePreviousValue": True}, {"ParameterKey": "Other", "ParameterValue": "b"}]
    stack.aws.update_stack(StackName=stack.name, TemplateBody=json.dumps(body), Parameters=given)
    assert stack.settled() == "UPDATE_COMPLETE"
    assert _value(account, stack.resources["Copy"]) == "hush"
    shown = {one["ParameterKey"]: one["ParameterValue"] for one in stack.describe()["Parameters"]}
    assert shown == {"Password": "****", "Other": "b"}


def test_a_condition_that_turns_false_removes(account: Account) -> None:
    """A resource whose condition no longer holds is deleted, and comes again when it does."""
    stack = account.stack()
    body = template(
        {"Always": parameter("a"), "Sometimes": parameter("b", Condition="On")},
        Parameters={"Is": {"Type": "String", "Default": "on"}},
        Conditions={"On": {"Fn::Equals": [{"Ref": "Is"}, "on"]}},
        Outputs={"O": {"Condition": "On", "Value": {"Fn::If": ["On", {"Ref": "Sometimes"}, "none"]}}},
    )
    assert stack.deploy(body) == "CREATE_COMPLETE"
    name = stack.resources["Sometimes"]
    assert stack.deploy(body, Parameters={"Is": "off"}) == "UPDATE_COMPLETE"
    assert (list(stack.resources), stack.outputs) == (["Always"], {})
    assert account.client("ssm").get_parameters(Names=[name])["InvalidParameters"] == [name]
    assert stack.deploy(body, Parameters={"Is": "on"}) == "UPDATE_COMPLETE"
    assert stack.outputs == {"O": stack.resources["Sometimes"]}


def test_one_thing_at_a_time_is_done_to_a_stack(account: Account) -> None:
    """A stack that is being updated takes neither another update nor a deletion; the update can be cancelled."""
    stack = account.stack()

    def made(value: str) -> dict[str, Any]:
        # So many that the update goes on while three requests are answered, on a busy machine too.
        return template({f"P{number}": parameter(value) for number in range(250)})

    assert stack.deploy(made("one")) == "CREATE_COMPLETE"
    stack.aws.update_stack(StackName=stack.name, TemplateBody=json.dumps(made("two")))
    with pytest.raises(ClientError, match="UPDATE_IN_PROGRESS state and can not be updated"):
        stack.aws.update_stack(StackName=stack.name, TemplateBody=json.dumps(made("three")))
    with pytest.raises(ClientError, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        stack.aws.delete_stack(StackName=stack.name)
    stack.aws.cancel_update_stack(StackName=stack.name)
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert {_value(account, name) for name in stack.resources.values()} == {"one"}


def test_what_somebody_changed_is_drift(account: Account) -> None:
    """A resource changed by hand is found, with both values; an update of the stack forgets what was found."""
    stack = account.stack()
    made = {"One": parameter("one"), "Queue": resource("SQS::Queue", {"VisibilityTimeout": 40})}
    assert stack.deploy(template(made)) == "CREATE_COMPLETE"
    account.client("ssm").put_parameter(Name=stack.resources["One"], Value="by hand", Overwrite=True)
    stack.aws.detect_stack_drift(StackName=stack.name)
    drifts = stack.aws.describe_stack_resource_drifts(StackName=stack.name)["StackResourceDrifts"]
    states = {drift["LogicalResourceId"]: drift["StackResourceDriftStatus"] for drift in drifts}
    assert states == {"One": "MODIFIED", "Queue": "IN_SYNC"}
    difference = next(drift for drift in drifts if drift["LogicalResourceId"] == "One")["PropertyDifferences"][0]
    assert (difference["ExpectedValue"], difference["ActualValue"]) == ("one", "by hand")
    assert stack.describe()["DriftInformation"]["StackDriftStatus"] == "DRIFTED"
    made["One"] = parameter("two")
    assert stack.deploy(template(made)) == "UPDATE_COMPLETE"
    assert stack.describe()["DriftInformation"]["StackDriftStatus"] == "NOT_CHECKED"
