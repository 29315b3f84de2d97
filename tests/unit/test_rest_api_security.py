"""By what the definition of a REST API is guarded, and what of it guards nothing."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.rest_api_security import described, is_signed, unguarded

_SCHEMES: dict[str, Any] = {
    "token": {"type": "apiKey", "x-amazon-apigateway-authorizer": {"type": "token"}},
    "request": {"type": "apiKey", "x-amazon-apigateway-authorizer": {"type": "REQUEST"}},
    "people": {"type": "apiKey", "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools"}},
    "jwt": {"type": "oauth2", "x-amazon-apigateway-authorizer": {"type": "jwt"}},
    "iam": {"type": "apiKey", "name": "Authorization", "x-amazon-apigateway-authtype": "awsSigv4"},
    "custom": {"type": "apiKey", "name": "Authorization", "x-amazon-apigateway-authtype": "custom"},
    "key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
    "other_key": {"type": "apiKey", "name": "Authorization", "in": "header"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "later": {"Fn::If": ["IsProd", {}, {}]},
}


def body(*security: Any, swagger: bool = True, **operation: Any) -> dict[str, Any]:
    """A definition of one operation that asks for *security*."""
    schemes = {"securityDefinitions": _SCHEMES} if swagger else {"components": {"securitySchemes": _SCHEMES}}
    return {**schemes, "paths": {"/": {"get": {"security": list(security), **operation}}}}


@pytest.mark.parametrize("swagger", [True, False], ids=["Swagger 2.0", "OpenAPI 3"])
@pytest.mark.parametrize(
    ("security", "names"),
    [
        ([{"token": []}], []),
        ([{"request": []}], []),
        ([{"people": ["a/b"]}], []),
        ([{"iam": []}], []),
        ([{"key": []}, {"token": []}], []),
        ([{"NONE": []}], []),
        ([{}], []),
        ([{"later": []}, {"Fn::If": ["IsProd", {"token": []}, {}]}], []),
        ([{"bearer": []}], []),
        ([{"jwt": []}], ["jwt"]),
        ([{"custom": []}], ["custom"]),
        ([{"other_key": []}], ["other_key"]),
        ([{"token": [], "gone": []}, {"Reference": []}], ["gone", "Reference"]),
        (["token"], ["security"]),
    ],
    ids=str,
)
def test_what_can_t_guard_is_named(security: list[Any], names: list[str], swagger: bool) -> None:
    """Each scheme once; what only the deployment will know is left to it."""
    assert unguarded(body(*security, swagger=swagger)) == names


def test_the_security_of_all_counts_where_an_operation_has_none() -> None:
    """And an empty one opens it."""
    whole = {"security": [{"gone": []}], "paths": {"/": {"x-amazon-apigateway-any-method": {}, "parameters": []}}}
    assert unguarded(whole) == ["gone"]
    assert unguarded({**whole, "paths": {"/": {"get": {"security": []}}}}) == []


def test_a_scheme_that_only_describes_is_told_where_nothing_else_guards() -> None:
    """Beside an authorizer it does no harm."""
    assert described(body({"bearer": []})) == ["bearer"]
    assert described(body({"bearer": []}, {"token": []})) == []
    assert described(body()) == []


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (body({"iam": []}), True),
        (body(**{"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}), True),
        (body(**{"x-amazon-apigateway-auth": {"type": "NONE"}}), False),
        (body({"token": []}), False),
    ],
    ids=["scheme", "operation", "open", "function"],
)
def test_an_operation_may_ask_for_a_signature(definition: dict[str, Any], expected: bool) -> None:
    """By a scheme, or by itself."""
    assert is_signed(definition) is expected
    assert unguarded(definition) == []


@pytest.mark.parametrize(
    "wrong", [None, [], {"paths": [1]}, {"paths": {"/": 3}}, {"paths": {"/": {"get": 3}}}], ids=str
)
def test_what_is_no_definition_says_nothing(wrong: Any) -> None:
    """Its shape is somebody else's refusal."""
    assert (unguarded(wrong), described(wrong), is_signed(wrong)) == ([], [], False)


def test_an_unknown_type_of_an_operation_s_own_is_named() -> None:
    """It would be open."""
    assert unguarded(body(**{"x-amazon-apigateway-auth": {"type": "new"}})) == ["NEW"]
