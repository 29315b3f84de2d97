"""Who asked, and by what name and scheme, where a reverse proxy that is trusted stands in front of this one."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from emulator.proxy.request import HEADERS_KEY, VIA_KEY

_FOR = "x-forwarded-for"
# Whoever sends one of these passes on what others asked, trusted or not.
_SIGNS = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
_SCHEMES = frozenset({"http", "https"})

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forwarding:
    """
    Believes what trusted peers say about their clients, and nobody else.

    Args:
        trusted: Addresses and networks of reverse proxies.
        domains: Names that the proxy answers to, beside this machine's.
    """

    def __init__(self, trusted: Sequence[str] = (), domains: Sequence[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(one) for one in trusted]
        self._domains = tuple(f".{one}" for one in domains)

    def read(self, environ: dict[str, Any]) -> None:
        """
        Put the client, its scheme and the name it asked for into a WSGI environ, as its peer tells them.

        What was passed on, or asks by a domain, is never taken for this machine's own: a reverse proxy that isn't
        trusted because somebody forgot to say so lets nobody in without the password. One that neither tells of its
        clients nor passes their name on can't be told from this machine.
        """
        if not any(environ.get(sign) for sign in _SIGNS) and not self._is_by_domain(environ.get("HTTP_HOST", "")):
            return
        peer = environ[VIA_KEY] = environ.get("REMOTE_ADDR", "")
        if not self._trusts(peer):
            return
        environ["REMOTE_ADDR"], before = self._client(peer, _elements(environ.get("HTTP_X_FORWARDED_FOR", "")))
        if (headers := environ.get(HEADERS_KEY)) is not None:
            kept = [(name, value) for name, value in headers if name.lower() != _FOR]
            environ[HEADERS_KEY] = [*kept, ("X-Forwarded-For", before)] if before else kept
        if before:
            environ["HTTP_X_FORWARDED_FOR"] = before
        else:
            environ.pop("HTTP_X_FORWARDED_FOR", None)
        if (scheme := _last(environ, "HTTP_X_FORWARDED_PROTO").lower()) in _SCHEMES:
            environ["wsgi.url_scheme"] = scheme
        if host := _last(environ, "HTTP_X_FORWARDED_HOST"):
            environ["HTTP_HOST"] = host

    def _is_by_domain(self, host: str) -> bool:
        return bool(self._domains) and f".{host.partition(':')[0].lower()}".endswith(self._domains)

    def _client(self, peer: str, claimed: list[str]) -> tuple[str, str]:
        """The last address that no trusted one stands behind, and what it claims about those before it."""
        client = peer
        while claimed and self._trusts(client) and (address := _address(claimed[-1])) is not None:
            client = str(address)
            claimed.pop()
        return client, ", ".join(claimed)

    def _trusts(self, client: str) -> bool:
        address = _address(client)
        return address is not None and any(address in network for network in self._networks)


def _elements(value: str) -> list[str]:
    return [one.strip() for one in value.split(",") if one.strip()]


def _last(environ: dict[str, Any], key: str) -> str:
    """What the nearest peer said: it stands behind what others did."""
    return (_elements(environ.get(key, "")) or [""])[-1]


def _address(text: str) -> _Address | None:
    """An address as reverse proxies write it: some put brackets around it, and a port behind."""
    if "%" in text:
        return None  # of a machine's own network only
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
