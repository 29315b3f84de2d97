"""Whether a request asks several environments at once, which ones, and whether it may."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emulator.model import Route
from emulator.proxy.origin import check_same_origin
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy.resolve import ENVIRONMENT_HEADER, environment_of_host, only_loopback, split_segment, unknown

ALL = "_all"
EVERY = "*"
# As a GET may carry them: an answer to HEAD could not tell what was found.
METHOD_HEADER = "x-multistack-method"
BASELINE_HEADER = "x-multistack-baseline"
WRITES_HEADER = "x-multistack-writes"
PROTECTED_HEADER = "x-multistack-protected"
ONCE_HEADER = "x-multistack-once"
# Of the proxy's own, not for environments.
OWN_HEADERS = frozenset(
    {ENVIRONMENT_HEADER, METHOD_HEADER, BASELINE_HEADER, WRITES_HEADER, PROTECTED_HEADER, ONCE_HEADER}
)
READING = frozenset({"GET", "HEAD"})
_METHODS = READING | {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_YES = "yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """
    One request for several environments.

    Attributes:
        environments: The baseline first, the others in promotion order.
        target: Raw path and query within each environment.
        asks_again: Whether environments that differ are asked a second time, to find what differs by itself.
    """

    method: str
    target: str
    environments: tuple[str, ...]
    asks_again: bool


def select(
    request: Request,
    routes: Mapping[str, Route] | None,
    *,
    listens_on: Callable[[str], bool] = only_loopback,
) -> Selection | None:
    """
    What *request* asks of several environments; None when it is for one, or for the proxy itself.

    Raises:
        Problem: It names what isn't there, would write without saying so, or comes from a foreign web page.
    """
    named = request.values(ENVIRONMENT_HEADER)
    is_list = len(named) == 1 and ("," in named[0] or named[0].strip() == EVERY)
    first, rest = split_segment(request.target) if request.target.startswith("/") else ("", "")
    if not is_list and (named or first != ALL):
        return None
    # Host: test.localhost has one environment only, whose paths are its own.
    if request.host is None or environment_of_host(request.host, listens_on) is not None:
        return None
    # Whatever they answer: a page of another origin makes no requests to all environments at once.
    check_same_origin(host=request.host, origins=request.values("origin"), sites=request.values("sec-fetch-site"))
    names = _names(named[0] if is_list else EVERY, _one(request, BASELINE_HEADER), routes or {})
    method = (_one(request, METHOD_HEADER) or request.method).upper()
    if method not in _METHODS:
        raise Problem(400, "bad-method", "Bad method", f"environments are not asked with {method!r}")
    _check_writes(request, method, [route for name, route in (routes or {}).items() if name in names])
    return Selection(
        method=method,
        target=rest if first == ALL else request.target,
        environments=names,
        asks_again=method in READING and not _says_yes(request, ONCE_HEADER),
    )


def _one(request: Request, name: str) -> str | None:
    values = {value.strip() for value in request.values(name)}
    if len(values) > 1:
        raise Problem(400, "ambiguous-header", "Ambiguous header", f"the request has several values of {name}")
    return next(iter(values), None)


def _says_yes(request: Request, name: str) -> bool:
    return [value.strip().lower() for value in request.values(name)] == [_YES]


def _names(given: str, baseline: str | None, routes: Mapping[str, Route]) -> tuple[str, ...]:
    wanted = list(routes) if given.strip() == EVERY else [name.strip() for name in given.split(",") if name.strip()]
    known = {name.lower(): name for name in routes}
    names = []
    for name in [*([baseline] if baseline else []), *wanted]:
        if name.lower() not in known:
            raise unknown(name, routes)
        names.append(known[name.lower()])
    found = dict.fromkeys(names)
    if not found and routes:
        raise Problem(400, "no-environment", "No environment named", f"{given!r} names no environment; * means all")
    if not found:
        raise Problem(
            503,
            "nothing-deployed",
            "Nothing deployed",
            "there are no environments to ask",
            next_command="multistack up",
        )
    order = list(routes)
    first = names[0] if baseline else min(found, key=order.index)
    return (first, *sorted(found.keys() - {first}, key=order.index))


def _check_writes(request: Request, method: str, routes: Sequence[Route]) -> None:
    if method in READING:
        return
    if not _says_yes(request, WRITES_HEADER):
        raise Problem(
            403,
            "writes",
            "Would write",
            f"{method} may change all of these environments; say so with the header X-Multistack-Writes: yes",
            next_command=f"multistack compare {method} … --writes",
        )
    protected = [route.environment for route in routes if route.protected]
    if protected and not _says_yes(request, PROTECTED_HEADER):
        raise Problem(
            403,
            "protected",
            "Would write into a protected environment",
            f"{method} may change {', '.join(protected)}, which is protected; "
            "say so with the header X-Multistack-Protected: yes",
            environment=protected[0],
            next_command=f"multistack compare {method} … --writes --protected",
            extra={"protected": protected},
        )
