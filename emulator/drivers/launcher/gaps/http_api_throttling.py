"""
Gap: MiniStack 1.5.33 keeps the limits of an HTTP API's routes, but lets every call pass.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

_LIMITS = ("throttlingRateLimit", "throttlingBurstLimit")
_REFUSED = (429, {"Content-Type": "application/json"}, b'{"message":"Too Many Requests"}')


def apply() -> None:
    """Refuse calls over the limit of their route, or of the stage."""
    from ministack.services import apigateway as v2
    from ministack.services import apigateway_v1 as v1

    serve = v2._handle_execute_in_scope

    @functools.wraps(serve)
    async def execute_in_scope(api_id: str, stage_name: str, path: str, method: str, *rest: Any) -> Any:
        stage = v2._stages.get(api_id, {}).get(stage_name) or {}
        if stage.get("defaultRouteSettings") or stage.get("routeSettings"):
            route = v2._match_route(api_id, method, path)
            limits = _limits(stage, route["routeKey"]) if route else {}
            if limits and not v1._take_token(("http", api_id, stage_name, route["routeKey"]), limits):
                return _REFUSED[0], dict(_REFUSED[1]), _REFUSED[2]
        return await serve(api_id, stage_name, path, method, *rest)

    v2._handle_execute_in_scope = execute_in_scope


def _limits(stage: Mapping[str, Any], route_key: str) -> dict[str, Any]:
    """
    What a token bucket must know; nothing for a route without limits.

    Settings come in the API's spelling or, from a template, in CloudFormation's.
    """
    default, routes = stage.get("defaultRouteSettings") or {}, stage.get("routeSettings") or {}
    settings = {name[0].lower() + name[1:]: value for name, value in {**default, **routes.get(route_key, {})}.items()}
    rate, burst = (settings.get(name) for name in _LIMITS)
    return {} if rate is None and burst is None else {"rateLimit": rate, "burstLimit": burst}
