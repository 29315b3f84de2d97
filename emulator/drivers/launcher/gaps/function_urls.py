"""
Gap: MiniStack 1.5.33 knows URLs of functions by their random ids only.

Outside, only the stack's resources are known, which name the function. So ``/_aws/lambda-url/<function>/`` leads to it
as well.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Look for the function if there is no such id."""
    from ministack.services import lambda_svc

    resolve = lambda_svc.resolve_function_url

    def resolve_function_url(url_id: str) -> Any:
        found = resolve(url_id)
        if found is not None:
            return found
        for (account_id, region, key), config in lambda_svc._function_urls.all_items():
            if key == url_id:
                name, _, qualifier = key.partition(":")
                return account_id, region, name, (qualifier or None), config
        return None

    lambda_svc.resolve_function_url = resolve_function_url
