"""
Gap: with IAM enforced MiniStack 1.5.33 makes functions whose role does not let Lambda use it.

On AWS the role must exist, and its trust policy must name Lambda. Without enforcement any role will do.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

_LAMBDA = "lambda.amazonaws.com"
_REFUSED = "The role defined for the function cannot be assumed by Lambda."
_CFN_TYPE = "AWS::Lambda::Function"


def apply() -> None:
    """Check a function's role when it is given one."""
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    create, update = lambda_svc._create_function, lambda_svc._update_config
    handlers = provisioners._RESOURCE_HANDLERS[_CFN_TYPE]
    provision = handlers["create"]

    def refused() -> Any:
        return lambda_svc.error_response_json("InvalidParameterValueException", _REFUSED, 400)

    @functools.wraps(create)
    def create_checked(data: Mapping[str, Any]) -> Any:
        return create(data) if _is_usable(data.get("Role")) else refused()

    @functools.wraps(update)
    def update_checked(name: str, data: Mapping[str, Any]) -> Any:
        return update(name, data) if "Role" not in data or _is_usable(data["Role"]) else refused()

    @functools.wraps(provision)
    def provision_checked(logical_id: str, properties: Mapping[str, Any], stack: str) -> Any:
        if not _is_usable(properties.get("Role")):
            raise ValueError(_REFUSED)
        return provision(logical_id, properties, stack)

    lambda_svc._create_function, lambda_svc._update_config = create_checked, update_checked
    handlers["create"] = provision_checked


def _is_usable(arn: Any) -> bool:
    """Whether Lambda may run a function as the role *arn*, or nobody asks."""
    from ministack import app
    from ministack.services import iam

    if not app.AUTH:
        return True
    role = iam._roles.get(str(arn).rpartition("/")[2])
    return role is not None and trusts_lambda(role.get("AssumeRolePolicyDocument"))


def trusts_lambda(document: Any) -> bool:
    """Whether a trust policy, as text or parsed, lets Lambda assume its role."""
    parsed = json.loads(document) if isinstance(document, str) else document or {}
    statements = parsed.get("Statement") or []
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        named = _LAMBDA in _services(statement.get("Principal"))
        if named and statement.get("Effect") == "Allow" and "sts:AssumeRole" in _listed(statement.get("Action")):
            return True
    return False


def _services(principal: Any) -> list[str]:
    if principal == "*":
        return [_LAMBDA]
    return list(_listed(principal.get("Service"))) if isinstance(principal, Mapping) else []


def _listed(value: Any) -> Iterator[str]:
    yield from [value] if isinstance(value, str) else value or []
