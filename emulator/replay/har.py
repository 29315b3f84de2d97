"""A HAR file, as developer tools of browsers save it, as entries of a corpus."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from emulator.errors import ConfigError
from emulator.model import HttpAnswer, HttpRequest
from emulator.replay.headers import answer_headers, request_headers
from emulator.replay.lines import check_entry

# Characters of a target that stay; a browser writes some that a request line may not hold.
_KEPT = "%/:?#[]@!$&'()*+,;=~-._"

TargetOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """
    Attributes:
        exchanges: Requests with their answers, in the file's order.
        elsewhere: How many requests went to other origins.
        unusable: How many were never answered, or can't be read.
    """

    exchanges: Sequence[tuple[HttpRequest, HttpAnswer | None]]
    elsewhere: int
    unusable: int


def read_har(content: bytes, *, shown: str, target_of: TargetOf) -> Imported:
    """
    Read a HAR file.

    Args:
        shown: How messages name it.
        target_of: URL to target within an environment, None for requests that are not to be taken.

    Raises:
        ConfigError: It is none.

    Source:
        HAR 1.2, http://www.softwareishard.com/blog/har-12-spec/; what Chromium and Firefox write.
    """
    exchanges: list[tuple[HttpRequest, HttpAnswer | None]] = []
    elsewhere = unusable = 0
    for entry in _entries(content, shown):
        try:
            target = target_of(entry["request"]["url"])
            if target is None:
                elsewhere += 1
            elif not entry["response"]["status"]:
                unusable += 1  # blocked, cancelled, or still waiting when the file was saved
            else:
                exchanges.append(_pair(entry, target))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            unusable += 1
    return Imported(exchanges=exchanges, elsewhere=elsewhere, unusable=unusable)


def _entries(content: bytes, shown: str) -> Iterator[Any]:
    try:
        entries = json.loads(content.decode("utf-8-sig"))["log"]["entries"]
        if not isinstance(entries, list):
            raise TypeError("entries is no list")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"{shown} is no HAR file", hint="save one with the developer tools of a browser: Network, Save all as HAR"
        ) from error
    yield from entries


def _pair(entry: Any, target: str) -> tuple[HttpRequest, HttpAnswer | None]:
    pair = _request(entry["request"], target), _answer(entry)
    check_entry(*pair)
    return pair


def local_target(environments: Sequence[str]) -> TargetOf:
    """Takes requests to the proxy on this machine, whichever of *environments* they named, and however."""

    def target_of(url: str) -> str | None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if host.removesuffix(".localhost") in environments:
            return _target(parts.path, parts.query)
        if host not in {"localhost", "127.0.0.1", "::1"}:
            return None
        name, slash, rest = parts.path.removeprefix("/").partition("/")
        return _target(slash + rest, parts.query) if name in environments else None

    return target_of


def target_below(origin: str) -> TargetOf:
    """Takes requests to what is below the URL *origin*."""
    base = origin.rstrip("/")

    def target_of(url: str) -> str | None:
        plain = url.partition("#")[0]
        rest = plain.removeprefix(base)
        if rest == plain or (rest and rest[0] not in "/?"):
            return None
        path, _, query = rest.partition("?")
        return _target(path, query)

    return target_of


def _target(path: str, query: str) -> str:
    return quote(path or "/", safe=_KEPT) + (f"?{quote(query, safe=_KEPT)}" if query else "")


def _request(request: Any, target: str) -> HttpRequest:
    body = _posted(request.get("postData"))
    return HttpRequest(
        method=request["method"].upper(),
        target=target,
        headers=request_headers(_headers(request)),
        body=body,
        body_length=len(body),
    )


def _posted(posted: Any) -> bytes:
    if not posted:
        return b""
    if posted.get("text"):
        return str(posted["text"]).encode()
    return urlencode([(one["name"], one.get("value", "")) for one in posted.get("params") or ()]).encode()


def _answer(entry: Any) -> HttpAnswer:
    response, content = entry["response"], entry["response"].get("content") or {}
    text = content.get("text") or ""
    body = base64.b64decode(text) if content.get("encoding") == "base64" else text.encode()
    return HttpAnswer(
        status=int(response["status"]),
        headers=answer_headers(_headers(response)),
        body=body,
        # Browsers leave out bodies that they no longer have, but not their size.
        body_length=max(len(body), int(content.get("size") or 0) if not body else 0),
        seconds=max(0.0, float(entry.get("time") or 0)) / 1000,
    )


def _headers(message: Any) -> list[tuple[str, str]]:
    # A browser joins equal headers with a line feed.
    return [(str(one["name"]), part) for one in message["headers"] for part in str(one["value"]).split("\n")]
