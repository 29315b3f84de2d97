"""One reader for each type of resource: from what AWS's APIs answer to a plain tree of properties."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from emulator.inventory.account import Account
from emulator.inventory.readers import data, functions, http_apis, messages, rest_apis, roles, settings
from emulator.inventory.resource import Properties

# Called with the physical ids of the resource and of what it is a part of; None, or an error that says so, when it is
# not there.
Reader = Callable[[Account, str, str], Properties | None]

READERS: Mapping[str, Reader] = {
    **functions.READERS,
    **data.READERS,
    **messages.READERS,
    **settings.READERS,
    **roles.READERS,
    **rest_apis.READERS,
    **http_apis.READERS,
}
_SERVICES = {
    "ApiGateway": "apigateway",
    "ApiGatewayV2": "apigatewayv2",
    "DynamoDB": "dynamodb",
    "Events": "events",
    "IAM": "iam",
    "Lambda": "lambda",
    "Logs": "logs",
    "S3": "s3",
    "SNS": "sns",
    "SQS": "sqs",
    "SSM": "ssm",
    "SecretsManager": "secretsmanager",
}
# Type to the service that knows its resources.
SERVICES: Mapping[str, str] = {kind: _SERVICES[kind.split("::")[1]] for kind in READERS}
# Type to the property that names what a resource of it is a part of.
PARENTS: Mapping[str, str] = {
    "AWS::ApiGateway::Deployment": "RestApiId",
    "AWS::ApiGateway::Stage": "RestApiId",
    "AWS::ApiGatewayV2::Stage": "ApiId",
    "AWS::Lambda::Alias": "FunctionName",
    "AWS::Lambda::Permission": "FunctionName",
}
# Types without a reader whose properties are read as those of another resource.
PARTS: Mapping[str, str] = {
    "AWS::ApiGateway::Authorizer": "its API",
    "AWS::ApiGateway::Method": "its API",
    "AWS::ApiGateway::Resource": "its API",
    "AWS::ApiGatewayV2::Authorizer": "its API",
    "AWS::ApiGatewayV2::Integration": "its API",
    "AWS::ApiGatewayV2::Route": "its API",
    "AWS::IAM::Policy": "its role",
    "AWS::IAM::RolePolicy": "its role",
    "AWS::S3::BucketPolicy": "its bucket",
    "AWS::SNS::TopicPolicy": "its topic",
    "AWS::SQS::QueuePolicy": "its queue",
}
