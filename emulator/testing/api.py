"""A small HTTP client for one environment's API: no redirects followed, no errors raised, every answer as it came."""

from __future__ import annotations

import http.client
import json as json_
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

# What may stand in a path and query as it is; anything else is %-encoded.
_SAFE = "%/:@!$&'()*+,;=~-._?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    An HTTP answer, whatever its status.

    Attributes:
        headers: Asked by name in any case: ``answer.headers["content-type"]``; ``get_all`` gives repeated ones.
    """

    status: int
    headers: Message = field(repr=False)
    content: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON."""
        return json_.loads(self.content)


class ApiClient:
    """
    Requests to the API of one environment, through the proxy.

    Args:
        url: Of the environment, e.g. ``http://127.0.0.1:8080/test/``; asked each time.
        headers: Sent with every request, asked each time.
    """

    def __init__(self, url: Callable[[], str], headers: Callable[[], Mapping[str, str]]) -> None:
        self._url, self._headers = url, headers

    @property
    def url(self) -> str:
        """The base of all paths."""
        return self._url()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        json: object = None,
        data: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> Answer:
        """
        One request; its answer as it came.

        Args:
            path: Below the environment's URL; encoded where it is not.
            params: Appended as the query.
            json: Sent as the body, with its content type.
            data: Sent as the body as it is.
            timeout: Seconds.

        Raises:
            OSError: There is no answer.
        """
        base = urlsplit(self.url)
        target = base.path + quote(path.lstrip("/"), safe=_SAFE)
        if params:
            target += ("&" if "?" in target else "?") + urlencode(params, doseq=True)
        body = data.encode() if isinstance(data, str) else data
        sent = {**self._headers(), **(headers or {})}
        if json is not None:
            body = json_.dumps(json).encode()
            sent = {"Content-Type": "application/json", **sent}
        connection = http.client.HTTPConnection(base.hostname or "", base.port, timeout=timeout)
        try:
            connection.request(method, target, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(status=response.status, headers=response.headers, content=response.read())
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {self.url}{path.lstrip('/')}: {error!r}") from error
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Answer:
        """GET, see :meth:`request`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Answer:
        """POST, see :meth:`request`."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Answer:
        """PUT, see :meth:`request`."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Answer:
        """PATCH, see :meth:`request`."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        """DELETE, see :meth:`request`."""
        return self.request("DELETE", path, **options)
