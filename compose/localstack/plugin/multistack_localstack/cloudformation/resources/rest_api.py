"""
``AWS::ApiGateway::RestApi``: a changed definition is imported anew, into the same API.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-restapi.html
    https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateRestApi-Patch
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localstack.services.apigateway.resource_providers.aws_apigateway_restapi import ApiGatewayRestApiProvider
from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Properties,
    Request,
    before,
    has_changed,
    tag_changes,
    tag_map,
    taken_back,
)

_DEFINITION = ("Body", "BodyS3Location", "Mode", "Parameters", "FailOnWarnings")
# Property to the path that changes it, and what it is without a template.
_PATCHED: Mapping[str, tuple[str, str]] = {
    "ApiKeySourceType": ("/apiKeySource", "HEADER"),
    "Description": ("/description", ""),
    "DisableExecuteApiEndpoint": ("/disableExecuteApiEndpoint", "false"),
    "MinimumCompressionSize": ("/minimumCompressionSize", ""),
    "Name": ("/name", ""),
    "Policy": ("/policy", ""),
}
_RESPONSES = "x-amazon-apigateway-gateway-responses"


class RestApi(ApiGatewayRestApiProvider):
    """REST APIs."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make an API, import its definition if it has one, and then set what the template says besides."""
        model, gateway = request.desired_state, request.aws_client_factory.apigateway
        definition = _definition(request)
        model["Name"] = model.get("Name") or _title(definition) or _generated_name(request)
        made = gateway.create_rest_api(name=model["Name"], tags=_tags(request), **_creation(model))
        model["RestApiId"] = made["id"]
        with taken_back(lambda: gateway.delete_rest_api(restApiId=made["id"])):
            if definition is not None:
                _import(request, definition)
                _patch(request, is_imported=True)
            model["RootResourceId"] = _root(request)
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change an API in place; callers see it with its next deployment."""
        model, gateway = request.desired_state, request.aws_client_factory.apigateway
        model["RestApiId"] = before(request)["RestApiId"]
        definition = _definition(request)
        model["Name"] = model.get("Name") or _title(definition) or before(request)["Name"]
        is_imported = definition is not None and (has_changed(request, *_DEFINITION) or "BodyS3Location" in model)
        if is_imported:
            _forget_old_definition(request)
            _import(request, definition)
        _patch(request, is_imported=is_imported)
        if has_changed(request, "Tags"):
            wanted, dropped = tag_changes(request)
            arn = f"arn:aws:apigateway:{request.region_name}::/restapis/{model['RestApiId']}"
            if wanted:
                gateway.tag_resource(resourceArn=arn, tags=wanted)
            if dropped:
                gateway.untag_resource(resourceArn=arn, tagKeys=dropped)
        model["RootResourceId"] = _root(request)
        return done(model)


def _creation(model: Properties) -> dict[str, Any]:
    policy = model.get("Policy")
    given = {
        "apiKeySource": model.get("ApiKeySourceType"),
        "binaryMediaTypes": model.get("BinaryMediaTypes"),
        "cloneFrom": model.get("CloneFrom"),
        "description": model.get("Description"),
        "disableExecuteApiEndpoint": model.get("DisableExecuteApiEndpoint"),
        "endpointConfiguration": _endpoint(model),
        "minimumCompressionSize": model.get("MinimumCompressionSize"),
        "policy": json.dumps(policy) if isinstance(policy, Mapping) else policy,
    }
    return {name: value for name, value in given.items() if value is not None}


def _endpoint(model: Properties) -> dict[str, Any] | None:
    configuration = model.get("EndpointConfiguration")
    if not configuration:
        return None
    return {
        "types": configuration.get("Types") or ["EDGE"],
        **({"vpcEndpointIds": configuration["VpcEndpointIds"]} if configuration.get("VpcEndpointIds") else {}),
    }


def _tags(request: Request) -> dict[str, str]:
    # CloudFormation puts these on what it makes; `aws:` is refused from anybody else.
    return {
        **tag_map(request.desired_state),
        "aws:cloudformation:logical-id": request.logical_resource_id,
        "aws:cloudformation:stack-name": request.stack_name,
        "aws:cloudformation:stack-id": request.stack_id,
    }


def _generated_name(request: Request) -> str:
    return str(generate_default_name(request.stack_name, request.logical_resource_id))


def _definition(request: Request) -> bytes | None:
    """The OpenAPI document of the template or of its bucket; None when there is none."""
    model = request.desired_state
    if body := model.get("Body"):
        return (json.dumps(body) if isinstance(body, Mapping) else str(body)).encode()
    if not (location := model.get("BodyS3Location")):
        return None
    version = {"VersionId": location["Version"]} if location.get("Version") else {}
    found = request.aws_client_factory.s3.get_object(Bucket=location["Bucket"], Key=location["Key"], **version)
    if location.get("ETag") and location["ETag"] != found["ETag"]:
        raise ValueError("The ETag provided for the S3BodyLocation does not match the S3 Object")
    return bytes(found["Body"].read())


def _parsed(definition: bytes | None) -> Mapping[str, Any]:
    try:
        found = json.loads(definition or b"{}")
    except ValueError:
        # A YAML document from a bucket: API Gateway reads it, nothing here needs to.
        return {}
    return found if isinstance(found, Mapping) else {}


def _title(definition: bytes | None) -> str:
    return str((_parsed(definition).get("info") or {}).get("title") or "")


def _import(request: Request, definition: bytes | None) -> None:
    model, gateway = request.desired_state, request.aws_client_factory.apigateway
    gateway.put_rest_api(
        restApiId=model["RestApiId"],
        body=definition,
        mode=model.get("Mode") or "overwrite",
        # Without it API Gateway would put the path of `servers` before all others.
        parameters={"basepath": "ignore", **(model.get("Parameters") or {})},
        failOnWarnings=bool(model.get("FailOnWarnings")),
    )
    for kind, response in (_parsed(definition).get(_RESPONSES) or {}).items():
        gateway.put_gateway_response(
            restApiId=model["RestApiId"],
            responseType=kind,
            **{key: response[key] for key in ("responseParameters", "responseTemplates") if key in response},
            **({"statusCode": str(response["statusCode"])} if response.get("statusCode") else {}),
        )


def _forget_old_definition(request: Request) -> None:
    """Delete what LocalStack leaves of an earlier definition: authorizers, validators and responses."""
    model, gateway, old = request.desired_state, request.aws_client_factory.apigateway, before(request).get("Body")
    if not isinstance(old, Mapping) or model.get("Mode") == "merge":
        return
    api = {"restApiId": model["RestApiId"]}
    schemes = old.get("securityDefinitions") or (old.get("components") or {}).get("securitySchemes") or {}
    for authorizer in gateway.get_authorizers(**api).get("items", []):
        if authorizer["name"] in schemes:
            gateway.delete_authorizer(**api, authorizerId=authorizer["id"])
    validators = old.get("x-amazon-apigateway-request-validators") or {}
    for validator in gateway.get_request_validators(**api).get("items", []):
        if validator["name"] in validators:
            gateway.delete_request_validator(**api, requestValidatorId=validator["id"])
    for kind in old.get(_RESPONSES) or {}:
        gateway.delete_gateway_response(**api, responseType=kind)


def _patch(request: Request, *, is_imported: bool) -> None:
    """Set what the template says besides the definition; an import resets some of it."""
    model, operations = request.desired_state, []
    for name, (path, default) in _PATCHED.items():
        given = model.get(name)
        if given is not None and (is_imported or has_changed(request, name)):
            operations.append({"op": "replace", "path": path, "value": _text(given)})
        elif given is None and before(request).get(name) is not None and not is_imported:
            operations.append({"op": "replace", "path": path, "value": default})
    operations += _media_types(request)
    kinds = (_endpoint(model) or {}).get("types") or ["EDGE"]
    if has_changed(request, "EndpointConfiguration") and request.action == "Modify":
        operations.append({"op": "replace", "path": "/endpointConfiguration/types/0", "value": kinds[0]})
    if operations:
        gateway = request.aws_client_factory.apigateway
        gateway.update_rest_api(restApiId=model["RestApiId"], patchOperations=operations)


def _media_types(request: Request) -> list[dict[str, str]]:
    model, gateway = request.desired_state, request.aws_client_factory.apigateway
    body = model.get("Body")
    in_body = body.get("x-amazon-apigateway-binary-media-types", []) if isinstance(body, Mapping) else []
    wanted = {*(model.get("BinaryMediaTypes") or []), *in_body}
    if not wanted and not before(request).get("BinaryMediaTypes"):
        return []
    there = set(gateway.get_rest_api(restApiId=model["RestApiId"]).get("binaryMediaTypes") or [])
    changes = [("add", one) for one in sorted(wanted - there)] + [("remove", one) for one in sorted(there - wanted)]
    return [{"op": verb, "path": "/binaryMediaTypes/" + one.replace("/", "~1")} for verb, one in changes]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, Mapping) else str(value)


def _root(request: Request) -> str:
    gateway, model = request.aws_client_factory.apigateway, request.desired_state
    pages = gateway.get_paginator("get_resources").paginate(restApiId=model["RestApiId"])
    return next(
        str(found["id"])
        for page in pages
        for found in page["items"]
        if found["path"] == "/" and not found.get("parentId")
    )
