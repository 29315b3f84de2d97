"""Which environment and API a request means. Decided from the request and the routes alone."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emulator.model import Api, ProcessId, Route
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request

ENVIRONMENT_HEADER = "x-multistack-environment"
_API_MARK = "/_api/"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """
    Where a request goes.

    Attributes:
        url: The emulator's base URL.
        prefix: ``/<environment>`` when the path named it, else nothing.
        mount: What the client's path has in front of *target*: the prefix, and ``/_api/<LogicalId>`` if it named one.
        target: Raw path and query within the API, as sent.
    """

    route: Route
    url: str
    api: Api
    prefix: str
    mount: str
    target: str


def only_loopback(_address: str) -> bool:
    """The rule of a proxy that listens on loopback: it has no other address."""
    return False


def resolve(
    request: Request,
    routes: Mapping[str, Route] | None,
    *,
    is_alive: Callable[[ProcessId], bool],
    listens_on: Callable[[str], bool] = only_loopback,
) -> Destination | None:
    """
    The destination of a request, or None when it asks for one of the proxy's own pages.

    Args:
        routes: None when nothing was ever published.
        is_alive: Whether an emulator's process still runs; asked, so that a stranger on its port is never reached.
        listens_on: Whether the proxy was told to answer to a name, or to an IPv4 address, beyond loopback's.

    Raises:
        Problem: It names no environment that can answer; there is no fallback to another one.
    """
    named = _named_by_headers(request, listens_on)
    if not request.target.startswith("/"):
        raise Problem(400, "bad-target", "Bad request target", "a request target starts with a slash")
    if named is not None:
        name, prefix, target = named, "", request.target
    else:
        name, target = _named_by_path(request.target, routes or {})
        if not name or name.startswith("_"):
            if request.target.startswith("//"):
                raise unknown("", routes or {})
            return None
        prefix = f"/{name}"
    return lead_to(find_route(name, routes), prefix=prefix, target=target, is_alive=is_alive)


def lead_to(route: Route, *, prefix: str, target: str, is_alive: Callable[[ProcessId], bool]) -> Destination:
    """
    The destination in an environment.

    Raises:
        Problem: It can't answer, or has no such API.
    """
    url = check_started(route, is_alive)
    if not route.apis:
        raise _nothing_deployed(route.environment) if route.digest is None else _without_api(route.environment)
    api, mount, target = _find_api(route, prefix, target)
    return Destination(route=route, url=url, api=api, prefix=prefix, mount=mount, target=target)


def check_started(route: Route, is_alive: Callable[[ProcessId], bool]) -> str:
    """
    The URL of an environment's emulator.

    Raises:
        Problem: 503, it doesn't run.
    """
    if route.url is None:
        raise not_ready(route, f"environment {route.environment} is stopped", kind="stopped")
    check_alive(route, is_alive)
    return route.url


def check_alive(route: Route, is_alive: Callable[[ProcessId], bool]) -> None:
    """
    Look whether the emulator's very process still runs, and not a stranger on its port.

    Raises:
        Problem: 503, it is gone.
    """
    if route.process and not is_alive(route.process):
        detail = f"environment {route.environment} is down: its emulator (pid {route.process.pid}) is gone"
        raise not_ready(route, detail, kind="down")


def refuse_websockets(request: Request, route: Route) -> None:
    """
    Refuse what asks for a WebSocket.

    Raises:
        Problem: 501.
    """
    if any("websocket" in value.lower() for value in request.values("upgrade")):
        raise Problem(
            501,
            "no-websockets",
            "WebSockets not supported",
            "the proxy does not pass WebSockets on; connect to the environment's own endpoint instead",
            environment=route.environment,
            next_command="multistack status",
            extra={"endpoint": route.url},
        )


def _named_by_path(target: str, routes: Mapping[str, Route]) -> tuple[str, str]:
    """The environment that a path begins with, and the rest; names of the lab's have two segments."""
    name, rest = split_segment(target)
    if name not in routes and any(known.startswith(f"{name}/") for known in routes):
        second, further = split_segment(rest)
        if f"{name}/{second}" in routes:
            return f"{name}/{second}", further
    return name, rest


def split_segment(target: str) -> tuple[str, str]:
    """``/test/a?b`` as ``test`` and ``/a?b``; a target that ends with the segment goes on at ``/``."""
    end = next((at for at, sign in enumerate(target[1:], 1) if sign in "/?"), len(target))
    rest = target[end:]
    return target[1:end], rest if rest.startswith("/") else "/" + rest


@functools.lru_cache(maxsize=256)
def environment_of_host(host: str, listens_on: Callable[[str], bool] = only_loopback) -> str | None:
    """
    The environment that ``Host: <environment>.localhost`` names, in lower case; None for an address of the proxy.

    Domains of its own are as good as ``localhost``.

    Raises:
        Problem: Neither a loopback name nor an address or a domain that the proxy answers to. A web page whose name was
            made to resolve to 127.0.0.1 (DNS rebinding) sends its own name, and must not reach the environments.
    """
    match = _HOST.fullmatch(host)
    name = match[1].lower() if match else ""
    # No page has an address for its name, so none can have made it resolve to this machine.
    if name == "localhost" or _is_loopback(name) or listens_on(name):
        return None
    for domain in _domains_of(name):
        if domain == "localhost" or listens_on(domain):
            return name.removesuffix(f".{domain}")
    raise Problem(
        403,
        "foreign-host",
        "Host not allowed",
        f"Host {host!r} is not localhost, *.localhost, 127.0.0.0/8 or [::1], nor an address that `proxy.host` "
        "opens, or a name in `proxy.domains`",
    )


def _domains_of(name: str) -> list[str]:
    """Those that *name* is in, the nearest first; none for an address."""
    labels = name.split(".")
    if labels[-1].isdecimal() or not all(labels):
        return []
    return [".".join(labels[at:]) for at in range(1, len(labels))]


def not_ready(route: Route, detail: str, *, kind: str) -> Problem:
    """503: the environment's emulator isn't there."""
    return Problem(
        503,
        kind,
        "Environment not ready",
        detail,
        environment=route.environment,
        next_command=route.started_by or f"multistack up {route.environment}",
    )


def _is_loopback(name: str) -> bool:
    if name.startswith("["):
        return name == "[::1]"
    try:
        return ipaddress.IPv4Address(name).is_loopback
    except ValueError:
        return False


def _named_by_headers(request: Request, listens_on: Callable[[str], bool]) -> str | None:
    if request.host is None:
        raise Problem(403, "foreign-host", "Host not allowed", "the request has no Host header")
    names = request.values(ENVIRONMENT_HEADER)
    if (by_host := environment_of_host(request.host, listens_on)) is not None:
        names = [by_host, *names]
    if len({name.lower() for name in names}) > 1:
        raise Problem(
            400,
            "ambiguous-environment",
            "Ambiguous environment",
            f"the request names several environments: {', '.join(names)}",
            extra={"named": names},
        )
    return names[0] if names else None


def find_route(name: str, routes: Mapping[str, Route] | None) -> Route:
    """
    The route of environment *name*.

    Raises:
        Problem: 404, there is none. Or 503, nothing was ever published.
    """
    if routes is None:
        raise _nothing_deployed(name)
    # Host names know no case.
    found = routes.get(name) or next((route for key, route in routes.items() if key.lower() == name.lower()), None)
    if found is None:
        raise unknown(name, routes)
    return found


def unknown(name: str, routes: Mapping[str, Route]) -> Problem:
    """404: no environment has that name."""
    return Problem(
        404,
        "unknown-environment",
        "Unknown environment",
        f"no environment is called {name!r}; there are: {', '.join(routes) or 'none'}",
        environment=name,
        next_command="multistack status",
        extra={"environments": list(routes)},
    )


def _nothing_deployed(environment: str) -> Problem:
    return Problem(
        503,
        "nothing-deployed",
        "Nothing deployed",
        f"nothing is deployed to environment {environment}",
        environment=environment,
        next_command=f"multistack deploy {environment}",
    )


def _without_api(environment: str) -> Problem:
    return Problem(
        404,
        "no-api",
        "No API",
        f"the service in environment {environment} has no API",
        environment=environment,
        next_command=f"multistack invoke {environment}",
    )


def _find_api(route: Route, prefix: str, target: str) -> tuple[Api, str, str]:
    apis = {api.logical_id: api for api in route.apis}
    if target.startswith(_API_MARK):
        name, rest = split_segment(target[len(_API_MARK) - 1 :])
        if name in apis:
            return apis[name], f"{prefix}{_API_MARK}{name}", rest
        raise _no_api(
            route, f"environment {route.environment} has no API called {name!r}; there are: {', '.join(apis)}"
        )
    if route.default_api is None and len(apis) == 1:
        return next(iter(apis.values())), prefix, target
    if route.default_api in apis:
        return apis[route.default_api], prefix, target
    raise _no_api(
        route,
        f"the service has several APIs: {', '.join(apis)}; ask for {prefix}{_API_MARK}{next(iter(apis))}/, "
        f'or choose one with `api = "{next(iter(apis))}"` in multistack.toml',
    )


def _no_api(route: Route, detail: str) -> Problem:
    return Problem(
        404,
        "unknown-api",
        "Unknown API",
        detail,
        environment=route.environment,
        next_command="multistack status",
        extra={"apis": [api.logical_id for api in route.apis]},
    )
