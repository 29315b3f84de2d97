"""Asks several environments at once, through the running proxy."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from emulator.errors import ConfigError, MultistackError, NotReady
from emulator.ports import HOST

READING = ("GET", "HEAD")
# Longer than the proxy waits for an environment, twice.
_PATIENCE = 30.0
_TARGET_SAFE = "%/:@!$&'()*+,;=~-._?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    One request for several environments.

    Attributes:
        target: Path and query, beginning with a slash or not.
        environments: None for all that the proxy knows.
        may_write: Whether a method other than GET and HEAD is meant.
        may_write_protected: Whether it is meant for protected environments as well.
        asks_once: Whether nothing is asked twice, and so no noise found.
    """

    method: str
    target: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    environments: Sequence[str] | None = None
    baseline: str | None = None
    may_write: bool = False
    may_write_protected: bool = False
    asks_once: bool = False


def ask_all(url: str, question: Question, *, timeout: float) -> dict[str, Any]:
    """
    The document that ``/_all/`` answers with, see docs/guides/side-by-side.md.

    Args:
        url: Of the proxy.
        timeout: Seconds that an environment may take.

    Raises:
        MultistackError: The proxy refused, or is not there any more.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or HOST, address.port, timeout=2 * timeout + _PATIENCE)
    with contextlib.closing(connection):
        try:
            _send(connection, question, host=address.netloc)
            response = connection.getresponse()
            content = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotReady(
                f"the proxy gave no answer: {error or type(error).__name__}", hint="run `multistack up`"
            ) from error
    if response.status != 200:
        raise _refused(content)
    return dict(content)


def encode_target(target: str) -> str:
    """Path and query as they are sent: with a slash first, and what may not stand there %-encoded."""
    return "/" + quote(target, safe=_TARGET_SAFE).removeprefix("/")


def _send(connection: http.client.HTTPConnection, question: Question, *, host: str) -> None:
    # A GET that carries the method: an answer to HEAD has no body to tell of.
    method = "GET" if question.method == "HEAD" else question.method
    target = "/_all" + encode_target(question.target)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host)
    given = {
        "X-Multistack-Method": question.method,
        "X-Multistack-Environment": "*" if question.environments is None else ",".join([*question.environments, ""]),
        "X-Multistack-Baseline": question.baseline,
        "X-Multistack-Writes": "yes" if question.may_write else None,
        "X-Multistack-Protected": "yes" if question.may_write_protected else None,
        "X-Multistack-Once": "yes" if question.asks_once else None,
        "Content-Length": None if question.body is None else str(len(question.body)),
    }
    for name, value in [*given.items(), *question.headers]:
        if value is not None:
            connection.putheader(name, value.encode("latin-1", "replace"))
    connection.endheaders(question.body)


def _refused(problem: dict[str, Any]) -> MultistackError:
    detail, command = str(problem.get("detail") or problem), problem.get("next")
    hint = f"run `{command}`" if command else None
    kind = (
        NotReady if problem.get("status") == 503 else ConfigError if problem.get("status") == 403 else MultistackError
    )
    return kind(detail, hint=hint)
