"""
While a test runs that uses environments, AWS calls to anywhere else end before they leave this process.

botocore has one place where all of its requests go out: those of clients that were made before, in other sessions or
for credentials too. A hook of its events would see only sessions made later, and only those requests that are signed.
What moto or a Stubber answers never gets there, and is no call to anywhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from typing import Any
from urllib.parse import urlsplit


class ForeignAwsCall(Exception):
    """Code called AWS, or another emulator, instead of an environment."""


class Guard:
    """
    Refuses requests of botocore to other hosts.

    Args:
        endpoints: URLs that may be called, asked for each request.
        allowed: Further hosts, e.g. ``localhost:8000`` or ``*.internal``.

    Attributes:
        refused: What was refused, a line each: also what the code under test caught.
    """

    def __init__(self, endpoints: Callable[[], Sequence[str]], allowed: Sequence[str] = ()) -> None:
        self._endpoints, self._allowed = endpoints, allowed
        self.refused: list[str] = []

    def check(self, method: str, url: str) -> None:
        """
        Raises:
            ForeignAwsCall: *url* is none that may be called.
        """
        host = urlsplit(url).netloc
        if host in {urlsplit(endpoint).netloc for endpoint in self._endpoints()}:
            return
        if any(fnmatch(host, pattern) for pattern in self._allowed):
            return
        told = f"AWS call left the environments: {method} {url.partition('?')[0]}"
        self.refused.append(told)
        raise ForeignAwsCall(told)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """For as long as every request of botocore is checked."""
        from botocore.httpsession import URLLib3Session

        send = URLLib3Session.send

        def checked(session: Any, request: Any) -> Any:
            self.check(request.method, request.url)
            return send(session, request)

        URLLib3Session.send = checked
        try:
            yield
        finally:
            URLLib3Session.send = send
