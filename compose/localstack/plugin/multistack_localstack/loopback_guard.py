"""
Web pages must not reach the emulator.

LocalStack asks nobody for a password. It refuses pages of other origins, but answers whatever ``Host`` a request names,
so a page whose own name was made to resolve to 127.0.0.1 (DNS rebinding) is of no other origin: it could read secrets,
or create and call a function. Behind the guard each request from outside names this machine, this container or an
address that no page can have, and none comes from a foreign page.

Source:
    https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
"""

from __future__ import annotations

import ipaddress
import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Further names, separated by commas; ``.example.internal`` means the names below that one, too.
VARIABLE = "MULTISTACK_ALLOWED_HOSTS"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_PAGE = re.compile(r"https?://([^/?#@\s]+)(?:[/?#].*)?", re.IGNORECASE)
# Only what LocalStack serves as a call of a deployed API; any other path may mean an AWS service to it.
_API = re.compile(r"/_aws/execute-api/[^/]+/[^/]")
_IPV4_LABELS = 4
# Nobody can have a name below these in public.
_OWN = (".localhost", ".localhost.localstack.cloud", ".internal")
_CACHED = 256
_log = logging.getLogger("multistack.guard")


@dataclass(frozen=True, slots=True)
class Hosts:
    """
    Which hosts a request may name.

    Attributes:
        names: In lower case; one with a dot before it stands for all below it, too.
    """

    names: frozenset[str] = frozenset()
    _known: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def allowed(cls, variables: Mapping[str, str], *own: str) -> Hosts:
        """The names in :data:`VARIABLE`, and *own* names of this container with all below them."""
        listed = (name.strip().lower() for name in variables.get(VARIABLE, "").split(","))
        return cls(frozenset(name for name in [*listed, *(f".{name.lower()}" for name in own)] if name.strip(".")))

    def has(self, host: str) -> bool:
        """Whether ``Host: <host>`` is one of them, or one that no page can have."""
        if host not in self._known:
            if len(self._known) >= _CACHED:
                self._known.clear()
            self._known[host] = self._has(host)
        return self._known[host]

    def has_page(self, url: str) -> bool:
        """Whether an ``Origin`` or ``Referer`` is a page of one of them; ``null`` is nobody's."""
        match = _PAGE.fullmatch(url)
        return match is not None and self.has(match[1])

    def _has(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].lower()
        if name.startswith("["):
            return _is_private(name[1:-1])
        name = name.removesuffix(".")
        if "." not in name:  # a name in a Docker network, such as that of a Compose service: no public name is so short
            return True
        return name.endswith(_OWN) or self._lists(name) or _is_private(".".join(name.split(".")[-_IPV4_LABELS:]))

    def _lists(self, name: str) -> bool:
        labels = name.split(".")
        below = (f".{'.'.join(labels[start:])}" for start in range(len(labels)))
        return name in self.names or any(each in self.names for each in below)


def _is_private(address: str) -> bool:
    """Whether *address* is one that only this machine or its neighbours have."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.is_loopback or (parsed.is_private and not parsed.is_unspecified)


def refusal(hosts: Hosts, path: str, headers: Iterable[tuple[str, str]]) -> str | None:
    """
    Why a request may not reach the emulator, or None.

    Below ``/_aws/execute-api/`` any page may call: whom an API under development answers is its own business.
    """
    named: dict[str, list[str]] = {"host": [], "origin": [], "referer": [], "sec-fetch-site": []}
    for name, value in headers:
        values = named.get(name.lower())
        if values is not None:
            values.append(value)
    if not named["host"] or not all(map(hosts.has, named["host"])):
        return f"the Host header is no name of this emulator; {VARIABLE} lists further ones"
    if _API.match(path):
        return None
    if not all(map(hosts.has_page, named["origin"])):
        return "the Origin header is no page of this machine: a web page may not call this emulator"
    # A plain link or image has no Origin; a page can hide its Referer, but not that it is another site.
    is_own = named["referer"] and all(map(hosts.has_page, named["referer"]))
    if "cross-site" in named["sec-fetch-site"] and not named["origin"] and not is_own:
        return "another site's page asks: a web page may not call this emulator"
    return None


class Guard:
    """
    The first request handler in LocalStack's chain.

    Args:
        outside: The class of contexts of requests that came over the network.
    """

    def __init__(self, hosts: Hosts, outside: type) -> None:
        self._hosts, self._outside = hosts, outside

    def __call__(self, chain: Any, context: Any, _response: Any) -> None:
        if not isinstance(context, self._outside):
            return  # LocalStack's own
        request: Any = context.request  # type: ignore[attr-defined]
        reason = refusal(self._hosts, request.path, request.headers)
        if reason is not None:
            _log.warning("refused %s %s: %s", request.method, request.path, reason)
            chain.respond(403, json.dumps({"message": reason}), {"Content-Type": "application/json"})
            chain.terminate()  # no header may let the page read this
