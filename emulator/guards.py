"""What guards an API or a function's URL on AWS, and not here: told or refused, never left out in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emulator import rest_api_security
from emulator.http_api_security import is_signed, issuers, unguarded
from emulator.model import Environment

_REST = "AWS::ApiGateway::RestApi"
_HTTP = "AWS::ApiGatewayV2::Api"
# A resource's type, its property that says how callers are checked, and what the emulator knows of that.
_KINDS: Mapping[str, tuple[str, Sequence[str]]] = {
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
    """All that a resource of type *kind* asks of callers and that the embedded emulator of *environment* does not."""
    name, known = _KINDS.get(kind, ("", ()))
    asked = properties.get(name)
    if isinstance(asked, str) and known and asked not in known:
        yield f"the emulator can't guard anything by {name} {asked}", f"one of {', '.join(known)}", True
    body = properties.get("Body")
    if kind in (_REST, _HTTP):
        yield from _of_definition(kind, body if isinstance(body, dict) else {})
    if kind == _REST:
        yield from _of_rest_api(properties, body if isinstance(body, dict) else {}, environment)
    is_body_signed = (kind == _REST and rest_api_security.is_signed(body)) or (kind == _HTTP and is_signed(body))
    if (asked == "AWS_IAM" or is_body_signed) and not environment.enforce_iam:
        closest = _ENFORCE if kind == "AWS::Lambda::Url" else f"{_ENFORCE}, or {_A_FUNCTION}"
        yield "any signature is let in: it is asked for and not checked", closest, False
    if kind == "AWS::ApiGatewayV2::Route" and str(properties.get("ApiKeyRequired")).lower() == "true":
        yield "no API key is asked for", _A_FUNCTION, False
    configuration = properties.get("JwtConfiguration")
    issuer = configuration.get("Issuer") if isinstance(configuration, dict) else None
    if kind == "AWS::ApiGatewayV2::Authorizer" and isinstance(issuer, str):
        yield from _of_issuer(issuer)


def _of_definition(kind: str, body: Mapping[str, Any]) -> Iterator[Lack]:
    """What its OpenAPI definition asks for."""
    is_rest = kind == _REST
    closest = f"an authorizer of type {'token, request or cognito_user_pools' if is_rest else 'jwt or request'}"
    for scheme in (rest_api_security.unguarded if is_rest else unguarded)(body):
        yield f"the emulator can't guard it by {scheme}", closest, True
    for scheme in rest_api_security.described(body) if is_rest else ():
        yield f"{scheme} guards nothing: it has no x-amazon-apigateway-authorizer", closest, False
    for issuer in () if is_rest else issuers(body):
        yield from _of_issuer(issuer)


def _of_rest_api(properties: Mapping[str, Any], body: Mapping[str, Any], environment: Environment) -> Iterator[Lack]:
    policy = properties.get("Policy") or body.get("x-amazon-apigateway-policy")
    if policy and not environment.enforce_iam:
        yield "its resource policy refuses nobody", _ENFORCE, False
    if "AUTHORIZER" in (properties.get("ApiKeySourceType"), body.get("x-amazon-apigateway-api-key-source")):
        lacks = "API keys are taken from the header x-api-key, not from what its authorizer answers"
        yield lacks, "the header in requests to the emulator", False


def _of_issuer(issuer: str) -> Iterator[Lack]:
    if not issuer.startswith("https://cognito-idp."):
        lacks = f"tokens are checked with the keys that {issuer} publishes: while that can't be reached, all get 401"
        yield lacks, "an AWS::Cognito::UserPool as the issuer, which the emulator has", False
