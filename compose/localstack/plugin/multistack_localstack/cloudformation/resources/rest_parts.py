"""
Parts of a REST API: methods, authorizers, models, validators and gateway responses.

Open-source LocalStack has no ``AWS::ApiGateway::Authorizer``; its API Gateway does have authorizers.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGateway.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localstack.services.apigateway.resource_providers.aws_apigateway_gatewayresponse import (
    ApiGatewayGatewayResponseProvider,
)
from localstack.services.apigateway.resource_providers.aws_apigateway_method import ApiGatewayMethodProvider
from localstack.services.apigateway.resource_providers.aws_apigateway_model import ApiGatewayModelProvider
from localstack.services.apigateway.resource_providers.aws_apigateway_requestvalidator import (
    ApiGatewayRequestValidatorProvider,
)
from localstack.services.cloudformation.resource_provider import ProgressEvent, ResourceProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import Request, before

_AUTHORIZER: Mapping[str, tuple[str, str]] = {
    "AuthType": ("authType", ""),
    "AuthorizerCredentials": ("authorizerCredentials", ""),
    "AuthorizerResultTtlInSeconds": ("authorizerResultTtlInSeconds", "300"),
    "AuthorizerUri": ("authorizerUri", ""),
    "IdentitySource": ("identitySource", ""),
    "IdentityValidationExpression": ("identityValidationExpression", ""),
    "Name": ("name", ""),
    "Type": ("type", ""),
}


class Method(ApiGatewayMethodProvider):
    """Methods."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Put the method anew: what the template drops goes; callers see nothing of it before a deployment."""
        self.delete(request)
        return self.create(request)


class GatewayResponse(ApiGatewayGatewayResponseProvider):
    """Gateway responses."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Put the response anew, under the name it has."""
        model = request.desired_state
        given = {
            name[0].lower() + name[1:]: model[name]
            for name in ("ResponseParameters", "ResponseTemplates")
            if model.get(name) is not None
        }
        status = {"statusCode": str(model["StatusCode"])} if model.get("StatusCode") else {}
        request.aws_client_factory.apigateway.put_gateway_response(
            restApiId=model["RestApiId"], responseType=model["ResponseType"], **given, **status
        )
        return done({**model, "Id": before(request)["Id"]})


class Model(ApiGatewayModelProvider):
    """Models."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change the schema and the description."""
        model = request.desired_state
        model |= {key: before(request)[key] for key in ("Name", "ContentType")}
        schema = model.get("Schema") or {}
        operations = [
            {"op": "replace", "path": "/schema", "value": schema if isinstance(schema, str) else json.dumps(schema)},
            {"op": "replace", "path": "/description", "value": model.get("Description") or ""},
        ]
        request.aws_client_factory.apigateway.update_model(
            restApiId=model["RestApiId"], modelName=model["Name"], patchOperations=operations
        )
        return done(model)


class RequestValidator(ApiGatewayRequestValidatorProvider):
    """Request validators."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change what is validated."""
        model = request.desired_state
        model |= {key: before(request)[key] for key in ("Name", "RequestValidatorId")}
        operations = [
            {"op": "replace", "path": f"/{name[0].lower()}{name[1:]}", "value": str(bool(model.get(name))).lower()}
            for name in ("ValidateRequestBody", "ValidateRequestParameters")
        ]
        request.aws_client_factory.apigateway.update_request_validator(
            restApiId=model["RestApiId"], requestValidatorId=model["RequestValidatorId"], patchOperations=operations
        )
        return done(model)


class Authorizer(ResourceProvider[Any]):
    """Authorizers."""

    TYPE = "AWS::ApiGateway::Authorizer"
    SCHEMA: Mapping[str, Any] = {
        "typeName": TYPE,
        "properties": {
            "AuthorizerId": {"type": "string"},
            "AuthorizerResultTtlInSeconds": {"type": "integer"},
            "ProviderARNs": {"type": "array", "items": {"type": "string"}},
            "RestApiId": {"type": "string"},
            **{name: {"type": "string"} for name in _AUTHORIZER if name != "AuthorizerResultTtlInSeconds"},
        },
        "createOnlyProperties": ["/properties/RestApiId"],
        "readOnlyProperties": ["/properties/AuthorizerId"],
        "primaryIdentifier": ["/properties/RestApiId", "/properties/AuthorizerId"],
    }

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make an authorizer."""
        model = request.desired_state
        given = {api: model[name] for name, (api, _) in _AUTHORIZER.items() if model.get(name) is not None}
        arns = {"providerARNs": model["ProviderARNs"]} if model.get("ProviderARNs") else {}
        made = request.aws_client_factory.apigateway.create_authorizer(restApiId=model["RestApiId"], **given, **arns)
        return done({**model, "AuthorizerId": made["id"]})

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change an authorizer; what the template drops goes."""
        model, was = request.desired_state, before(request)
        operations = [
            {"op": "replace", "path": f"/{api}", "value": str(model.get(name, default))}
            for name, (api, default) in _AUTHORIZER.items()
            if name in model or name in was
        ]
        request.aws_client_factory.apigateway.update_authorizer(
            restApiId=model["RestApiId"], authorizerId=was["AuthorizerId"], patchOperations=operations
        )
        return done({**model, "AuthorizerId": was["AuthorizerId"]})

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Delete an authorizer."""
        model = request.desired_state
        request.aws_client_factory.apigateway.delete_authorizer(
            restApiId=model["RestApiId"], authorizerId=model["AuthorizerId"]
        )
        return done(model)
