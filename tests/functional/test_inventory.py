"""Every type of resource that multistack can read, deployed, found as deployed, and found changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emulator.comparison.drift import compare_inventories
from emulator.endpoint import client
from emulator.inventory.keeping import kept
from emulator.inventory.readers import PARTS, READERS
from emulator.inventory.resource import Inventory
from emulator.inventory.taking import take_again
from emulator.model import Endpoint
from emulator.stack import resources
from tests.conftest import ProjectFolder
from tests.drivers import is_embedded
from tests.functional.tiny import tiny_project, write

STACK = "tiny-test"
TEMPLATE = """
Parameters:
  Key: {Type: String, NoEcho: true, Default: not-for-eyes}
Resources:
  Web:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      Role: !GetAtt Role.Arn
      Code: src/
      Layers: [!Ref Layer]
      Environment: {Variables: {TOKEN: !Ref Key}}
  Layer: {Type: "AWS::Lambda::LayerVersion", Properties: {Content: src/}}
  Version: {Type: "AWS::Lambda::Version", Properties: {FunctionName: !Ref Web}}
  Alias:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Web, FunctionVersion: !GetAtt Version.Version, Name: live}
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !Ref Web, Action: "lambda:InvokeFunction", Principal: apigateway.amazonaws.com}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Web, EventSourceArn: !GetAtt Queue.Arn}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: &trust
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]
      ManagedPolicyArns: [!Ref ManagedPolicy]
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: logs
      Roles: [!Ref Role]
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "logs:*", Resource: "*"}]}
  ManagedPolicy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}, {AttributeName: sku, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      GlobalSecondaryIndexes:
        - IndexName: by-sku
          KeySchema: [{AttributeName: sku, KeyType: HASH}]
          Projection: {ProjectionType: ALL}
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
  Bucket: {Type: "AWS::S3::Bucket", Properties: {VersioningConfiguration: {Status: Enabled}}}
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Deny, Principal: "*", Action: "s3:DeleteBucket", Resource: !GetAtt Bucket.Arn}]
  Queue: {Type: "AWS::SQS::Queue"}
  QueuePolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: "sqs:SendMessage", Resource: "*"}
  Topic: {Type: "AWS::SNS::Topic", Properties: {DisplayName: orders}}
  Subscription:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: sqs, Endpoint: !GetAtt Queue.Arn}
  Rule: {Type: "AWS::Events::Rule", Properties: {ScheduleExpression: rate(1 day)}}
  Logs: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: /tiny/logs, RetentionInDays: 7}}
  Parameter: {Type: "AWS::SSM::Parameter", Properties: {Type: String, Value: one}}
  Secret: {Type: "AWS::SecretsManager::Secret", Properties: {SecretString: not-for-eyes}}
  Rest: {Type: "AWS::ApiGateway::RestApi", Properties: {Name: rest}}
  RestResource:
    Type: AWS::ApiGateway::Resource
    Properties: {RestApiId: !Ref Rest, ParentId: !GetAtt Rest.RootResourceId, PathPart: orders}
  RestMethod:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Rest
      ResourceId: !Ref RestResource
      HttpMethod: GET
      AuthorizationType: NONE
      Integration: {Type: MOCK}
  RestDeployment: {Type: "AWS::ApiGateway::Deployment", DependsOn: RestMethod, Properties: {RestApiId: !Ref Rest}}
  RestStage:
    Type: AWS::ApiGateway::Stage
    Properties: {RestApiId: !Ref Rest, DeploymentId: !Ref RestDeployment, StageName: live, Variables: {who: me}}
"""
# What LocalStack without a token does not have.
HTTP_API = """\
  Http: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: http, ProtocolType: HTTP}}
  HttpIntegration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Http
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Web.Arn
      PayloadFormatVersion: "2.0"
  HttpRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Http, RouteKey: GET /orders, Target: !Sub "integrations/${HttpIntegration}"}
  HttpStage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Http, StageName: live, AutoDeploy: true, StageVariables: {who: me}}
"""


class Place:
    """The emulated account with the stack in it."""

    def __init__(self, project: ProjectFolder) -> None:
        url = project.run("endpoint", "test").stdout.strip()
        self.endpoint = Endpoint(environment="test", url=url, account_id="111111111111", region="us-east-1")
        self.ids = resources(self.endpoint, STACK)
        found = kept(self.endpoint, STACK)
        assert found is not None
        self.before: Inventory = found

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return client(self.endpoint, service)

    def drift(self) -> dict[str, str]:
        """Resource and property to what became of it."""
        found = compare_inventories("test", STACK, self.before, take_again(self.endpoint, STACK, self.before))
        assert found.not_compared == {}
        return {f"{one.resource}.{one.property}": one.kind.value for one in found.differences}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """All types, deployed once."""
    with tiny_project(tmp_path_factory.mktemp("inventory")) as project:
        write(project, "template.yaml", TEMPLATE + (HTTP_API if is_embedded() else ""))
        project.run("up")
        yield Place(project)


def test_every_type_is_read(place: Place) -> None:
    """Each type that multistack knows is in that stack, was read right after the deployment, and hasn't drifted."""
    types = {one.type for one in place.before.resources.values()}
    assert types >= {kind for kind in READERS if is_embedded() or "ApiGatewayV2" not in kind}
    assert {one.type for one in place.before.resources.values() if one.type not in {*READERS, *PARTS}} == set()
    unread = {name: one.unread for name, one in place.before.resources.items() if one.unread or one.properties is None}
    assert unread == {}
    assert place.drift() == {}


def test_no_secret_is_kept(place: Place) -> None:
    """Neither a secret's value nor a parameter's that CloudFormation hides, wherever it was put."""
    assert b"not-for-eyes" not in place.before.to_json()


def _policy(action: str) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


CHANGES: dict[str, tuple[Callable[[Place], Any], set[str]]] = {
    "alias": (
        lambda it: it.client("lambda").update_alias(FunctionName=it.ids["Web"], Name="live", FunctionVersion="$LATEST"),
        {"Alias.FunctionVersion"},
    ),
    "table": (
        lambda it: it.client("dynamodb").update_time_to_live(
            TableName=it.ids["Table"], TimeToLiveSpecification={"AttributeName": "expires", "Enabled": False}
        ),
        {"Table.TimeToLiveSpecification.AttributeName", "Table.TimeToLiveSpecification.Enabled"},
    ),
    "bucket": (
        lambda it: it.client("s3").put_bucket_versioning(
            Bucket=it.ids["Bucket"], VersioningConfiguration={"Status": "Suspended"}
        ),
        {"Bucket.VersioningConfiguration"},
    ),
    "bucket policy": (
        lambda it: it.client("s3").delete_bucket_policy(Bucket=it.ids["Bucket"]),
        {"Bucket.AccessPolicy.Version", "Bucket.AccessPolicy.Statement"},
    ),
    "queue policy": (
        lambda it: it.client("sqs").set_queue_attributes(
            QueueUrl=it.ids["Queue"], Attributes={"Policy": _policy("sqs:*")}
        ),
        {"Queue.Policy.Statement[0].Principal", "Queue.Policy.Statement[0].Action"},
    ),
    "topic": (
        lambda it: it.client("sns").set_topic_attributes(
            TopicArn=it.ids["Topic"], AttributeName="DisplayName", AttributeValue="other"
        ),
        {"Topic.DisplayName"},
    ),
    "subscription": (
        lambda it: it.client("sns").set_subscription_attributes(
            SubscriptionArn=it.ids["Subscription"], AttributeName="RawMessageDelivery", AttributeValue="true"
        ),
        {"Subscription.RawMessageDelivery"},
    ),
    "rule": (
        lambda it: it.client("events").disable_rule(Name=it.ids["Rule"].rpartition("/")[2]),
        {"Rule.State"},
    ),
    "log group": (
        lambda it: it.client("logs").put_retention_policy(logGroupName="/tiny/logs", retentionInDays=1),
        {"Logs.RetentionInDays"},
    ),
    "stage variable of a REST API": (
        lambda it: it.client("apigateway").update_stage(
            restApiId=it.ids["Rest"],
            stageName="live",
            patchOperations=[{"op": "replace", "path": "/variables/who", "value": "you"}],
        ),
        {"RestStage.Variables.who"},
    ),
    "route of an HTTP API": (
        lambda it: it.client("apigatewayv2").create_route(ApiId=it.ids["Http"], RouteKey="POST /orders"),
        {"Http.Routes.POST /orders"},
    ),
    "stage variable of an HTTP API": (
        lambda it: it.client("apigatewayv2").update_stage(
            ApiId=it.ids["Http"], StageName="live", StageVariables={"who": "you"}
        ),
        {"HttpStage.StageVariables.who"},
    ),
    "managed policy": (
        lambda it: it.client("iam").create_policy_version(
            PolicyArn=it.ids["ManagedPolicy"], PolicyDocument=_policy("sqs:Send*"), SetAsDefault=True
        ),
        {"ManagedPolicy.PolicyDocument.Statement[0].Principal", "ManagedPolicy.PolicyDocument.Statement[0].Action"},
    ),
    "a role's policy": (
        lambda it: it.client("iam").delete_role_policy(RoleName=it.ids["Role"], PolicyName="logs"),
        {"Role.Policies.logs"},
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_found_where_it_was_made(place: Place, what: str) -> None:
    """Only what somebody changed is named; everything is still named that others changed before."""
    if "HTTP API" in what and not is_embedded():
        pytest.skip("LocalStack without a token has no HTTP APIs")
    change, properties = CHANGES[what]
    already = set(place.drift())
    change(place)
    found = set(place.drift()) - already
    assert found
    assert found <= properties
