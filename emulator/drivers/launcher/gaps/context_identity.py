"""
Gap: MiniStack 1.5.33 finds nothing in ``context``, so an authorizer with an identity source there lets nobody in.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

_CONTEXT = "context."
_context: ContextVar[Mapping[str, str] | None] = ContextVar("multistack_request_context", default=None)


def apply() -> None:
    """Look identity sources up in what the request came through."""
    from ministack.services import apigateway_v1 as v1

    authorize, sources = v1._authorize_request_v1, v1._request_identity_sources

    @functools.wraps(authorize)
    async def authorize_request(*call: Any) -> Any:
        if call[2].get("authorizationType") != "CUSTOM":
            return await authorize(*call)
        token = _context.set(_told(v1, *call[:2], *call[3:7], call[-2]))
        try:
            return await authorize(*call)
        finally:
            _context.reset(token)

    @functools.wraps(sources)
    def identity_sources(wanted: str, *request: Any) -> tuple[bool, list[str]]:
        told = _context.get() or {}
        values = []
        for source in filter(None, map(str.strip, (wanted or "").split(","))):
            is_context = source.startswith(_CONTEXT)
            values.append(
                told.get(source.removeprefix(_CONTEXT), "") if is_context else sources(source, *request)[1][0]
            )
        return all(values), values

    v1._authorize_request_v1, v1._request_identity_sources = authorize_request, identity_sources


def _told(v1: Any, api_id: str, stage: str, *of: Any) -> Mapping[str, str]:
    """What ``context`` holds of one request that an authorizer may be asked by."""
    method, path, resource, headers, account_id = of
    address = v1._header_ci(headers, "x-forwarded-for") or "127.0.0.1"
    return {
        "accountId": account_id,
        "apiId": api_id,
        "httpMethod": method,
        "identity.sourceIp": address.split(",")[0].strip(),
        "identity.userAgent": v1._header_ci(headers, "user-agent"),
        "path": f"/{stage}{path}",
        "resourceId": resource["id"],
        "resourcePath": resource["path"],
        "stage": stage,
    }
