"""The gap that ``emulator.drivers.launcher.gaps.policy_of_guarded`` fills."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ministack import app
from ministack.services import apigateway_v1 as v1

from emulator.drivers.launcher.gaps import policy_of_guarded

_AUTHORIZERS = ["CUSTOM", "COGNITO_USER_POOLS"]


def _policy(effect: str, resource: str = "execute-api:/*") -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": resource}]}


@pytest.fixture
def authorized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every authorizer lets everybody in; IAM is enforced."""

    async def authorize(*_: Any) -> tuple[None, dict[str, str]]:
        return None, {"who": "ann"}

    monkeypatch.setattr(app, "AUTH", True)
    monkeypatch.setattr(v1, "_authorize_request_v1", authorize)
    policy_of_guarded.apply()


def _ask(kind: str, policy: dict[str, Any] | None) -> Any:
    """What a call gets of an API with *policy*."""
    api_id = v1._import_rest_api({"paths": {}}, {"policy": policy} if policy else {})
    call = (api_id, "live", {"authorizationType": kind}, "GET", "/", {}, {}, b"", {}, {}, {}, "000000000000")
    return asyncio.run(v1._authorize_request_v1(*call, "us-east-1"))


def test_ministack_still_asks_the_policy_of_open_methods_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, MiniStack asks it itself: delete policy_of_guarded.py and this file."""
    monkeypatch.setattr(app, "AUTH", True)
    error, _ = _ask("CUSTOM", _policy("Deny"))
    assert error.response_type == "AUTHORIZER_CONFIGURATION_ERROR"


@pytest.mark.usefixtures("authorized")
@pytest.mark.parametrize("kind", _AUTHORIZERS)
def test_what_the_policy_denies_is_denied(kind: str) -> None:
    """Whatever an authorizer says."""
    error, context = _ask(kind, _policy("Deny"))
    assert (error.response_type, context) == ("ACCESS_DENIED", None)


@pytest.mark.usefixtures("authorized")
@pytest.mark.parametrize("kind", _AUTHORIZERS)
@pytest.mark.parametrize("policy", [None, _policy("Allow")], ids=["none", "allows"])
def test_what_the_policy_does_not_hinder_is_up_to_the_authorizer(kind: str, policy: dict[str, Any] | None) -> None:
    """It lets in here."""
    assert _ask(kind, policy) == (None, {"who": "ann"})


@pytest.mark.usefixtures("authorized")
def test_a_policy_has_to_allow_what_a_user_pool_guards() -> None:
    """A function's answer counts as much as the policy; a token does not."""
    elsewhere = _policy("Allow", "execute-api:/other/*")
    assert _ask("CUSTOM", elsewhere) == (None, {"who": "ann"})
    assert _ask("COGNITO_USER_POOLS", elsewhere)[0].response_type == "ACCESS_DENIED"


@pytest.mark.usefixtures("authorized")
def test_nothing_is_denied_where_iam_is_not_enforced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is told with the deployment."""
    monkeypatch.setattr(app, "AUTH", False)
    assert _ask("CUSTOM", _policy("Deny")) == (None, {"who": "ann"})
