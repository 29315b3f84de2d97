"""Whether a browser's request was made by a page of another origin."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from emulator.proxy.problems import Problem

# What browsers say of a request that a page of this very origin made, or a person by typing an address.
_OWN_SITES = frozenset({"same-origin", "none"})


def check_same_origin(*, host: str | None, origins: Iterable[str], sites: Iterable[str]) -> None:
    """
    Refuse what a page of another origin asks for.

    Programs send neither header. A service's own page under ``/<environment>/`` has this origin too, and passes.

    Args:
        host: The request's ``Host``.
        origins: Its values of ``Origin``.
        sites: Its values of ``Sec-Fetch-Site``.

    Raises:
        Problem: 403.
    """
    for origin in origins:
        if urlsplit(origin).netloc.lower() != (host or "").lower():
            raise _foreign(f"the request comes from {origin}, and this is {host}")
    if any(site.strip().lower() not in _OWN_SITES for site in sites):
        raise _foreign("the browser says that another site's page made the request")


def _foreign(detail: str) -> Problem:
    return Problem(403, "foreign-origin", "Request of another site", detail)
