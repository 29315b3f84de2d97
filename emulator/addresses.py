"""Where an address leads: to this machine, to its private networks, to somewhere else, or to Amazon."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

Resolve = Callable[[str], Sequence[str]]
# Every public AWS endpoint is in one of these. Source: AWS General Reference, "AWS service endpoints".
_AMAZON = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "aws", "awsapprunner.com", "cloudfront.net")


def resolve(host: str) -> list[str]:
    """
    The IP addresses of *host*.

    Raises:
        OSError: It has none.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return sorted({str(address[4][0]).partition("%")[0] for address in found})


def host_of(url: str) -> str:
    """The host of *url*, lower case and without a dot at its end; empty when it has none."""
    try:
        return (urlsplit(url).hostname or "").encode("idna").decode().rstrip(".")
    except UnicodeError:
        return ""


def refuse_amazon(url: str) -> str:
    """What is wrong with *url* if it leads to AWS, else nothing."""
    host = host_of(url)
    if any(host == name or host.endswith(f".{name}") for name in _AMAZON):
        return f"{host} is AWS: multistack never talks to it"
    return ""


def is_loopback(host: str, *, resolve: Resolve = resolve) -> bool:
    """Whether *host* is this machine, by each of its addresses."""
    return _all(host, resolve, lambda address: address.is_loopback)


def is_private(host: str, *, resolve: Resolve = resolve) -> bool:
    """
    Whether *host* is this machine or in a private network, by each of its addresses.

    Link-local ones are not: at 169.254.169.254 clouds give away credentials.
    """
    return _all(host, resolve, lambda address: address.is_private and not address.is_link_local)


def _all(
    host: str, resolve: Resolve, condition: Callable[[ipaddress.IPv4Address | ipaddress.IPv6Address], bool]
) -> bool:
    try:
        addresses = [ipaddress.ip_address(address) for address in resolve(host)]
    except (OSError, ValueError, UnicodeError):
        return False
    return bool(addresses) and all(condition(address) for address in addresses)
