"""Exchanges as something to run: curl commands, pytest tests."""

from __future__ import annotations

import base64
import json
import pprint
import re
import shlex
from collections.abc import Callable, Sequence

from emulator.inspector.redaction import MARK
from emulator.inspector.shown import is_cut, text_of
from emulator.inspector.urls import url_of
from emulator.model import Exchange
from emulator.model.exchanges import Headers

_OF_THE_PROXY = "x-multistack-"
# Whoever repeats the request says these anew; a kept body is decompressed.
_OF_ONE_CONNECTION = frozenset(
    {
        *("host", "connection", "content-length", "content-encoding", "transfer-encoding", "accept-encoding"),
        *("keep-alive", "expect", "te", "upgrade", "proxy-connection"),
    }
)
_WIDTH = 110
_TEST_MODULE = '''"""Requests that multistack's proxy kept, as tests: take out what may change from call to call."""

import http.client
import json
import os
from urllib.parse import urlsplit

# `multistack exec <environment> -- pytest` says which environment; so does `multistack verify`.
URL = os.environ.get("MULTISTACK_URL", {default!r})


def ask(method, target, *, headers=(), body=b""):
    """Status and body of the environment's answer."""
    parts = urlsplit(URL)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.putrequest(method, parts.path.rstrip("/") + target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
'''


def curl_command(exchange: Exchange, *, base: str) -> str:
    """A command that makes the request again; what it can't say as it was stands in comments before it."""
    request = exchange.request
    parts = ["curl", "--globoff", "--path-as-is", shlex.quote(url_of(base, request.target))]
    if request.method == "HEAD":
        parts.insert(1, "--head")
    elif request.method != ("POST" if request.body else "GET"):
        parts += ["--request", shlex.quote(request.method)]
    headers = repeated_headers(request.headers)
    # curl takes `Name:` for a header that is not to be sent.
    parts += [f"--header {shlex.quote(f'{name}: {value}' if value else f'{name};')}" for name, value in headers]
    before = ""
    if request.body:
        if not any(name.lower() == "content-type" for name, _ in headers):
            parts.append("--header 'Content-Type:'")
        text = text_of(request.body)
        if text is None:
            before = f"base64 --decode <<< {base64.b64encode(request.body).decode()} | "
        parts.append("--data-binary @-" if text is None else f"--data-raw {shlex.quote(text)}")
    lines = [f"# {note}" for note in notes(exchange)]
    return "\n".join([*lines, before + " \\\n  ".join([" ".join(parts[:4]), *parts[4:]])]) + "\n"


def pytest_module(exchanges: Sequence[Exchange], *, base_of: Callable[[str], str]) -> str:
    """A module with a test per exchange, in the order given; it needs nothing but pytest."""
    default = base_of(exchanges[0].environment) if exchanges else "http://127.0.0.1:8080/test/"
    return "\n\n".join([_TEST_MODULE.format(default=default), *map(_test, exchanges)])


def _test(exchange: Exchange) -> str:
    request, answer = exchange.request, exchange.answer
    words = re.sub(r"[^a-z0-9]+", "_", f"{request.method} {request.target.partition('?')[0]}".lower()).strip("_")
    headers = repeated_headers(request.headers)
    arguments = [_literal(request.method), _literal(request.target)]
    arguments += [f"headers={_literal(list(headers), 8)}"] if headers else []
    arguments += [f"body={_literal(request.body, 8)}"] if request.body else []
    lines = [
        f"def test_{words[:60]}_{exchange.id or 0}():",
        f'    """Answered with {answer.status} by {exchange.environment}, release {exchange.release or "none"}."""',
        *(f"    # {note}" for note in notes(exchange)),
        f"    status, body = ask({', '.join(arguments)})",
        f"    assert status == {answer.status}",
        *_expectations(exchange),
    ]
    return "\n".join(lines) + "\n"


def _expectations(exchange: Exchange) -> list[str]:
    answer = exchange.answer
    if exchange.request.method == "HEAD" or not answer.body or is_cut(answer) or MARK.encode() in answer.body:
        return ["    del body  # not all of it is known"] if answer.body else ["    assert body == b''"]
    try:
        content = json.loads(answer.body)
    except ValueError:
        return [f"    assert body == {_literal(answer.body, 11)}"]
    return [f"    assert json.loads(body) == {_literal(content, 4)}"]


def repeated_headers(headers: Headers) -> Headers:
    """Those that belong to the request itself."""
    return [
        (name, value) for name, value in headers if name.lower() not in _OF_ONE_CONNECTION and not is_of_the_proxy(name)
    ]


def is_of_the_proxy(name: str) -> bool:
    """Whether a header told the proxy something, e.g. the environment that an export names in the path."""
    return name.lower().startswith(_OF_THE_PROXY)


def notes(exchange: Exchange) -> list[str]:
    """What keeps a request from being repeated as it was."""
    request, found = exchange.request, []
    hidden = [name for name, value in repeated_headers(request.headers) if MARK in value]
    if hidden:
        found.append(f"redacted, to be filled in: {', '.join(hidden)}")
    if MARK.encode() in request.body or "=redacted" in request.target:
        found.append("redacted, to be filled in: something in the target or the body")
    if is_cut(request):
        found.append(f"the body is cut: {len(request.body)} of {request.body_length} bytes were kept")
    return [re.sub(r"[^\x20-\x7e]", "?", note) for note in found]


def _literal(value: object, indent: int = 0) -> str:
    """*value* as Python source that goes over several lines where it must."""
    text = pprint.pformat(value, width=_WIDTH - indent, sort_dicts=False)
    return text.replace("\n", "\n" + " " * indent)
