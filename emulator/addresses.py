"""Where an address leads: to this machine, to its private networks, to somewhere else, or to Amazon."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Resolve = Callable[[str], Sequence[str]]
_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
# Every public AWS endpoint is in one of these. Source: AWS General Reference, "AWS service endpoints".
_AMAZON = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "aws", "awsapprunner.com", "cloudfront.net")
# Where machines and containers of AWS ask for their credentials; other clouds took the first one over. The last two
# look private. Source: Amazon EC2 User Guide, "Access instance metadata"; Amazon ECS and EKS, credentials endpoints.
_CREDENTIALS = frozenset({"169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"})
_NEVER = "multistack never talks to it"
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_.])?")


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Where a server is: what of a URL stands before its path.

    Attributes:
        scheme: ``http`` or ``https``.
        host: Name or address, lower case, an IPv6 address without its brackets.
    """

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def has_default_port(self) -> bool:
        """Whether a URL need not name the port."""
        return _PORTS[self.scheme] == self.port


def origin_of(url: str) -> Origin:
    """
    The origin of *url*, its port named or not.

    Raises:
        ValueError: It is no URL of a web server.
    """
    parts = urlsplit(url)
    host = host_of(url)
    # A zone such as %eth0 means something to one machine only.
    if parts.scheme not in _PORTS or not host or "%" in host or parts.port == 0:
        raise ValueError(f"no URL of a web server: {url}")
    if ":" in host:
        ipaddress.IPv6Address(host)
    elif not _HOST.fullmatch(host):
        raise ValueError(f"no host name: {host}")
    return Origin(parts.scheme, host, parts.port or _PORTS[parts.scheme])


def normal_url(url: str) -> str:
    """
    *url*, which has no path, as ``http://host:port`` in lower case; the port only where it was named.

    Raises:
        ValueError: It is no URL of a web server, or has more than an origin.
    """
    parts = urlsplit(url)
    if parts.path not in ("", "/") or "?" in url or "#" in url or "@" in url:
        raise ValueError(f"not only an origin: {url}")
    origin = origin_of(url)
    return f"{origin.scheme}://{origin.name}" + ("" if parts.port is None else f":{origin.port}")


def resolve(host: str) -> list[str]:
    """
    The IP addresses of *host*.

    Raises:
        OSError: It has none.
    """
    return _look_up(host)[0]


def names_of(host: str) -> list[str]:
    """
    The names that *host* is only another one for, as far as the system tells.

    Raises:
        OSError: It has no address.
    """
    return _look_up(host)[1]


def _look_up(host: str) -> tuple[list[str], list[str]]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except UnicodeError as error:
        raise OSError(f"no host name: {host}") from error
    addresses = {str(address[4][0]).partition("%")[0] for address in found}
    return sorted(addresses), sorted({name.lower().rstrip(".") for _, _, _, name, _ in found if name})


def host_of(url: str) -> str:
    """The host of *url*, lower case and without a dot at its end; empty when it has none."""
    try:
        return (urlsplit(url).hostname or "").encode("idna").decode().rstrip(".").lower()
    except ValueError:
        return ""


def refuse_amazon(url: str) -> str:
    """What is wrong with *url* if it leads to AWS, else nothing."""
    host = host_of(url)
    problem = _amazon(host)
    return f"{host} is {problem}: {_NEVER}" if problem else ""


def _amazon(host: str) -> str:
    """What of AWS *host* is, or nothing."""
    if any(host == name or host.endswith(f".{name}") for name in _AMAZON):
        return "AWS"
    if host in _CREDENTIALS:
        return "where clouds give away credentials"
    return ""


def refuse_foreign(url: str, *, allow_remote: bool, resolve: Resolve = resolve, names_of: Resolve = names_of) -> str:
    """
    What is wrong with *url* as that of an emulator, else nothing.

    It may be on this machine or in a private network, by each of its addresses, elsewhere only with *allow_remote*;
    AWS never, under no other name either.

    Raises:
        OSError: Its host has no address now.
    """
    host = host_of(url)
    if problem := refuse_amazon(url):
        return problem
    addresses = [str(_plain(address)) for address in resolve(host)]
    for other in (*names_of(host), *addresses):
        if problem := _amazon(other):
            return f"{host} leads to {other}, which is {problem}: {_NEVER}"
    if not allow_remote and (foreign := [address for address in addresses if not _is_near(_plain(address))]):
        where = "" if foreign[0] == host else f" ({foreign[0]})"
        return f"{host}{where} is neither on this machine nor in a private network"
    return ""


def is_loopback(host: str, *, resolve: Resolve = resolve) -> bool:
    """Whether *host* is this machine, by each of its addresses."""
    return _all(host, resolve, lambda address: address.is_loopback)


def is_private(host: str, *, resolve: Resolve = resolve) -> bool:
    """
    Whether *host* is this machine or in a private network, by each of its addresses.

    Link-local ones are not: at 169.254.169.254 clouds give away credentials.
    """
    return _all(host, resolve, _is_near)


def _is_near(address: _IpAddress) -> bool:
    return address.is_private and not address.is_link_local and str(address) not in _CREDENTIALS


def _plain(address: str) -> _IpAddress:
    """*address*; one of IPv4 that is written as IPv6 leads where the former does, so it is judged as such."""
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _all(host: str, resolve: Resolve, condition: Callable[[_IpAddress], bool]) -> bool:
    try:
        addresses = [_plain(address) for address in resolve(host)]
    except (OSError, ValueError):
        return False
    return bool(addresses) and all(condition(address) for address in addresses)
