"""
Gap: with IAM enforced MiniStack 1.5.33 asks a REST API's resource policy nothing where an authorizer guards.

On AWS a method that a function guards is closed to whom the policy denies it; one that a user pool guards, to whom the
policy does not allow it, too.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
"""

from __future__ import annotations

import functools
from typing import Any

_DENIES = "explicit deny in a resource-based policy"


def apply() -> None:
    """Ask the policy before a function, and after a user pool."""
    from ministack.services import apigateway_v1 as v1

    authorize = v1._authorize_request_v1

    @functools.wraps(authorize)
    async def with_policy(*call: Any) -> Any:
        api_id, stage, method, name, path, *_, account_id, region = call
        kind = method.get("authorizationType")
        if kind not in ("CUSTOM", "COGNITO_USER_POOLS"):
            return await authorize(*call)
        # None where IAM is not enforced.
        refused = v1._anonymous_policy_error(api_id, stage, name, path, account_id, region)
        if refused is not None and kind == "CUSTOM" and _DENIES in refused.message:
            return refused, None
        error, context = await authorize(*call)
        if error is None and refused is not None and kind == "COGNITO_USER_POOLS":
            return refused, None
        return error, context

    v1._authorize_request_v1 = with_policy
