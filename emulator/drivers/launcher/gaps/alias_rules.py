"""
Gap: MiniStack 1.5.33 makes any alias: of versions that do not exist, and with weights that AWS refuses.

An alias of two versions needs two published ones with the same role and the same dead-letter queue.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html,
    https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from emulator.drivers.launcher.gaps.alias_weights import weights_of

_CFN_TYPE = "AWS::Lambda::Alias"
_INVALID = "InvalidParameterValueException"


class Refusal(NamedTuple):
    """An error as AWS answers it."""

    code: str
    message: str
    status: int


def apply() -> None:
    """Check an alias before it is made or changed, through the API or by CloudFormation."""
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    create, update = lambda_svc._create_alias, lambda_svc._update_alias
    handlers = provisioners._RESOURCE_HANDLERS[_CFN_TYPE]
    provision = handlers["create"]

    @functools.wraps(create)
    def create_checked(function_name: str, data: Mapping[str, Any]) -> Any:
        refusal = _refusal(function_name, data)
        return lambda_svc.error_response_json(*refusal) if refusal else create(function_name, data)

    @functools.wraps(update)
    def update_checked(function_name: str, name: str, data: Mapping[str, Any]) -> Any:
        alias = (lambda_svc._functions.get(function_name) or {"aliases": {}})["aliases"].get(name)
        refusal = _refusal(function_name, {**alias, **data}) if alias else None
        return lambda_svc.error_response_json(*refusal) if refusal else update(function_name, name, data)

    @functools.wraps(provision)
    def provision_checked(logical_id: str, properties: Mapping[str, Any], stack: str) -> Any:
        _, function_name, _, _ = provisioners._lambda_function_for_cfn_ref(properties.get("FunctionName", ""))
        routing = provisioners._lambda_alias_routing_config(properties)
        refusal = _refusal(function_name, {**properties, "RoutingConfig": routing})
        if refusal:
            raise ValueError(refusal.message)
        return provision(logical_id, properties, stack)

    lambda_svc._create_alias, lambda_svc._update_alias = create_checked, update_checked
    handlers["create"] = provision_checked


def _refusal(function_name: str, alias: Mapping[str, Any]) -> Refusal | None:
    from ministack.services import lambda_svc

    function = lambda_svc._functions.get(function_name)
    if function is None:
        return None  # MiniStack refuses that itself
    arn = lambda_svc._func_arn(function_name)
    return next(_refusals(arn, function["versions"], str(alias.get("FunctionVersion", "$LATEST")), alias), None)


def _refusals(arn: str, versions: Mapping[str, Any], first: str, alias: Mapping[str, Any]) -> Iterator[Refusal]:
    """What is wrong with an alias of the version *first*."""
    if first != "$LATEST" and first not in versions:
        yield _unknown(arn, first)
    weights = weights_of(alias)
    if len(weights) > 1:
        yield Refusal(_INVALID, "Number of items in AdditionalVersionWeights cannot be greater than 1", 400)
    for second, weight in weights.items():
        yield from _weight_refusals(second, weight)
        if "$LATEST" in (first, second):
            yield Refusal(_INVALID, "$LATEST is not supported for an alias pointing to more than 1 version", 400)
        if second not in versions:
            yield _unknown(arn, second)
        if first == second:
            yield Refusal(_INVALID, f"Invalid function version {first}: it is in the routing configuration too", 400)
        yield from _pair_refusals(versions[first]["config"], versions[second]["config"])


def _unknown(arn: str, version: str) -> Refusal:
    return Refusal("ResourceNotFoundException", f"Function not found: {arn}:{version}", 404)


def _weight_refusals(version: str, weight: float) -> Iterator[Refusal]:
    if not 0.0 <= weight <= 1.0:
        message = f"Value '{{{version}={weight}}}' at 'routingConfig.additionalVersionWeights' is not in [0.0, 1.0]"
        yield Refusal("ValidationException", f"1 validation error detected: {message}", 400)


def _pair_refusals(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Refusal]:
    """What two versions must have in common to share the calls of an alias."""
    if first.get("Role") != second.get("Role"):
        yield Refusal(_INVALID, "The versions of an alias must have the same role", 400)
    if (first.get("DeadLetterConfig") or {}) != (second.get("DeadLetterConfig") or {}):
        yield Refusal(_INVALID, "The versions of an alias must have the same dead-letter queue", 400)
