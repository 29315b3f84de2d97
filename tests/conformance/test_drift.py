"""Drift: what somebody changed by hand, held against the template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.conformance.account import Account, eventually, unique, zipped
from tests.conformance.cases import case
from tests.conformance.stack_templates import API, GUIDE, function, parameter, refused, resource, template

_GUIDE = f"{GUIDE}/using-cfn-stack-drift.html"
_LIST = f"{GUIDE}/resource-import-supported-resources.html"


def _detect(account: Account, stack: str) -> Any:
    """The end of a drift detection of a whole stack."""
    aws = account.client("cloudformation")
    detection = aws.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    return eventually(
        lambda: aws.describe_stack_drift_detection_status(StackDriftDetectionId=detection),
        lambda found: found["DetectionStatus"] != "DETECTION_IN_PROGRESS",
    )


def _drifts(account: Account, stack: str) -> dict[str, Any]:
    found = account.client("cloudformation").describe_stack_resource_drifts(StackName=stack)["StackResourceDrifts"]
    return {drift["LogicalResourceId"]: drift for drift in found}


def _differences(account: Account, stack: str, logical_id: str) -> Mapping[str, tuple[str, str, str]]:
    """Path of a property to how it differs, what the template says and what there is."""
    _detect(account, stack)
    found = _drifts(account, stack)[logical_id].get("PropertyDifferences", [])
    return {d["PropertyPath"]: (d["DifferenceType"], d["ExpectedValue"], d["ActualValue"]) for d in found}


@case(source=_GUIDE)
def test_an_untouched_stack_is_in_sync(account: Account) -> None:
    """What nobody touched is IN_SYNC, what was never looked at NOT_CHECKED."""
    made = {"One": parameter("one"), "Queue": resource("SQS::Queue", {"VisibilityTimeout": 40})}
    stack = account.create_stack(template(made))
    aws = account.client("cloudformation")
    before = aws.describe_stack_resources(StackName=stack)["StackResources"]
    assert {r["DriftInformation"]["StackResourceDriftStatus"] for r in before} == {"NOT_CHECKED"}
    found = _detect(account, stack)
    assert (found["DetectionStatus"], found["StackDriftStatus"]) == ("DETECTION_COMPLETE", "IN_SYNC")
    assert found["DriftedStackResourceCount"] == 0
    assert {drift["StackResourceDriftStatus"] for drift in _drifts(account, stack).values()} == {"IN_SYNC"}
    assert aws.describe_stacks(StackName=stack)["Stacks"][0]["DriftInformation"]["StackDriftStatus"] == "IN_SYNC"


@case(source=_GUIDE)
def test_a_changed_function_is_drift(account: Account) -> None:
    """A function's memory, timeout, handler and variables changed by hand are named with both values."""
    made = function(account, "one", MemorySize=128, Timeout=3, Environment={"Variables": {"WHO": "me", "OLD": "1"}})
    stack = account.create_stack(template({"Function": made}))
    name = account.physical_id(stack, "Function")
    account.client("lambda").update_function_configuration(
        FunctionName=name,
        MemorySize=512,
        Timeout=9,
        Handler="index.other",
        Description="not in the template",
        Environment={"Variables": {"WHO": "you", "NEW": "1"}},
    )
    account.settle(name)
    assert _differences(account, stack, "Function") == {
        "/MemorySize": ("NOT_EQUAL", "128", "512"),
        "/Timeout": ("NOT_EQUAL", "3", "9"),
        "/Handler": ("NOT_EQUAL", "index.handler", "index.other"),
        "/Environment/Variables/WHO": ("NOT_EQUAL", "me", "you"),
        "/Environment/Variables/OLD": ("REMOVE", "1", "null"),
        "/Environment/Variables/NEW": ("ADD", "null", "1"),
    }


@case(source=_GUIDE)
def test_drift_goes_with_the_next_detection_after_a_repair(account: Account) -> None:
    """Set back by hand, a resource is IN_SYNC again."""
    stack = account.create_stack(template({"Function": function(account, "one", MemorySize=128)}))
    name = account.physical_id(stack, "Function")
    for memory, expected in ((256, "DRIFTED"), (128, "IN_SYNC")):
        account.client("lambda").update_function_configuration(FunctionName=name, MemorySize=memory)
        account.settle(name)
        assert _detect(account, stack)["StackDriftStatus"] == expected


@case(source=_LIST, gap="drift_properties")
def test_changed_layers_and_concurrency_are_drift(account: Account) -> None:
    """A function's layers and reserved concurrency changed by hand are drift."""
    content = {"ZipFile": zipped("")}
    layer = account.client("lambda").publish_layer_version(LayerName=unique("layer"), Content=content)
    made = function(account, "one", Layers=[layer["LayerVersionArn"]], ReservedConcurrentExecutions=1)
    stack = account.create_stack(template({"Function": made}))
    assert _differences(account, stack, "Function") == {}
    name = account.physical_id(stack, "Function")
    account.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    account.client("lambda").update_function_configuration(FunctionName=name, Layers=[])
    account.settle(name)
    found = _differences(account, stack, "Function")
    assert found["/ReservedConcurrentExecutions"] == ("NOT_EQUAL", "1", "2")
    assert found["/Layers/0"] == ("REMOVE", layer["LayerVersionArn"], "null")


@case(source=_LIST, gap="drift_properties")
def test_a_changed_table_is_drift(account: Account) -> None:
    """A table's throughput, stream, indexes and time to live changed by hand are drift."""
    index = {
        "IndexName": "by-sku",
        "KeySchema": [{"AttributeName": "sku", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    }
    made = {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "sku")],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        "GlobalSecondaryIndexes": [index],
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        "TimeToLiveSpecification": {"AttributeName": "until", "Enabled": True},
    }
    stack = account.create_stack(template({"Table": resource("DynamoDB::Table", made)}))
    assert _differences(account, stack, "Table") == {}
    dynamodb, name = account.client("dynamodb"), account.physical_id(stack, "Table")
    dynamodb.update_table(TableName=name, ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 1})
    dynamodb.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-sku"}}])
    dynamodb.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
    off = {"AttributeName": "until", "Enabled": False}
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=off)
    found = _differences(account, stack, "Table")
    assert found["/ProvisionedThroughput/ReadCapacityUnits"] == ("NOT_EQUAL", "1", "7")
    assert found["/GlobalSecondaryIndexes/0"][0] == "REMOVE"
    assert found["/StreamSpecification"][0] == "REMOVE"
    assert found["/TimeToLiveSpecification/Enabled"] == ("NOT_EQUAL", "true", "false")


@case(source=_LIST)
def test_a_changed_billing_mode_is_drift(account: Account) -> None:
    """A table's billing mode changed by hand is drift."""
    made = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    stack = account.create_stack(template({"Table": resource("DynamoDB::Table", made)}))
    account.client("dynamodb").update_table(
        TableName=account.physical_id(stack, "Table"),
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    expected = {"/BillingMode": ("NOT_EQUAL", "PAY_PER_REQUEST", "PROVISIONED")}
    assert _differences(account, stack, "Table") == expected


@case(source=_LIST, gap="drift_properties")
def test_a_changed_role_is_drift(account: Account) -> None:
    """A role's policy that was narrowed by hand is drift."""
    allowed = {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [allowed]}
    trust = {"Version": "2012-10-17", "Statement": []}
    policies = [{"PolicyName": "data", "PolicyDocument": document}]
    role = resource("IAM::Role", {"AssumeRolePolicyDocument": trust, "Policies": policies})
    stack = account.create_stack(template({"Role": role}))
    assert _differences(account, stack, "Role") == {}
    narrowed = {**document, "Statement": [{**allowed, "Action": "dynamodb:GetItem"}]}
    account.client("iam").put_role_policy(
        RoleName=account.physical_id(stack, "Role"), PolicyName="data", PolicyDocument=json.dumps(narrowed)
    )
    ((path, difference),) = _differences(account, stack, "Role").items()
    assert path.startswith("/Policies/0/PolicyDocument/Statement/0")
    assert ("dynamodb:PutItem" in difference[1], "dynamodb:GetItem" in difference[2]) == (True, True)


@case(source=f"{API}/API_PropertyDifference.html")
def test_a_changed_queue_is_drift(account: Account) -> None:
    """A queue's attributes changed by hand are drift, also one inside the redrive policy."""
    dead = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
    queue = resource("SQS::Queue", {"VisibilityTimeout": 30, "RedrivePolicy": dead})
    stack = account.create_stack(template({"Dead": resource("SQS::Queue"), "Queue": queue}))
    sqs, url = account.client("sqs"), account.physical_id(stack, "Queue")
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["RedrivePolicy"])
    changed = {"VisibilityTimeout": "60", "RedrivePolicy": json.dumps({**policy, "maxReceiveCount": 10})}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=changed)
    assert _differences(account, stack, "Queue") == {
        "/VisibilityTimeout": ("NOT_EQUAL", "30", "60"),
        "/RedrivePolicy/maxReceiveCount": ("NOT_EQUAL", "3", "10"),
    }


@case(source=_GUIDE)
def test_a_changed_parameter_is_drift(account: Account) -> None:
    """A parameter's value changed by hand is drift, also to DetectStackResourceDrift."""
    stack = account.create_stack(template({"One": parameter("one"), "Two": parameter("two")}))
    name = account.physical_id(stack, "One")
    account.client("ssm").put_parameter(Name=name, Value="by hand", Overwrite=True)
    drift = account.client("cloudformation").detect_stack_resource_drift(StackName=stack, LogicalResourceId="One")
    found = drift["StackResourceDrift"]
    assert found["StackResourceDriftStatus"] == "MODIFIED"
    assert json.loads(found["ExpectedProperties"])["Value"] == "one"
    assert json.loads(found["ActualProperties"])["Value"] == "by hand"
    assert _differences(account, stack, "One") == {"/Value": ("NOT_EQUAL", "one", "by hand")}
    assert _drifts(account, stack)["Two"]["StackResourceDriftStatus"] == "IN_SYNC"


@case(rule=1, source=_LIST, gap="drift_types")
def test_a_moved_alias_is_drift(account: Account) -> None:
    """An alias that was pointed elsewhere or given weights by hand is drift."""
    alias = {
        "FunctionName": {"Ref": "Function"},
        "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
        "Name": "live",
        "RoutingConfig": {"AdditionalVersionWeights": []},
    }
    made = {
        "Function": function(account, "one"),
        "Version": resource("Lambda::Version", {"FunctionName": {"Ref": "Function"}}),
        "Alias": resource("Lambda::Alias", alias),
    }
    stack = account.create_stack(template(made))
    assert _differences(account, stack, "Alias") == {}
    aws, name = account.client("lambda"), account.physical_id(stack, "Function")
    aws.update_function_configuration(FunctionName=name, Description="two")
    account.settle(name)
    version = aws.publish_version(FunctionName=name)["Version"]
    routing = {"AdditionalVersionWeights": {"1": 0.5}}
    aws.update_alias(FunctionName=name, Name="live", FunctionVersion=version, RoutingConfig=routing)
    found = _differences(account, stack, "Alias")
    assert found["/FunctionVersion"] == ("NOT_EQUAL", "1", "2")
    assert found["/RoutingConfig/AdditionalVersionWeights/0"][0] == "ADD"


@case(rule=8, source=_LIST, gap="shared_properties")
def test_an_edited_stage_variable_is_drift(account: Account) -> None:
    """A stage variable that was edited by hand is drift, which names the variable."""
    api = account.rest_api(account.function("def handler(event, context):\n    return {}\n").uri())
    deployment = account.deploy(api, "first")
    stage = {"RestApiId": api.id, "StageName": "live", "DeploymentId": deployment, "Variables": {"alias": "test"}}
    stack = account.create_stack(template({"Stage": resource("ApiGateway::Stage", stage)}))
    assert _differences(account, stack, "Stage") == {}
    account.client("apigateway").update_stage(
        restApiId=api.id,
        stageName="live",
        patchOperations=[{"op": "replace", "path": "/variables/alias", "value": "tset"}],
    )
    assert _differences(account, stack, "Stage") == {"/Variables/alias": ("NOT_EQUAL", "test", "tset")}


@case(rule=11, source=_LIST, gap="drift_types")
def test_a_disabled_event_source_is_drift(account: Account) -> None:
    """An event source mapping that was switched off by hand is drift."""
    mapping = {
        "FunctionName": {"Ref": "Function"},
        "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
        "Enabled": True,
        "BatchSize": 5,
    }
    made = {
        "Function": function(account, "one"),
        "Queue": resource("SQS::Queue"),
        "Mapping": resource("Lambda::EventSourceMapping", mapping),
    }
    stack = account.create_stack(template(made))
    assert _differences(account, stack, "Mapping") == {}
    account.client("lambda").update_event_source_mapping(UUID=account.physical_id(stack, "Mapping"), Enabled=False)
    assert _differences(account, stack, "Mapping") == {"/Enabled": ("NOT_EQUAL", "true", "false")}


@case(source=f"{API}/API_StackResourceDrift.html")
def test_a_deleted_resource_is_drift(account: Account) -> None:
    """A resource that somebody deleted is DELETED, and only it counts as drifted."""
    made = {"Function": function(account, "one"), "Queue": resource("SQS::Queue"), "One": parameter("one")}
    stack = account.create_stack(template(made))
    account.client("lambda").delete_function(FunctionName=account.physical_id(stack, "Function"))
    account.client("sqs").delete_queue(QueueUrl=account.physical_id(stack, "Queue"))
    found = _detect(account, stack)
    assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("DRIFTED", 2)
    states = {name: drift["StackResourceDriftStatus"] for name, drift in _drifts(account, stack).items()}
    assert states == {"Function": "DELETED", "Queue": "DELETED", "One": "IN_SYNC"}


@case(source=f"{API}/API_StackResourceDriftInformation.html")
def test_a_type_that_can_not_be_compared_is_not_checked(account: Account) -> None:
    """A resource whose type doesn't support drift detection stays NOT_CHECKED and makes no drift."""
    queue = resource("SQS::Queue")
    policy = resource("SQS::QueuePolicy", {"Queues": [{"Ref": "Queue"}], "PolicyDocument": _nothing()})
    stack = account.create_stack(template({"Queue": queue, "Policy": policy}))
    assert _detect(account, stack)["StackDriftStatus"] == "IN_SYNC"
    aws = account.client("cloudformation")
    found = aws.describe_stack_resource(StackName=stack, LogicalResourceId="Policy")["StackResourceDetail"]
    assert found["DriftInformation"]["StackResourceDriftStatus"] == "NOT_CHECKED"
    with refused(account):
        aws.detect_stack_resource_drift(StackName=stack, LogicalResourceId="Policy")


def _nothing() -> dict[str, object]:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:PurgeQueue", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [deny]}
