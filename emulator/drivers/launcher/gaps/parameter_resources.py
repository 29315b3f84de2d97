"""
Gap: with IAM enforced MiniStack 1.5.33 asks for ``*`` where AWS asks for the path or the names of parameters.

A role that may read ``parameter/orders/*`` alone would be refused GetParametersByPath and GetParameters.

Source:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html,
    https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html
"""

from __future__ import annotations

import functools
import json
from contextvars import ContextVar
from typing import Any

_SERVICE = "ssm"
_UNKNOWN = "*"

# What the request under way names beside the first: each must be allowed.
_others: ContextVar[tuple[str, ...]] = ContextVar("multistack_other_parameters", default=())


def apply() -> None:
    """Let requests for parameters be authorized by what they name."""
    from ministack.core import iam_actions, iam_evaluator

    extract, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce

    @functools.wraps(extract)
    def extract_named(service: str, method: str, path: str, headers: Any, *more: Any) -> str:
        found, (body, _, region, account_id) = str(extract(service, method, path, headers, *more)), more
        named = named_parameters(body, region, account_id) if service == _SERVICE and found == _UNKNOWN else []
        _others.set(tuple(named[1:]))
        return named[0] if named else found

    @functools.wraps(enforce)
    def enforce_all(access_key: str, action: str, service: str, region: str, *args: Any, **options: Any) -> Any:
        denied = enforce(access_key, action, service, region, *args, **options)
        for arn in _others.get() if service == _SERVICE else ():
            if denied is not None:
                break
            denied = enforce(access_key, action, service, region, resource_arn=arn)
        return denied

    iam_actions.extract_resource_arn = extract_named
    iam_evaluator.enforce = enforce_all


def named_parameters(body: bytes, region: str, account_id: str) -> list[str]:
    """ARNs of the path or the parameters that a request names; none when it names none."""
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return []
    if not isinstance(asked, dict):
        return []
    names = asked.get("Names") or ([asked["Path"]] if asked.get("Path") else [])
    prefix = f"arn:aws:ssm:{region}:{account_id}:parameter/"
    return [name if name.startswith("arn:") else prefix + name.removeprefix("/") for name in map(str, names)]
