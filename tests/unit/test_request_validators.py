"""The gap that ``emulator.drivers.launcher.gaps.request_validators`` fills."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.services import apigateway_v1 as v1
from ministack.services.cloudformation import provisioners

from emulator.drivers.launcher.gaps import request_validators

_HANDLERS = provisioners._RESOURCE_HANDLERS
_VALIDATOR, _METHOD = _HANDLERS["AWS::ApiGateway::RequestValidator"], _HANDLERS["AWS::ApiGateway::Method"]


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addition, for this test only."""
    for handlers in (_VALIDATOR, _METHOD):
        for name in ("create", "update", "delete"):
            monkeypatch.setitem(handlers, name, handlers[name])
    request_validators.apply()


def _method(api_id: str, validator: str) -> tuple[dict[str, Any], dict[str, Any]]:
    (resource,) = v1._resources[api_id]
    properties = {"RestApiId": api_id, "ResourceId": resource, "HttpMethod": "GET", "RequestValidatorId": validator}
    _METHOD["create"]("Get", properties, "stack")
    return properties, v1._resources[api_id][resource]["resourceMethods"]


def test_ministack_still_makes_no_validator_of_a_template(api_id: str) -> None:
    """When this fails, MiniStack makes it itself: delete request_validators.py and this file."""
    made, _ = _VALIDATOR["create"]("Validator", {"RestApiId": api_id, "ValidateRequestBody": True}, "stack")
    assert v1._request_validators.get(api_id, {}) == {}
    assert _method(api_id, made)[1]["GET"]["requestValidatorId"] is None


@pytest.mark.usefixtures("filled")
def test_a_validator_is_made_changed_and_deleted(api_id: str) -> None:
    """Flags may be texts; a changed flag keeps the id, a changed name makes another validator."""
    old = {"RestApiId": api_id, "Name": "all", "ValidateRequestBody": "true"}
    new = {"RestApiId": api_id, "Name": "all", "ValidateRequestParameters": True}
    made, _ = _VALIDATOR["create"]("Validator", old, "stack")
    assert v1._request_validators[api_id][made]["validateRequestBody"] is True
    assert _VALIDATOR["update"](made, old, new, "stack")[0] == made
    record = v1._request_validators[api_id][made]
    assert (record["validateRequestBody"], record["validateRequestParameters"]) == (False, True)
    other, _ = _VALIDATOR["update"](made, new, {**new, "Name": "other"}, "stack")
    assert list(v1._request_validators[api_id]) == [other] != [made]
    _VALIDATOR["delete"](other, new)
    assert v1._request_validators[api_id] == {}


@pytest.mark.usefixtures("filled")
def test_a_method_keeps_its_validator_through_an_update(api_id: str) -> None:
    """And has none when the template names none any more."""
    properties, methods = _method(api_id, "abc")
    assert methods["GET"]["requestValidatorId"] == "abc"
    _METHOD["update"]("Get", properties, {**properties, "RequestValidatorId": "def"}, "stack")
    assert methods["GET"]["requestValidatorId"] == "def"
    _METHOD["update"]("Get", properties, {**properties, "RequestValidatorId": None}, "stack")
    assert methods["GET"]["requestValidatorId"] is None
