"""The gap that ``emulator.drivers.launcher.gaps.function_names`` fills."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ministack.services import lambda_svc

from emulator.drivers.launcher.gaps import function_names


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("url-shop/configuration", "arn:aws:lambda:{}:function:url-shop/configuration", id="name"),
        pytest.param("urls", "arn:aws:lambda:{}:function:urls", id="a whole name"),
        pytest.param("account-settings/code", "arn:aws:lambda:{}:function:account-settings/code", id="another"),
        pytest.param("shop-url/url", "shop-url/url", id="the URL of one"),
        pytest.param("arn:aws:lambda:a:1:function:url-shop/url", "arn:aws:lambda:a:1:function:url-shop/url", id="ARN"),
    ],
)
def test_a_function_is_found_whatever_its_name_begins_with(
    monkeypatch: pytest.MonkeyPatch, path: str, expected: str
) -> None:
    """By its ARN, in which MiniStack mistakes nothing."""
    from ministack.core.responses import get_account_id, get_region

    asked = []

    async def handle_request(method: str, path: str, *_: Any) -> int:
        asked.append((method, path))
        return 200

    monkeypatch.setattr(lambda_svc, "handle_request", handle_request)
    function_names.apply()
    asyncio.run(lambda_svc.handle_request("GET", f"/2015-03-31/functions/{path}", {}, b"", {}))
    assert asked == [("GET", f"/2015-03-31/functions/{expected.format(f'{get_region()}:{get_account_id()}')}")]
