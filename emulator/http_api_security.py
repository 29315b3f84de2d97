"""Who may call an HTTP API by the ``security`` of its OpenAPI definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

AUTHORIZER = "x-amazon-apigateway-authorizer"
AUTHTYPE = "x-amazon-apigateway-authtype"
# The value of the latter, in lower case, of a scheme that asks for a signature.
SIGNED = "awssigv4"
# What SAM writes at a route that is open beside a default authorizer; no scheme of the definition has this name.
OPEN = "NONE"


class UnknownScheme(ValueError):
    """An operation is guarded by a scheme that guards nothing here: left out in silence, it would be open."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """
    What a route asks for.

    Attributes:
        type: ``NONE``, ``JWT``, ``AWS_IAM``, or ``CUSTOM``: a function decides.
        scheme: Its name in the definition.
    """

    type: str = "NONE"
    scheme: str = ""
    scopes: Sequence[str] = ()


def schemes(body: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Name to security scheme, as OpenAPI 3 has them; what is not of their shape is left out."""
    components = body.get("components")
    found = components.get("securitySchemes") if isinstance(components, dict) else None
    return {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}


def authorization(body: Mapping[str, Any], operation: Mapping[str, Any]) -> Authorization:
    """
    What calling *operation* takes: its own ``security``, else that of the whole *body*.

    Raises:
        UnknownScheme: By a scheme that is not there, is no authorizer, or with others.

    Source:
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authorizer.html
    """
    wanted = operation.get("security", body.get("security")) or []
    asked = [(name, scopes) for one in wanted for name, scopes in one.items() if name != OPEN or name in schemes(body)]
    if not asked:
        return Authorization()
    if len(asked) > 1:
        raise UnknownScheme(f"{' and '.join(name for name, _ in asked)} at once")
    ((name, scopes),) = asked
    scheme = schemes(body).get(name, {})
    authorizer = scheme.get(AUTHORIZER)
    kind = str(authorizer.get("type")).lower() if isinstance(authorizer, dict) else ""
    if kind == "jwt":
        return Authorization("JWT", name, scopes)
    if kind == "request":
        return Authorization("CUSTOM", name)
    if authorizer is None and str(scheme.get(AUTHTYPE)).lower() == SIGNED:
        return Authorization("AWS_IAM", name)
    raise UnknownScheme(name)


def unguarded(body: Any) -> Iterator[str]:
    """The schemes, each once, by which an operation of *body* asks to be guarded and can't be."""
    refused = (name for name in _authorizations(body) if isinstance(name, str))
    yield from dict.fromkeys(refused)


def is_signed(body: Any) -> bool:
    """Whether an operation of *body* asks for a signature."""
    return any(isinstance(found, Authorization) and found.type == "AWS_IAM" for found in _authorizations(body))


def _authorizations(body: Any) -> Iterator[Authorization | str]:
    """What each operation takes; of one that can't be guarded, by what it asks to be."""
    paths = body.get("paths") if isinstance(body, dict) else None
    for item in paths.values() if isinstance(paths, dict) else ():
        for operation in item.values() if isinstance(item, dict) else ():
            try:
                yield authorization(body, operation if isinstance(operation, dict) else {})
            except UnknownScheme as error:
                yield str(error)
            except (AttributeError, TypeError):
                yield "security"


def issuers(body: Any) -> Iterator[str]:
    """The issuers of tokens that are written out in *body*, without user pools, whose keys the emulator has."""
    for one in schemes(body).values() if isinstance(body, dict) else ():
        authorizer = one.get(AUTHORIZER)
        configuration = authorizer.get("jwtConfiguration") if isinstance(authorizer, dict) else None
        issuer = configuration.get("issuer") if isinstance(configuration, dict) else None
        if isinstance(issuer, str) and not issuer.startswith("https://cognito-idp."):
            yield issuer
