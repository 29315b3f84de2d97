"""
Gap: a template's request validators do nothing in MiniStack 1.5.33, and its methods have none; AWS validates with them.

MiniStack validates what is set through its API or an API's ``Body``: here the same is set for resources of a template.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-requestvalidator.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-method.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

Properties = Mapping[str, Any]
Made = tuple[str, dict[str, Any]]


def apply() -> None:
    """Make validators where MiniStack makes up an id, and name them in methods."""
    from ministack.services import apigateway_v1 as v1
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::ApiGateway::RequestValidator"].update(_validators(v1))
    methods = handlers["AWS::ApiGateway::Method"]
    methods.update({name: _validated(v1, methods[name]) for name in ("create", "update")})


def _validators(v1: Any) -> dict[str, Any]:
    def create(logical_id: str, properties: Properties, stack_name: str) -> Made:
        data = {"name": properties.get("Name", ""), **_flags(properties)}
        status, _, body = v1._create_request_validator(properties.get("RestApiId", ""), data)
        if status >= 400:
            raise ValueError(json.loads(body).get("message", "the request validator cannot be made"))
        made = json.loads(body)["id"]
        return made, {"RequestValidatorId": made}

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Made:
        validator = v1._request_validators.get(new.get("RestApiId", ""), {}).get(physical_id)
        # None: the stack is of a state from before this was filled in.
        if validator is None or any(old.get(key) != new.get(key) for key in ("RestApiId", "Name")):
            made = create(physical_id, new, stack_name)
            delete(physical_id, old)
            return made
        validator.update(_flags(new))
        return physical_id, {"RequestValidatorId": physical_id}

    def delete(physical_id: str, properties: Properties) -> None:
        v1._request_validators.get(properties.get("RestApiId", ""), {}).pop(physical_id, None)

    return {"create": create, "update": update, "delete": delete}


def _flags(properties: Properties) -> dict[str, bool]:
    names = {"validateRequestBody": "ValidateRequestBody", "validateRequestParameters": "ValidateRequestParameters"}
    return {name: str(properties.get(key, False)).lower() == "true" for name, key in names.items()}


def _validated(v1: Any, handler: Any) -> Any:
    """CloudFormation's *handler* of methods: the last mapping that it takes is the method's new properties."""

    @functools.wraps(handler)
    def validated(*arguments: Any, **more: Any) -> Any:
        result = handler(*arguments, **more)
        properties = [argument for argument in arguments if isinstance(argument, Mapping)][-1]
        resource = v1._resources.get(properties.get("RestApiId", ""), {}).get(properties.get("ResourceId", ""), {})
        method = resource.get("resourceMethods", {}).get(properties.get("HttpMethod", "ANY"))
        if method is not None:
            method["requestValidatorId"] = properties.get("RequestValidatorId")
        return result

    return validated
