"""The gap that ``emulator.drivers.launcher.gaps.context_identity`` fills."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ministack.services import apigateway_v1 as v1

from emulator.drivers.launcher.gaps import context_identity

_WANTED = "method.request.header.X-Token, context.identity.sourceIp,context.httpMethod"


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addition around an authorization that answers with the values of its identity sources."""

    async def authorize(*call: Any) -> Any:
        return v1._request_identity_sources(call[2]["wanted"], call[6], call[8], call[10])

    monkeypatch.setattr(v1, "_authorize_request_v1", authorize)
    monkeypatch.setattr(v1, "_request_identity_sources", v1._request_identity_sources)
    context_identity.apply()


def _values(wanted: str, *, kind: str = "CUSTOM", **headers: str) -> Any:
    method = {"authorizationType": kind, "wanted": wanted}
    resource = {"id": "r", "path": "/{id}"}
    call = ("api", "live", method, "GET", "/1", resource, headers, b"", {"q": ["2"]}, {"id": "1"}, {}, "1", "eu")
    return asyncio.run(v1._authorize_request_v1(*call))


def test_ministack_still_finds_nothing_in_the_context() -> None:
    """When this fails, MiniStack looks there itself: delete context_identity.py and this file."""
    assert v1._request_identity_sources(_WANTED, {"X-Token": "a"}, {}, {}) == (False, ["a", "", ""])


@pytest.mark.usefixtures("filled")
def test_the_context_is_an_identity_source() -> None:
    """Beside headers, parameters and stage variables, in the order in which they are named."""
    given = {"X-Token": "a", "X-Forwarded-For": "10.0.0.1, 10.0.0.2"}
    assert _values(_WANTED, **given) == (True, ["a", "10.0.0.1", "GET"])
    assert _values("context.path, method.request.querystring.q, context.resourcePath", **given) == (
        True,
        ["/live/1", "2", "/{id}"],
    )


@pytest.mark.usefixtures("filled")
def test_a_source_that_is_not_there_is_missed() -> None:
    """In the context as anywhere."""
    assert _values(_WANTED) == (False, ["", "127.0.0.1", "GET"])
    assert _values("context.nothing") == (False, [""])
    assert _values("") == (True, [])


@pytest.mark.usefixtures("filled")
def test_the_context_is_that_of_one_request() -> None:
    """Nothing is left for the next one."""
    _values(_WANTED)
    assert _values("context.httpMethod", kind="COGNITO_USER_POOLS") == (False, [""])
