"""Functions, what calls them, and stacks of them; see ``state_scenarios``."""

from __future__ import annotations

import json
from typing import Any

from localstack_process import ACCOUNT, REGION, LocalStackProcess
from state_scenarios import ROLE, Check, code, create_function, eventually, invoke, messages, scenario

_TELLS = """\
import json, os, time, boto3

def handler(event, context):
    client = boto3.client("sqs")
    if isinstance(event, dict) and event.get("sleep"):
        time.sleep(event["sleep"])
    client.send_message(QueueUrl=os.environ["TELL"], MessageBody=json.dumps(event))
    print("told")
"""


@scenario
def function(localstack: LocalStackProcess) -> Check:
    """Versions, an alias, a permission, settings and the code itself."""
    functions = localstack.client("lambda")
    create_function(localstack, "plain", "def handler(e, c): return 1", Environment={"Variables": {"A": "b"}})
    functions.publish_version(FunctionName="plain")
    functions.update_function_code(FunctionName="plain", ZipFile=code("def handler(e, c): return 2"))
    functions.get_waiter("function_updated_v2").wait(FunctionName="plain")
    functions.create_alias(FunctionName="plain", Name="live", FunctionVersion="1")
    functions.add_permission(
        FunctionName="plain", StatementId="s", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    functions.put_function_concurrency(FunctionName="plain", ReservedConcurrentExecutions=3)
    functions.put_function_event_invoke_config(FunctionName="plain", MaximumRetryAttempts=1)
    functions.tag_resource(Resource=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:plain", Tags={"team": "a"})
    before = functions.get_function(FunctionName="plain")["Configuration"]

    def check() -> None:
        functions = localstack.client("lambda")
        found = functions.get_function(FunctionName="plain")
        assert found["Configuration"] | {"ResponseMetadata": 0} == before | {"ResponseMetadata": 0}
        assert (found["Tags"], found["Concurrency"]["ReservedConcurrentExecutions"]) == ({"team": "a"}, 3)
        assert (invoke(localstack, "plain"), invoke(localstack, "plain:live")) == (2, 1)
        policy = json.loads(functions.get_policy(FunctionName="plain")["Policy"])
        assert policy["Statement"][0]["Sid"] == "s"
        assert functions.get_function_event_invoke_config(FunctionName="plain")["MaximumRetryAttempts"] == 1
        functions.update_function_code(FunctionName="plain", ZipFile=code("def handler(e, c): return 3"))
        functions.get_waiter("function_updated_v2").wait(FunctionName="plain")
        assert invoke(localstack, "plain") == 3
        assert functions.publish_version(FunctionName="plain")["Version"] == "2"

    return check


@scenario
def layer(localstack: LocalStackProcess) -> Check:
    """A function finds what its layer brings."""
    functions = localstack.client("lambda")
    content = code("x = 'from the layer'").replace(b"app.py", b"lay.py")
    published = functions.publish_layer_version(LayerName="brings", Content={"ZipFile": content})
    source = "import sys; sys.path.insert(0, '/opt'); import os, glob\ndef handler(e, c): return e"
    create_function(localstack, "layered", source, Layers=[published["LayerVersionArn"]])

    def check() -> None:
        functions = localstack.client("lambda")
        assert invoke(localstack, "layered", 5) == 5
        assert functions.get_function(FunctionName="layered")["Configuration"]["Layers"][0]["Arn"].endswith("brings:1")
        again = functions.publish_layer_version(LayerName="brings", Content={"ZipFile": content})
        assert again["Version"] == 2

    return check


@scenario
def mapping(localstack: LocalStackProcess) -> Check:
    """An event source mapping polls again, and one that was off stays off."""
    sqs, functions = localstack.client("sqs"), localstack.client("lambda")
    told = sqs.create_queue(QueueName="mapped-out")["QueueUrl"]
    url = sqs.create_queue(QueueName="mapped-in", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    sqs.create_queue(QueueName="mapped-off")
    create_function(localstack, "mapped", _TELLS, Environment={"Variables": {"TELL": told}}, Timeout=20)
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:mapped"
    on = functions.create_event_source_mapping(FunctionName="mapped", EventSourceArn=f"{arn}-in", BatchSize=1)["UUID"]
    off = functions.create_event_source_mapping(FunctionName="mapped", EventSourceArn=f"{arn}-off", Enabled=False)[
        "UUID"
    ]
    _wait_for_mapping(functions, on, "Enabled")
    _wait_for_mapping(functions, off, "Disabled")

    def check() -> None:
        sqs, functions = localstack.client("sqs"), localstack.client("lambda")
        assert functions.get_event_source_mapping(UUID=off)["State"] == "Disabled"
        sqs.send_message(QueueUrl=url, MessageBody="through")
        found = eventually(lambda: messages(sqs, told))
        assert json.loads(found[0])["Records"][0]["body"] == "through"
        functions.update_event_source_mapping(UUID=on, Enabled=False)
        _wait_for_mapping(functions, on, "Disabled")
        functions.delete_event_source_mapping(UUID=on)

    return check


@scenario
def stream(localstack: LocalStackProcess) -> Check:
    """Records of a table's stream reach their function once: none again after, and none skipped."""
    dynamodb, sqs = localstack.client("dynamodb"), localstack.client("sqs")
    told = sqs.create_queue(QueueName="stream-out", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    arn = dynamodb.create_table(
        TableName="streamed",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]["LatestStreamArn"]
    create_function(localstack, "streamed", _TELLS, Environment={"Variables": {"TELL": told}}, Timeout=20)
    functions = localstack.client("lambda")
    functions.create_event_source_mapping(
        FunctionName="streamed", EventSourceArn=arn, StartingPosition="TRIM_HORIZON", BatchSize=1
    )
    dynamodb.put_item(TableName="streamed", Item={"id": {"S": "before"}})
    assert _streamed(eventually(lambda: messages(sqs, told))) == ["before"]

    def check() -> None:
        dynamodb, sqs = localstack.client("dynamodb"), localstack.client("sqs")
        dynamodb.put_item(TableName="streamed", Item={"id": {"S": "after"}})
        assert _streamed(eventually(lambda: messages(sqs, told))) == ["after"]

    return check


def _streamed(told: list[str]) -> list[str]:
    return [record["dynamodb"]["Keys"]["id"]["S"] for body in told for record in json.loads(body)["Records"]]


def _wait_for_mapping(functions: Any, uuid: str, state: str) -> None:
    eventually(lambda: functions.get_event_source_mapping(UUID=uuid)["State"] == state)


@scenario
def events_under_way(localstack: LocalStackProcess) -> Check:
    """An asynchronous call that was not done is done after."""
    sqs = localstack.client("sqs")
    told = sqs.create_queue(QueueName="async-out")["QueueUrl"]
    create_function(localstack, "async", _TELLS, Environment={"Variables": {"TELL": told}}, Timeout=60)
    event = json.dumps({"sleep": 30, "n": 1})
    localstack.client("lambda").invoke(FunctionName="async", InvocationType="Event", Payload=event)

    def check() -> None:
        found = eventually(lambda: messages(localstack.client("sqs"), told), within=60)
        assert json.loads(found[0]) == {"sleep": 30, "n": 1}

    return check


@scenario
def stack(localstack: LocalStackProcess) -> Check:
    """A stack answers, is described, is updated by a change set, and is deleted."""
    cloudformation = localstack.client("cloudformation")
    bucket = "code-of-stack"
    localstack.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for version in ("1", "2"):
        source = f"def handler(e, c): return {{'statusCode': 200, 'body': '{version}' + str(e['stageVariables'])}}"
        localstack.client("s3").put_object(Bucket=bucket, Key=f"{version}.zip", Body=code(source))
    change(cloudformation, "whole", template("1", size=128), kind="CREATE")
    outputs = outputs_of(cloudformation, "whole")
    events = len(cloudformation.describe_stack_events(StackName="whole")["StackEvents"])
    path = f"/_aws/execute-api/{outputs['Api']}/live/hello"
    assert localstack.get(path) == (200, b"1{'color': 'blue'}")
    localstack.client("dynamodb").put_item(TableName=outputs["Table"], Item={"id": {"S": "kept"}})

    def check() -> None:
        cloudformation = localstack.client("cloudformation")
        described = cloudformation.describe_stacks(StackName="whole")["Stacks"][0]
        assert described["StackStatus"] == "CREATE_COMPLETE"
        assert outputs_of(cloudformation, "whole") == outputs
        assert len(cloudformation.describe_stack_events(StackName="whole")["StackEvents"]) == events
        assert localstack.get(path) == (200, b"1{'color': 'blue'}")
        gateway = localstack.client("apigateway")
        assert gateway.get_stage(restApiId=outputs["Api"], stageName="live")["variables"] == {"color": "blue"}
        change(cloudformation, "whole", template("2", size=256), kind="UPDATE")
        assert localstack.get(path) == (200, b"2{'color': 'blue'}")
        item = localstack.client("dynamodb").get_item(TableName=outputs["Table"], Key={"id": {"S": "kept"}})
        assert "Item" in item
        cloudformation.delete_stack(StackName="whole")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="whole", WaiterConfig={"Delay": 1})
        assert localstack.get(path)[0] == 404

    return check


def change(cloudformation: Any, name: str, body: dict[str, Any], *, kind: str) -> None:
    """Create or update a stack by a change set."""
    arguments = {"StackName": name, "ChangeSetName": f"c{kind}"}
    cloudformation.create_change_set(
        **arguments, ChangeSetType=kind, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"]
    )
    wait = {"Delay": 1, "MaxAttempts": 60}
    cloudformation.get_waiter("change_set_create_complete").wait(**arguments, WaiterConfig=wait)
    cloudformation.execute_change_set(**arguments)
    waiter = cloudformation.get_waiter(f"stack_{kind.lower()}_complete")
    waiter.wait(StackName=name, WaiterConfig=wait)


def outputs_of(cloudformation: Any, name: str) -> dict[str, str]:
    """By their key."""
    outputs = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    return {each["OutputKey"]: each["OutputValue"] for each in outputs}


def template(version: str, *, size: int) -> dict[str, Any]:
    """An API, a function, a table and a queue."""
    uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
    resources: dict[str, Any] = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "whole"}},
        "Hello": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "PathPart": "hello",
            },
        },
        "Get": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ResourceId": {"Ref": "Hello"},
                "HttpMethod": "GET",
                "AuthorizationType": "NONE",
                "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": uri}},
            },
        },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": "Get",
            "Properties": {"RestApiId": {"Ref": "Api"}},
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "DeploymentId": {"Ref": "Deployment"},
                "StageName": "live",
                "Variables": {"color": "blue"},
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "app.handler",
                "Role": ROLE,
                "MemorySize": size,
                "Code": {"S3Bucket": "code-of-stack", "S3Key": f"{version}.zip"},
            },
        },
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            },
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 45}},
    }
    outputs = {name: {"Value": {"Ref": name}} for name in ("Api", "Table", "Queue", "Function")}
    return {"Resources": resources, "Outputs": outputs}
