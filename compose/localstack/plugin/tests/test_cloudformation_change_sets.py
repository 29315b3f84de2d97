"""Change sets on a running LocalStack: what they show, and what they then do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_account import Account, changes, failing, parameter, resource, running, template, unique


@pytest.fixture(scope="module")
def account() -> Account:
    return running()


def _function(account: Account, **properties: Any) -> dict[str, Any]:
    code = {"ZipFile": "def handler(event, context):\n    return 1\n"}
    made = {"Runtime": "python3.13", "Handler": "index.handler", "Role": account.role(), "Code": code}
    return resource("Lambda::Function", {**made, **properties})


def test_a_change_set_shows_what_it_then_does(account: Account) -> None:
    """Added, changed, replaced and removed resources are shown, and become so; what stays keeps its id."""
    stack, first, second = account.stack(), unique("queue"), unique("queue")
    made = {
        "Changed": resource("SQS::Queue", {"VisibilityTimeout": 10}),
        "Gone": parameter("x"),
        "Named": resource("SQS::Queue", {"QueueName": first}),
        "Same": parameter("x"),
    }
    assert stack.deploy(template(made)) == "CREATE_COMPLETE"
    before = stack.resources
    del made["Gone"]
    made["Changed"] = resource("SQS::Queue", {"VisibilityTimeout": 20})
    made["Named"] = resource("SQS::Queue", {"QueueName": second})
    made["Added"] = parameter("x")
    plan = stack.plan(template(made))
    assert changes(plan) == {
        "Added": ("Add", None),
        "Changed": ("Modify", "False"),
        "Gone": ("Remove", None),
        "Named": ("Modify", "True"),
    }
    assert stack.execute(plan) == "UPDATE_COMPLETE"
    after = stack.resources
    assert set(after) == {"Added", "Changed", "Named", "Same"}
    assert (after["Changed"], after["Same"]) == (before["Changed"], before["Same"])
    assert after["Named"].endswith(second)
    urls = account.client("sqs").list_queues(QueueNamePrefix=first).get("QueueUrls", [])
    assert urls == []
    assert account.client("ssm").get_parameters(Names=[before["Gone"]])["InvalidParameters"] == [before["Gone"]]
    described = stack.aws.describe_change_set(ChangeSetName=plan["ChangeSetId"])
    assert described["ExecutionStatus"] == "EXECUTE_COMPLETE"


def test_a_change_set_says_where_changes_come_from(account: Account) -> None:
    """A change through a parameter or another resource names it."""
    stack = account.stack()
    body = template(
        {
            "Copy": parameter({"Ref": "Value"}),
            "Topic": resource("SNS::Topic", {"TopicName": {"Ref": "Name"}}),
            "Uses": parameter({"Ref": "Topic"}),
        },
        Parameters={"Value": {"Type": "String"}, "Name": {"Type": "String"}},
    )
    first, second = unique("topic"), unique("topic")
    assert stack.deploy(body, Parameters={"Value": "one", "Name": first}) == "CREATE_COMPLETE"
    plan = stack.plan(body, Parameters={"Value": "two", "Name": second}, IncludePropertyValues=None)
    details = {
        one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]["Details"][0] for one in plan["Changes"]
    }
    sources = {name: (detail["ChangeSource"], detail["CausingEntity"]) for name, detail in details.items()}
    assert sources == {
        "Copy": ("ParameterReference", "Value"),
        "Topic": ("ParameterReference", "Name"),
        "Uses": ("ResourceReference", "Topic"),
    }
    assert details["Uses"]["Evaluation"] == "Dynamic"
    assert stack.execute(plan) == "UPDATE_COMPLETE"
    assert account.client("ssm").get_parameter(Name=stack.resources["Uses"])["Parameter"]["Value"].endswith(second)


def test_values_are_shown_when_asked_for(account: Account) -> None:
    """IncludePropertyValues shows properties before and after; what isn't known yet is marked."""
    stack = account.stack()
    assert stack.deploy(template({"One": parameter("one")})) == "CREATE_COMPLETE"
    queue = {"Queue": resource("SQS::Queue"), "One": parameter({"Fn::Sub": "${Queue.Arn}"})}
    name = stack.plan(template(queue))["ChangeSetId"]
    plan = stack.aws.describe_change_set(ChangeSetName=name, IncludePropertyValues=True)
    shown = {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"] for one in plan["Changes"]}
    assert json.loads(shown["One"]["BeforeContext"])["Properties"]["Value"] == "one"
    assert json.loads(shown["One"]["AfterContext"])["Properties"]["Value"] == "{{changeSet:KNOWN_AFTER_APPLY}}"


def test_a_change_set_without_changes_fails_as_on_aws(account: Account) -> None:
    """The same template, parameters and tags make a change set FAILED that says so."""
    stack, body = account.stack(), template({"One": parameter("one")}, Outputs={"O": {"Value": {"Ref": "One"}}})
    assert stack.deploy(body, Tags=[{"Key": "a", "Value": "b"}]) == "CREATE_COMPLETE"
    plan = stack.plan(body, Tags=[{"Key": "a", "Value": "b"}])
    assert (plan["Status"], plan["ExecutionStatus"], plan["Changes"]) == ("FAILED", "UNAVAILABLE", [])
    assert "The submitted information didn't contain changes" in plan["StatusReason"]
    with pytest.raises(ClientError, match="cannot be executed"):
        stack.execute(plan)


def test_outputs_and_tags_alone_are_a_change(account: Account) -> None:
    """A change of outputs or of the stack's tags is carried out, without a change of resources."""
    stack, made = account.stack(), {"One": parameter("one")}
    assert stack.deploy(template(made)) == "CREATE_COMPLETE"
    assert stack.deploy(template(made, Outputs={"O": {"Value": "x", "Description": "d"}})) == "UPDATE_COMPLETE"
    assert stack.outputs == {"O": "x"}
    tags = [{"Key": "a", "Value": "b"}]
    assert (
        stack.deploy(template(made, Outputs={"O": {"Value": "x", "Description": "d"}}), Tags=tags) == "UPDATE_COMPLETE"
    )
    assert stack.describe()["Tags"] == tags
    assert stack.describe()["Outputs"] == [{"OutputKey": "O", "OutputValue": "x", "Description": "d"}]


def test_a_change_set_of_a_failed_update_can_be_described(account: Account) -> None:
    """After a failed update the change set says EXECUTE_FAILED, and still what it was to do."""
    stack = account.stack()
    assert stack.deploy(template({"One": parameter("one")})) == "CREATE_COMPLETE"
    plan = stack.plan(template({"One": parameter("two"), "Wrong": failing("One")}))
    assert stack.execute(plan) == "UPDATE_ROLLBACK_COMPLETE"
    described = stack.aws.describe_change_set(StackName=stack.name, ChangeSetName=plan["ChangeSetName"])
    assert described["ExecutionStatus"] == "EXECUTE_FAILED"
    assert changes(described) == {"One": ("Modify", "False"), "Wrong": ("Add", None)}


def test_a_template_comes_from_a_bucket_or_from_before(account: Account) -> None:
    """A template too long for a request comes from a bucket; UsePreviousTemplate takes the one the stack has."""
    stack, s3, bucket = account.stack(), account.client("s3"), unique("templates")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    value = {"Value": {"Type": "String", "Default": "one"}}
    body = template({"One": parameter({"Ref": "Value"})}, Parameters=value, Metadata={"long": "x" * 60_000})
    with pytest.raises(ClientError, match="less than or equal to 51200"):
        stack.plan(body)
    s3.put_object(Bucket=bucket, Key="some folder/a+b.json", Body=json.dumps(body).encode())
    url = f"{account.url}/{bucket}/some%20folder/a%2Bb.json"
    assert stack.deploy(body, TemplateBody=None, TemplateURL=url) == "CREATE_COMPLETE"
    again = {"TemplateBody": None, "UsePreviousTemplate": True}
    assert stack.deploy(body, Parameters={"Value": "two"}, **again) == "UPDATE_COMPLETE"
    assert account.client("ssm").get_parameter(Name=stack.resources["One"])["Parameter"]["Value"] == "two"
    with pytest.raises(ClientError, match="S3 error"):
        stack.plan(body, TemplateBody=None, TemplateURL=f"{account.url}/{bucket}/nothing.json")


def test_a_type_that_is_not_there_is_named(account: Account) -> None:
    """A template with types that LocalStack's open source lacks is refused, with all of their names."""
    kinds = {"Api": resource("ApiGatewayV2::Api"), "Pool": resource("Cognito::UserPool"), "One": parameter("x")}
    message = r"Unrecognized resource types: \[AWS::ApiGatewayV2::Api, AWS::Cognito::UserPool\]"
    stack = account.stack()
    with pytest.raises(ClientError, match=message):
        stack.plan(template(kinds))
    assert stack.describe() is None


def test_a_change_set_that_is_refused_leaves_no_stack(account: Account) -> None:
    """A refused template leaves no stack in review behind; a deleted change set leaves it in review."""
    stack = account.stack()
    with pytest.raises(ClientError, match="Unresolved resource dependencies"):
        stack.plan(template({"One": parameter({"Ref": "Nowhere"})}))
    assert stack.describe() is None
    plan = stack.plan(template({"One": parameter("one")}))
    stack.aws.delete_change_set(StackName=stack.name, ChangeSetName=plan["ChangeSetName"])
    assert stack.describe()["StackStatus"] == "REVIEW_IN_PROGRESS"
    stack.aws.delete_stack(StackName=stack.name)
    assert stack.describe() is None


def test_a_serverless_template_is_expanded(account: Account) -> None:
    """A template with SAM's transform is expanded by LocalStack; the stack remembers both."""
    stack, function = account.stack(), _function(account)["Properties"]
    serverless = {"Handler": function["Handler"], "Runtime": function["Runtime"], "Role": function["Role"]}
    made = {"Type": "AWS::Serverless::Function", "Properties": {**serverless, "InlineCode": "def handler(e, c): pass"}}
    body = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Function": made}}
    assert stack.deploy(body) == "CREATE_COMPLETE"
    processed = stack.aws.get_template(StackName=stack.name, TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Function"]["Type"] == "AWS::Lambda::Function"
    assert stack.aws.get_template(StackName=stack.name)["TemplateBody"] == body
    made["Properties"]["MemorySize"] = 256
    assert stack.deploy(body) == "UPDATE_COMPLETE"
    wrong = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": 3, "Handler": []}}
    plan = stack.plan({**body, "Resources": {"Function": wrong}})
    assert plan["Status"] == "FAILED"
    assert "Transform AWS::Serverless-2016-10-31 failed with" in plan["StatusReason"]


def test_the_type_of_a_resource_stays(account: Account) -> None:
    """Another type under the same logical id is refused, before anything happens."""
    stack = account.stack()
    assert stack.deploy(template({"It": parameter("x")})) == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match=r"modifies resource type of the following resources: \[It\]"):
        stack.plan(template({"It": resource("SQS::Queue")}))
    assert stack.describe()["StackStatus"] == "CREATE_COMPLETE"
