"""
Resource types whose providers in LocalStack 4.14 can't do all that a stack asks of them; a module per type or two.

Each class takes LocalStack's provider and mends it: an update where AWS updates in place, all properties where
LocalStack leaves some out, and a look at what is there, for drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

# Resource type to "module:class".
MENDED: Mapping[str, str] = {
    "AWS::ApiGateway::Account": "again:PutAgain",
    "AWS::ApiGateway::ApiKey": "usage_plans:ApiKey",
    "AWS::ApiGateway::Authorizer": "rest_parts:Authorizer",
    "AWS::ApiGateway::Deployment": "rest_stage:Deployment",
    "AWS::ApiGateway::GatewayResponse": "rest_parts:GatewayResponse",
    "AWS::ApiGateway::Method": "rest_parts:Method",
    "AWS::ApiGateway::Model": "rest_parts:Model",
    "AWS::ApiGateway::RequestValidator": "rest_parts:RequestValidator",
    "AWS::ApiGateway::RestApi": "rest_api:RestApi",
    "AWS::ApiGateway::Stage": "rest_stage:Stage",
    "AWS::ApiGateway::UsagePlan": "usage_plans:UsagePlan",
    "AWS::CloudFormation::Macro": "again:PutAgain",
    "AWS::CloudFormation::Stack": "nested_stack:NestedStack",
    "AWS::CloudWatch::Alarm": "again:PutAgain",
    "AWS::CloudWatch::CompositeAlarm": "again:PutAgain",
    "AWS::DynamoDB::Table": "dynamodb_table:Table",
    "AWS::Events::EventBusPolicy": "again:PutAgain",
    "AWS::Events::Rule": "rules:Rule",
    "AWS::IAM::ManagedPolicy": "identities:ManagedPolicy",
    "AWS::IAM::Policy": "identities:Policy",
    "AWS::IAM::Role": "identities:Role",
    "AWS::KMS::Alias": "keys:Alias",
    "AWS::KMS::Key": "keys:Key",
    "AWS::Lambda::Alias": "lambda_alias:Alias",
    "AWS::Lambda::EventInvokeConfig": "lambda_events:EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping": "lambda_events:EventSourceMapping",
    "AWS::Lambda::Function": "lambda_function:Function",
    "AWS::Lambda::Permission": "lambda_access:Permission",
    "AWS::Lambda::Url": "lambda_access:Url",
    "AWS::Lambda::Version": "lambda_version:Version",
    "AWS::Logs::LogGroup": "logs:LogGroup",
    "AWS::Logs::SubscriptionFilter": "again:PutAgain",
    "AWS::S3::Bucket": "s3_bucket:Bucket",
    "AWS::S3::BucketPolicy": "again:PutAgain",
    "AWS::SNS::Subscription": "messages:Subscription",
    "AWS::SNS::Topic": "messages:Topic",
    "AWS::SNS::TopicPolicy": "again:PutAgain",
    "AWS::SQS::Queue": "messages:Queue",
    "AWS::SSM::Parameter": "configuration:Parameter",
    "AWS::Scheduler::Schedule": "schedules:Schedule",
    "AWS::SecretsManager::ResourcePolicy": "again:PutAgain",
    "AWS::SecretsManager::Secret": "configuration:Secret",
}
# In a request's context: the resource may be other than its last properties say, so all of them must be put.
PUT_ALL = "multistack:put_all"


class Ignored(ResourceProvider[Any]):
    """A type that isn't there, and that somebody asked to be passed over."""

    def __init__(self, kind: str) -> None:
        self.TYPE = kind
        self.SCHEMA = {"typeName": kind, "properties": {}, "primaryIdentifier": ["/properties/Id"]}

    def create(self, request: ResourceRequest[Any]) -> ProgressEvent[Any]:
        """Give it a name, and nothing else."""
        return done({**request.desired_state, "Id": f"{request.stack_name}-{request.logical_resource_id}"})

    def update(self, request: ResourceRequest[Any]) -> ProgressEvent[Any]:
        """Keep its name."""
        return done({**request.desired_state, "Id": (request.previous_state or {})["Id"]})

    def delete(self, request: ResourceRequest[Any]) -> ProgressEvent[Any]:
        """Nothing is there."""
        return done({})


def done(model: Mapping[str, Any]) -> ProgressEvent[Any]:
    """The end of a request that went well."""
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=dict(model))
