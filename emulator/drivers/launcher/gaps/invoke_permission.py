"""
Gap: MiniStack 1.5.33 lets every API call every function; on AWS the function's resource policy must allow it.

The permission is checked with every call, for the function or the qualifier that is called, against the API, stage,
method and resource path that the call came through. Without it the caller gets 500. An integration that names a role
needs none.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html
    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

_ACTIONS = {"lambda:InvokeFunction", "lambda:Invoke*", "lambda:*", "*"}
_PRINCIPALS = {"apigateway.amazonaws.com", "*"}

Properties = Mapping[str, Any]


def apply() -> None:
    """Ask the function's policy before an API calls it."""
    from ministack.services import apigateway as v2
    from ministack.services import apigateway_v1 as v1

    for name in ("_invoke_lambda_proxy_v1", "_invoke_lambda_custom_v1"):
        setattr(v1, name, _checked_rest(v1, getattr(v1, name)))
    v2._invoke_lambda_proxy = _checked_http(v2, v2._invoke_lambda_proxy)
    v1._invoke_authorizer_lambda = _checked_authorizer(v1, v1._invoke_authorizer_lambda)


def _checked_rest(v1: Any, invoke: Any) -> Any:
    @functools.wraps(invoke)
    async def checked(integration: Properties, *call: Any, **more: Any) -> Any:
        api_id, stage, _, resource, _, method = call[:6]
        reference = v1._extract_lambda_ref_from_integration_uri(integration.get("uri", ""))
        source = f"{api_id}/{stage}/{method}{resource['path']}"
        if integration.get("credentials") or _may_call(reference, source, *_owner(more)):
            return await invoke(integration, *call, **more)
        return v1._gw_error("API_CONFIGURATION_ERROR", "Internal server error")

    return checked


def _checked_http(v2: Any, invoke: Any) -> Any:
    @functools.wraps(invoke)
    async def checked(integration: Properties, *call: Any, **more: Any) -> Any:
        api_id, stage, _, method, _, _, _, route_key = call[:8]
        reference = v2._extract_lambda_ref_from_integration_uri(integration.get("integrationUri", ""))
        _, is_path, path = route_key.partition(" ")
        source = f"{api_id}/{stage}/{method}{path}" if is_path else f"{api_id}/{stage}/{route_key}"
        if integration.get("credentialsArn") or _may_call(reference, source, *_owner(more)):
            return await invoke(integration, *call, **more)
        return 500, {"Content-Type": "application/json"}, b'{"message":"Internal Server Error"}'

    return checked


def _owner(more: Properties) -> tuple[str, str]:
    """Account and region of the API."""
    return more["owner_account_id"], more["owner_region"]


def _checked_authorizer(v1: Any, invoke: Any) -> Any:
    @functools.wraps(invoke)
    async def checked(authorizer: Properties, event: Properties, account_id: str, region: str) -> Any:
        reference = v1._extract_lambda_ref_from_integration_uri(authorizer.get("authorizerUri", ""))
        api_id = str(event["methodArn"]).rpartition(":")[2].partition("/")[0]
        source = f"{api_id}/authorizers/{authorizer['id']}"
        if not authorizer.get("authorizerCredentials") and not _may_call(reference, source, account_id, region):
            return None  # MiniStack answers as for an authorizer without a function: 500, as AWS does
        return await invoke(authorizer, event, account_id, region)

    return checked


@functools.lru_cache(maxsize=1024)
def _target(reference: str) -> tuple[str, str, str]:
    """Region (empty: the API's), name and qualifier (empty: none) that a function's name or ARN says."""
    parts = reference.split(":")
    if "function" in parts:
        after = parts[parts.index("function") + 1 :]
        region = parts[3] if reference.startswith("arn:") else ""
        return region, after[0] if after else "", after[1] if len(after) > 1 else ""
    return "", parts[0], parts[1] if len(parts) > 1 else ""


def _may_call(reference: str, source: str, account_id: str, region: str) -> bool:
    """Whether an API may call a function; one that does not exist is somebody else's refusal."""
    from ministack.services import lambda_svc

    its_region, name, qualifier = _target(reference)
    function = lambda_svc._functions.get_scoped(account_id, its_region or region, name)
    if function is None:
        return True
    arn = f"arn:aws:lambda:{its_region or region}:{account_id}:function:{name}"
    # A policy has no statements for $LATEST: it is what an unqualified ARN means.
    resource = f"{arn}:{qualifier}" if qualifier and qualifier != "$LATEST" else arn
    return allows(
        function["policy"]["Statement"],
        resource=resource,
        source_arn=f"arn:aws:execute-api:{region}:{account_id}:{source}",
        account_id=account_id,
    )


def allows(statements: Iterable[Properties], *, resource: str, source_arn: str, account_id: str) -> bool:
    """Whether a resource policy lets API Gateway call *resource* on behalf of *source_arn*."""
    return any(
        statement["Resource"] == resource
        and statement["Action"] in _ACTIONS
        and _principal(statement["Principal"]) in _PRINCIPALS
        and _holds(statement.get("Condition") or {}, source_arn, account_id)
        for statement in statements
    )


def _principal(principal: Any) -> Any:
    return principal.get("Service") if isinstance(principal, Mapping) else principal


def _holds(condition: Properties, source_arn: str, account_id: str) -> bool:
    account = (condition.get("StringEquals") or {}).get("AWS:SourceAccount", account_id)
    pattern = (condition.get("ArnLike") or {}).get("AWS:SourceArn")
    return account == account_id and (pattern is None or _is_like(pattern, source_arn))


@functools.lru_cache(maxsize=4096)
def _is_like(pattern: str, arn: str) -> bool:
    """
    ``ArnLike``: each of the six parts may have wildcards, the last one over slashes, too.

    Source:
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    wanted, given = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(given) and all(
        re.fullmatch(re.escape(part).replace(r"\*", ".*").replace(r"\?", "."), found)
        for part, found in zip(wanted, given, strict=True)
    )
