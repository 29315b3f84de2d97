"""Exchanges as an HTTP Archive, which a browser's developer tools open. Source: http://www.softwareishard.com/blog/har-12-spec/"""

from __future__ import annotations

import base64
import http
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import IO
from urllib.parse import parse_qsl

import harfile

from emulator.inspector.scripts import is_of_the_proxy
from emulator.inspector.shown import is_cut, text_of, timing_of
from emulator.inspector.urls import url_of
from emulator.model import Exchange, HttpRequest
from emulator.model.exchanges import Headers

_HTTP = "HTTP/1.1"


def write_har(exchanges: Iterable[Exchange], file: IO[str], *, base_of: Callable[[str], str]) -> None:
    """
    Write them in the order given.

    Args:
        base_of: An environment's name to where the proxy serves it, see :func:`emulator.inspector.urls.url_of`.
    """
    creator = harfile.Creator(name="multistack", version=version("multistack-emulator"))
    with harfile.open(file, creator=creator) as archive:
        for exchange in exchanges:
            timing = timing_of(exchange)
            waiting = (timing.emulator or 0.0) + (timing.function or 0.0)
            archive.add_entry(
                startedDateTime=exchange.at,
                time=exchange.answer.seconds * 1000,
                request=_request(exchange, base_of(exchange.environment)),
                response=_response(exchange),
                timings=harfile.Timings(send=timing.proxy * 1000, wait=waiting * 1000, receive=0),
                serverIPAddress="127.0.0.1",
                comment=_comment(exchange),
            )


def _request(exchange: Exchange, base: str) -> harfile.Request:
    request = exchange.request
    query = request.target.partition("?")[2]
    return harfile.Request(
        method=request.method,
        url=url_of(base, request.target),
        httpVersion=_HTTP,
        cookies=_cookies(request.headers),
        headers=_records([header for header in request.headers if not is_of_the_proxy(header[0])]),
        queryString=[harfile.Record(name, value) for name, value in parse_qsl(query, keep_blank_values=True)],
        postData=_post_data(request) if request.body else None,
        bodySize=request.body_length,
    )


def _post_data(request: HttpRequest) -> harfile.PostData:
    text = text_of(request.body, is_cut=is_cut(request))
    comment = "only the first part was kept" if is_cut(request) else None
    if text is None:
        # HAR has no encoding for what was sent; each byte becomes one character, as browsers write it.
        text, comment = request.body.decode("latin-1"), comment or "binary: one character per byte"
    return harfile.PostData(mimeType=_value(request.headers, "content-type"), text=text, comment=comment)


def _response(exchange: Exchange) -> harfile.Response:
    answer = exchange.answer
    text = text_of(answer.body, is_cut=is_cut(answer))
    return harfile.Response(
        status=answer.status,
        statusText=_phrase(answer.status),
        httpVersion=_HTTP,
        cookies=_set_cookies(answer.headers),
        headers=_records(answer.headers),
        content=harfile.Content(
            size=answer.body_length,
            mimeType=_value(answer.headers, "content-type"),
            text=base64.b64encode(answer.body).decode() if text is None else text,
            encoding="base64" if text is None else None,
            comment="only the first part was kept" if is_cut(answer) else None,
        ),
        redirectURL=_value(answer.headers, "location"),
        bodySize=answer.body_length,
        comment=None if answer.is_complete else "it broke off",
    )


def _comment(exchange: Exchange) -> str:
    calls = [f"{call.function} {call.request_id}" for call in exchange.invocations]
    faults = [f"fault {fault}" for fault in exchange.faults]
    return ", ".join([exchange.environment, f"release {exchange.release or 'none'}", *calls, *faults])


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def _records(headers: Headers) -> list[harfile.Record]:
    return [harfile.Record(name, value) for name, value in headers]


def _value(headers: Headers, wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _cookies(headers: Headers) -> list[harfile.Cookie]:
    pairs = [pair for name, value in headers if name.lower() == "cookie" for pair in value.split(";")]
    return [harfile.Cookie(name.strip(), value) for name, _, value in (pair.partition("=") for pair in pairs)]


def _set_cookies(headers: Headers) -> list[harfile.Cookie]:
    pairs = [value.partition(";")[0] for name, value in headers if name.lower() == "set-cookie"]
    return [harfile.Cookie(name.strip(), value) for name, _, value in (pair.partition("=") for pair in pairs)]
