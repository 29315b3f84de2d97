"""
Gap: MiniStack 1.5.33 takes any ``Authorization`` header for a signature; AWS lets in what has one only.

Whether a signature is right is checked where IAM is enforced, by MiniStack itself.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

_SIGNED = "AWS4-HMAC-SHA256"


def apply() -> None:
    """Ask methods and routes that are guarded by IAM for a signature."""
    from ministack.services import apigateway as v2
    from ministack.services import apigateway_v1 as v1

    v1._authorize_request_v1 = _asking_rest(v1, v1._authorize_request_v1)
    v2._handle_execute_in_scope = _asking_http(v2, v2._handle_execute_in_scope)


def _asking_rest(v1: Any, authorize: Any) -> Any:
    from ministack.core.sigv4 import foreign_authorization_failure

    @functools.wraps(authorize)
    async def asking(*call: Any) -> Any:
        method, headers = call[2], call[6]
        given = v1._header_ci(headers, "authorization")
        if method.get("authorizationType") == "AWS_IAM" and given and not given.startswith(_SIGNED):
            refused = foreign_authorization_failure({"authorization": given})
            if refused is not None:
                kind, error = v1._AUTHENTICATION_GATEWAY_ERRORS.get(refused[0], ("DEFAULT_4XX", None))
                return v1._GatewayError(kind, refused[1], error), None
        return await authorize(*call)

    return asking


def _asking_http(v2: Any, serve: Any) -> Any:
    @functools.wraps(serve)
    async def asking(
        api_id: str, stage: str, path: str, method: str, headers: Mapping[str, str], *rest: Any, **more: Any
    ) -> Any:
        given = next((value for name, value in (headers or {}).items() if name.lower() == "authorization"), "")
        is_foreign = bool(given) and not given.startswith(_SIGNED) and method != "OPTIONS"
        if is_foreign and v2.route_authorization_type(api_id, stage, method, path) == "AWS_IAM":
            return v2._jwt_forbidden()
        return await serve(api_id, stage, path, method, headers, *rest, **more)

    return asking
