"""
Gap: MiniStack 1.5.33 skips ``x-amazon-apigateway-any-method`` when it imports an API's ``Body``.

SAM writes every ``Method: ANY`` that way, so such an API would answer 403 to everything.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-any-method.html
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

_EXTENSION = "x-amazon-apigateway-any-method"


def apply() -> None:
    """Let the import see the extension as the method ``ANY``, which the rest of MiniStack knows."""
    from ministack.services import apigateway_v1

    imported = apigateway_v1._import_path_item

    @functools.wraps(imported)
    def import_path_item(api_id: str, path: str, path_item: Mapping[str, Any], *arguments: Any) -> None:
        renamed = {"any" if method == _EXTENSION else method: value for method, value in path_item.items()}
        imported(api_id, path, renamed, *arguments)

    apigateway_v1._import_path_item = import_path_item
    apigateway_v1._OPENAPI_HTTP_METHODS = {*apigateway_v1._OPENAPI_HTTP_METHODS, "any"}
