"""Who may call a REST API by the ``security`` of its OpenAPI definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any

from emulator.http_api_security import AUTHORIZER, AUTHTYPE, OPEN, SIGNED

# The type of authentication of a single operation, an older way than a scheme.
AUTH = "x-amazon-apigateway-auth"

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method"}
_AUTHORIZERS = {"token", "request", "cognito_user_pools"}
# Schemes that say what a service asks for, and that API Gateway has nothing for.
_DESCRIBED = {"basic", "http", "oauth2", "openidconnect"}


class Guard(Enum):
    """What a scheme asks of a caller."""

    AUTHORIZER = auto()
    KEY = auto()
    SIGNATURE = auto()
    NOTHING = auto()
    UNKNOWN = auto()


def unguarded(body: Any) -> list[str]:
    """The schemes, each once, by which an operation of *body* asks to be guarded and can't be."""
    found = [name for guards in _operations(body) for name, guard in guards.items() if guard is Guard.UNKNOWN]
    return list(dict.fromkeys(found))


def described(body: Any) -> list[str]:
    """The schemes, each once, that are all an operation of *body* has, and that guard nothing."""
    alone = (guards for guards in _operations(body) if guards and set(guards.values()) == {Guard.NOTHING})
    return list(dict.fromkeys(name for guards in alone for name in guards))


def is_signed(body: Any) -> bool:
    """Whether an operation of *body* asks for a signature."""
    return any(Guard.SIGNATURE in guards.values() for guards in _operations(body))


def asks_who_calls(body: Any) -> bool:
    """Whether an operation of *body* asks for more than an API key."""
    kinds = {Guard.AUTHORIZER, Guard.SIGNATURE, Guard.UNKNOWN}
    return any(kinds & set(guards.values()) for guards in _operations(body))


def _operations(body: Any) -> Iterator[Mapping[str, Guard]]:
    """What each operation asks for: name of a scheme to what it is."""
    paths = body.get("paths") if isinstance(body, dict) else None
    for item in paths.values() if isinstance(paths, dict) else ():
        for method, operation in item.items() if isinstance(item, dict) else ():
            if method.lower() in _METHODS and isinstance(operation, dict) and not _is_unresolved(operation):
                yield dict(_asked(body, operation))


def _asked(body: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[tuple[str, Guard]]:
    """
    What calling *operation* takes.

    Source:
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-auth.html
    """
    own = operation.get(AUTH)
    if isinstance(own, dict) and (kind := str(own.get("type")).upper()) != "NONE":
        yield kind, Guard.SIGNATURE if kind == "AWS_IAM" else Guard.UNKNOWN
    wanted = operation.get("security", body.get("security")) or []
    if _is_unresolved(wanted):
        return
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        yield "security", Guard.UNKNOWN
        return
    schemes = _schemes(body)
    for name in (name for one in wanted if not _is_unresolved(one) for name in one):
        if name in schemes or name != OPEN:
            yield name, _guard(schemes.get(name))


def _guard(scheme: Any) -> Guard:
    """
    What one scheme is.

    Source:
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authorizer.html
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authtype.html
    """
    if not isinstance(scheme, dict):
        return Guard.UNKNOWN
    if _is_unresolved(scheme):
        return Guard.AUTHORIZER
    if (authorizer := scheme.get(AUTHORIZER)) is not None:
        kind = authorizer.get("type") if isinstance(authorizer, dict) else None
        return Guard.AUTHORIZER if str(kind).lower() in _AUTHORIZERS else Guard.UNKNOWN
    if (authtype := scheme.get(AUTHTYPE)) is not None:
        return Guard.SIGNATURE if str(authtype).lower() == SIGNED else Guard.UNKNOWN
    kind = str(scheme.get("type")).lower()
    if kind == "apikey" and str(scheme.get("name")).lower() == "x-api-key":
        return Guard.KEY
    return Guard.NOTHING if kind in _DESCRIBED else Guard.UNKNOWN


def _schemes(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name to scheme, from Swagger 2.0 or OpenAPI 3."""
    components = body.get("components")
    for found in (
        body.get("securityDefinitions"),
        components.get("securitySchemes") if isinstance(components, dict) else None,
    ):
        if isinstance(found, dict):
            return found
    return {}


def _is_unresolved(value: Any) -> bool:
    """Whether *value* is what a template's function makes of it, known only once it is deployed."""
    return isinstance(value, dict) and len(value) == 1 and all(key == "Ref" or key.startswith("Fn::") for key in value)
