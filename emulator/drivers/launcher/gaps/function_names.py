"""
Gap: MiniStack 1.5.33 takes a function whose name begins with ``url`` for a function's URL, and doesn't find it.

It looks for ``/url`` anywhere in the path of a request, and so for ``/account-settings``.

Source:
    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
"""

from __future__ import annotations

import re
from typing import Any

_MISTAKEN = re.compile(r"(/[0-9-]+/functions/)((?:url|account-settings)[^/]*)(.*)")


def apply() -> None:
    """Name such a function by its ARN, in which nothing is mistaken."""
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import lambda_svc

    handle = lambda_svc.handle_request

    async def handle_request(method: str, path: str, *rest: Any) -> Any:
        if match := _MISTAKEN.fullmatch(path):
            before, name, after = match.groups()
            path = f"{before}arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}{after}"
        return await handle(method, path, *rest)

    lambda_svc.handle_request = handle_request
