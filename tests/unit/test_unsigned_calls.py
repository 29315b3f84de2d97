"""The gap that ``emulator.drivers.launcher.gaps.unsigned_calls`` fills."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from ministack.services import apigateway as v2
from ministack.services import apigateway_v1 as v1

from emulator.drivers.launcher.gaps import unsigned_calls

_SIGNED = "AWS4-HMAC-SHA256 Credential=a/20261127/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=b"


def _rest(kind: str, authorization: str) -> Any:
    headers = {"Authorization": authorization} if authorization else {}
    call = ("api", "live", {"authorizationType": kind}, "GET", "/", {}, headers, b"", {}, {}, {}, "1", "us-east-1")
    return asyncio.run(v1._authorize_request_v1(*call))[0]


def _http(api_id: str, authorization: str) -> int:
    request = (api_id, "$default", "/", "GET", {"authorization": authorization}, b"", {}, "1", "us-east-1")
    status: int = asyncio.run(v2._handle_execute_in_scope(*request))[0]
    return status


@pytest.fixture
def api_id() -> str:
    """An HTTP API that IAM guards, whose route leads nowhere: whom it lets in gets 500."""
    found: str = json.loads(v2._create_api({"name": "api", "protocolType": "HTTP"})[2])["apiId"]
    v2._create_stage(found, {"stageName": "$default"})
    v2._create_route(found, {"routeKey": "GET /", "authorizationType": "AWS_IAM"})
    return found


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addition, for this test only."""
    monkeypatch.setattr(v1, "_authorize_request_v1", v1._authorize_request_v1)
    monkeypatch.setattr(v2, "_handle_execute_in_scope", v2._handle_execute_in_scope)
    unsigned_calls.apply()


def test_ministack_still_takes_any_header_for_a_signature(api_id: str) -> None:
    """When this fails, MiniStack looks at it itself: delete unsigned_calls.py and this file."""
    assert _rest("AWS_IAM", "Bearer a.b.c") is None
    assert _http(api_id, "Bearer a.b.c") == 500


@pytest.mark.usefixtures("filled")
def test_another_header_is_no_signature(api_id: str) -> None:
    """AWS says what it misses."""
    refused = _rest("AWS_IAM", "Bearer a.b.c")
    assert refused.error_type == "IncompleteSignatureException"
    assert "missing equal-sign" in refused.message
    assert _http(api_id, "Bearer a.b.c") == 403


@pytest.mark.usefixtures("filled")
def test_a_signature_comes_in_and_none_does_not(api_id: str) -> None:
    """Whether it is right is another question."""
    assert _rest("AWS_IAM", _SIGNED) is None
    assert _http(api_id, _SIGNED) == 500
    assert _rest("AWS_IAM", "").response_type == "MISSING_AUTHENTICATION_TOKEN"


@pytest.mark.usefixtures("filled")
def test_other_methods_take_the_header_as_their_own() -> None:
    """It may be a token."""
    assert _rest("NONE", "Bearer a.b.c") is None
