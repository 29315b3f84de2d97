"""Headers on their way through the proxy: what is dropped, added or translated."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from emulator.addresses import origin_of
from emulator.endpoint_key import HEADER as KEY_HEADER
from emulator.endpoint_key import PORT_INSIDE, headers_of
from emulator.faults.fault import FAULT_HEADER
from emulator.model import DriverName, Invocation
from emulator.proxy.request import Headers, Request
from emulator.proxy.resolve import ENVIRONMENT_HEADER, Destination

# RFC 9110, 7.6.1, and the headers of older practice that speak of one connection only.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Said anew for the way to the upstream: its host, the body's framing, and whom the proxy itself was spoken to by.
_OURS = frozenset({"host", "content-length", "expect", ENVIRONMENT_HEADER, KEY_HEADER.lower()})
_RELEASE_HEADER = "x-multistack-release"
# Asks emulators of ours which calls an answer is made of: emulator/drivers/launcher/functions/tracing.py and
# compose/localstack/plugin/multistack_localstack/tracing.py. Any other emulator would hand it to the function.
_TRACE_HEADER = "x-multistack-trace"
_INVOCATION_HEADER = "x-multistack-invocation"
_TRACING = frozenset({DriverName.EMBEDDED.value, DriverName.LOCALSTACK.value, DriverName.SWARM.value})
# Said of an answer by this proxy alone.
_OURS_TO_SAY = frozenset({ENVIRONMENT_HEADER, _RELEASE_HEADER, _INVOCATION_HEADER, FAULT_HEADER.lower()})
_ORIGIN = re.compile(r"(?:(?:https?):)?//([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def request_headers(request: Request, destination: Destination) -> list[tuple[str, str]]:
    """What the upstream gets: the client's headers, and where the request came from."""
    dropped = HOP_BY_HOP | _OURS | {_TRACE_HEADER} | _named_in_connection(request.headers)
    # MiniStack takes `Host: test.localhost` for an S3 bucket: the upstream is called by its own name.
    sent = [("Host", urlsplit(destination.url).netloc)]
    forwarded_for = [value for value in request.values("x-forwarded-for") if value]
    for name, value in request.headers:
        key = name.lower()
        if key not in dropped and not key.startswith("x-forwarded-"):
            sent.append((name, value))
    sent.append(("X-Forwarded-For", ", ".join([*forwarded_for, request.client])))
    sent.append(("X-Forwarded-Host", request.host or ""))
    sent.append(("X-Forwarded-Proto", request.scheme))
    sent += headers_of(destination.route.key).items()
    if destination.mount:
        sent.append(("X-Forwarded-Prefix", destination.mount))
    if request.is_traced and destination.route.driver in _TRACING:
        sent.append(("X-Multistack-Trace", "1"))
    return sent


def response_headers(headers: Headers, destination: Destination) -> list[tuple[str, str]]:
    """What the client gets: the upstream's headers in the client's own terms, and who answered."""
    dropped = HOP_BY_HOP | _named_in_connection(headers) | _OURS_TO_SAY
    sent = []
    for name, given in headers:
        key, value = name.lower(), given
        if key in dropped:
            continue
        if key in {"location", "content-location"}:
            value = rewrite_location(value, destination)
        elif key == "set-cookie":
            value = rewrite_cookie(value, destination)
        sent.append((name, value))
    sent.append(("X-Multistack-Environment", destination.route.environment))
    if destination.route.release:
        sent.append(("X-Multistack-Release", destination.route.release))
    return sent


def invocations_of(headers: Headers) -> tuple[Invocation, ...]:
    """The calls of functions that the emulator tells of; what it can't have written is passed over."""
    told = []
    for name, value in headers:
        if name.lower() == _INVOCATION_HEADER:
            function, _, rest = value.partition(";")
            request_id, _, milliseconds = rest.partition(";")
            if request_id:
                told.append(Invocation(function=function, request_id=request_id, seconds=_seconds(milliseconds)))
    return tuple(told)


def _seconds(milliseconds: str) -> float | None:
    return float(milliseconds) / 1000 if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", milliseconds) else None


def rewrite_location(value: str, destination: Destination) -> str:
    """
    A URL of the upstream as the client has to ask for it.

    URLs of other origins and relative paths stay; so does, without a mount, a path that is right as it is.
    """
    origin = _ORIGIN.fullmatch(value)
    if origin is None:
        return _place(value, destination, foreign=False) if value.startswith("/") else value
    if origin[1].lower() not in _origins(destination.url, destination.route.key):
        return value
    return _place(origin[2] if origin[2].startswith("/") else "/" + origin[2], destination, foreign=True)


def rewrite_cookie(value: str, destination: Destination) -> str:
    """A ``Set-Cookie`` whose path lies under the client's, and whose domain isn't the upstream's."""
    if value.startswith("__Host-"):
        return value  # browsers refuse such a cookie with any path but /
    kept = []
    for attribute in value.split(";"):
        name, _, content = (part.strip() for part in attribute.partition("="))
        if name.lower() == "domain" and content.lstrip(".").lower() == urlsplit(destination.url).hostname:
            continue
        if name.lower() == "path" and content.startswith("/"):
            kept.append(f" {name}={_place(content, destination, foreign=False)}")
        else:
            kept.append(attribute)
    return ";".join(kept)


def _named_in_connection(headers: Headers) -> frozenset[str]:
    return frozenset(
        option.strip().lower() for name, value in headers if name.lower() == "connection" for option in value.split(",")
    )


def _origins(url: str, key: str) -> set[str]:
    """Every way to write the upstream's host and port; one that asks for a *key* calls itself as its functions do."""
    origin = origin_of(url)
    names = set(_LOOPBACK) if origin.host in {"localhost", "127.0.0.1", "::1"} else {origin.name}
    named = {f"{name}:{origin.port}" for name in names}
    inside = {f"{name}:{PORT_INSIDE}" for name in _LOOPBACK} if key else set[str]()
    return inside | named | names if origin.has_default_port else inside | named


def _place(path: str, destination: Destination, *, foreign: bool) -> str:
    """
    An absolute path of the upstream, below the client's mount.

    Args:
        foreign: It came with the upstream's origin, so it is wrong for the client whatever it says.
    """
    for base, mount in _bases(destination):
        if (rest := _strip(path, base)) is not None:
            return _join(mount, rest)
    if not (destination.mount or foreign):
        return path
    # Behind API Gateway's own host name an API has to send clients to /<stage>/...
    rest = _strip(path, f"/{destination.api.stage}")
    return _join(destination.mount, path if rest is None else rest)


def _bases(destination: Destination) -> Iterable[tuple[str, str]]:
    """Where the upstream serves each API, and where the client finds it; the one that answered first."""
    root = urlsplit(destination.url).path.rstrip("/")
    yield root + destination.api.path, destination.mount
    for api in destination.route.apis:
        own = api.logical_id == destination.route.default_api
        yield root + api.path, destination.prefix if own else f"{destination.prefix}/_api/{api.logical_id}"


def _strip(path: str, base: str) -> str | None:
    rest = path.removeprefix(base)
    if not path.startswith(base) or rest[:1] not in {"", "/", "?", "#"}:
        return None
    return rest if rest.startswith("/") else "/" + rest


def _join(mount: str, rest: str) -> str:
    # `//host` would be another origin; `/.//host` is the same path and says so.
    return "/." + rest if not mount and rest.startswith("//") else mount + rest
