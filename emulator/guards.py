"""What guards an API or a function's URL on AWS, and not here: told or refused, never left out in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emulator import rest_api_security
from emulator.http_api_security import is_signed, issuers, unguarded
from emulator.model import DriverName, Environment

_REST = "AWS::ApiGateway::RestApi"
_HTTP = "AWS::ApiGatewayV2::Api"
# A resource's type, its property that says how callers are checked, and what the emulator knows of that.
KINDS: Mapping[str, tuple[str, Sequence[str]]] = {
    "AWS::ApiGateway::Authorizer": ("Type", ("COGNITO_USER_POOLS", "REQUEST", "TOKEN")),
    "AWS::ApiGateway::Method": ("AuthorizationType", ("AWS_IAM", "COGNITO_USER_POOLS", "CUSTOM", "NONE")),
    "AWS::ApiGatewayV2::Authorizer": ("AuthorizerType", ("JWT", "REQUEST")),
    "AWS::ApiGatewayV2::Route": ("AuthorizationType", ("AWS_IAM", "CUSTOM", "JWT", "NONE")),
    "AWS::Lambda::Url": ("AuthType", ("AWS_IAM", "NONE")),
}
_A_FUNCTION = "a function as its authorizer"
_ENFORCE = "enforce_iam = true for the environment"

# What it can't do, what comes closest, and whether it can't be deployed at all.
Lack = tuple[str, str, bool]


def lacking(kind: str, properties: Mapping[str, Any], environment: Environment) -> Iterator[Lack]:
    """All that a resource of type *kind* asks of callers on AWS, and the emulator of *environment* does not."""
    of = _in_containers if environment.driver is DriverName.LOCALSTACK else _embedded
    yield from of(kind, properties, environment)


def _embedded(kind: str, properties: Mapping[str, Any], environment: Environment) -> Iterator[Lack]:
    name, known = KINDS.get(kind, ("", ()))
    asked, body = properties.get(name), _mapping(properties.get("Body"))
    if isinstance(asked, str) and known and asked not in known:
        yield f"the emulator can't guard anything by {name} {asked}", f"one of {', '.join(known)}", True
    if kind == _REST:
        yield from _of_rest_api(properties, body)
    if kind == _HTTP:
        for scheme in unguarded(body):
            yield f"the emulator can't guard it by {scheme}", "an authorizer of type jwt or request", True
    if not environment.enforce_iam:
        yield from _of_signatures(kind, asked == "AWS_IAM", body)
        yield from _of_policy(kind, properties, _ENFORCE)
    if kind == "AWS::ApiGatewayV2::Route" and str(properties.get("ApiKeyRequired")).lower() == "true":
        yield "no API key is asked for", _A_FUNCTION, False
    configuration = _mapping(properties.get("JwtConfiguration"))
    for issuer in issuers(body) if kind == _HTTP else (configuration.get("Issuer"),):
        if isinstance(issuer, str) and not issuer.startswith("https://cognito-idp."):
            lacks = (
                f"tokens are checked with the keys that {issuer} publishes: while that can't be reached, all get 401"
            )
            yield lacks, "an AWS::Cognito::UserPool as the issuer, which the emulator has", False


def _in_containers(kind: str, properties: Mapping[str, Any], _: Environment) -> Iterator[Lack]:
    """
    What LocalStack's open source leaves open: it asks for API keys and nothing else.

    Source:
        ``RestApiGateway`` in LocalStack 4.14 (localstack/services/apigateway/next_gen/execute_api/gateway.py).
    """
    asked = {"AWS::ApiGateway::Method": "AuthorizationType", "AWS::Lambda::Url": "AuthType"}.get(kind, "")
    in_body = kind == _REST and rest_api_security.asks_who_calls(properties.get("Body"))
    if in_body or properties.get(asked, "NONE") != "NONE":
        yield "nobody is asked who calls: in a container it is open", 'driver = "embedded"', False
    yield from _of_policy(kind, properties, f'driver = "embedded" and {_ENFORCE}')


def _of_rest_api(properties: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[Lack]:
    closest = "an authorizer of type token, request or cognito_user_pools"
    for scheme in rest_api_security.unguarded(body):
        yield f"the emulator can't guard it by {scheme}", closest, True
    for scheme in rest_api_security.described(body):
        yield f"{scheme} guards nothing: it has no x-amazon-apigateway-authorizer", closest, False
    if "AUTHORIZER" in (properties.get("ApiKeySourceType"), body.get("x-amazon-apigateway-api-key-source")):
        lacks = "API keys are taken from the header x-api-key, not from what its authorizer answers"
        yield lacks, "the header in requests to the emulator", False


def _of_signatures(kind: str, is_asked: bool, body: Mapping[str, Any]) -> Iterator[Lack]:
    in_body = (kind == _REST and rest_api_security.is_signed(body)) or (kind == _HTTP and is_signed(body))
    if is_asked or in_body:
        closest = _ENFORCE if kind == "AWS::Lambda::Url" else f"{_ENFORCE}, or {_A_FUNCTION}"
        yield "any signature is let in: it is asked for and not checked", closest, False


def _of_policy(kind: str, properties: Mapping[str, Any], closest: str) -> Iterator[Lack]:
    policy = properties.get("Policy") or _mapping(properties.get("Body")).get("x-amazon-apigateway-policy")
    if kind == _REST and policy and policy != {"Ref": "AWS::NoValue"}:
        yield "its resource policy refuses nobody", closest, False


def _mapping(value: Any) -> Mapping[str, Any]:
    """*value*, or nothing where it is of another shape, which is somebody else's refusal."""
    return value if isinstance(value, dict) else {}
