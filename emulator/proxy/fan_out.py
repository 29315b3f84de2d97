"""One request sent to several environments at once, and what came back held against one of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from emulator.model import ComparisonRules, Route, Source
from emulator.proxy.answer import Answer
from emulator.proxy.gathering import gather
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy.selection import OWN_HEADERS, Selection

if TYPE_CHECKING:
    from emulator.proxy.side_by_side import Entry

# Bytes of a request's body: it is held once, and sent to each.
MAX_BODY = 16 * 2**20
_BLOCK = 64 * 1024
# As many environments may hang before anybody else has to wait for them.
_MOST_THREADS = 128

Ask = Callable[[Request], Answer]


class FanOut:
    """
    Asks environments at once.

    Args:
        ask: Passes a request on to the environment that its header names; raises Problem.
        timeout: Seconds that an answer may take as a whole.
        max_body: Bytes a request's body may have.
    """

    def __init__(self, ask: Ask, *, rules: Callable[[], ComparisonRules], timeout: float, max_body: int) -> None:
        self._ask = ask
        self._rules = rules
        self._timeout = timeout
        self._max_body = min(max_body, MAX_BODY)
        # Kept: to start one takes a millisecond of a busy machine.
        self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="fan-out")

    def answer(
        self, request: Request, selection: Selection, routes: Mapping[str, Route], *, ask: Ask | None = None
    ) -> bytes:
        """
        The JSON document of all answers and their differences.

        An environment that gives no answer is an entry with its problem.

        Args:
            ask: Asks in the place of the usual one.

        Raises:
            Problem: The request's body is too large, or broke off.
        """
        # Late: most proxies compare nothing.
        from emulator.proxy.side_by_side import SideBySide

        body = self._read(request)
        rules = self._rules()
        ask = ask or self._ask
        first = self._ask_all(request, selection, selection.environments, body, ask)
        found = SideBySide.of(selection, first, routes, rules)
        if selection.asks_again and (again := found.to_ask_again):
            found = found.with_second(self._ask_all(request, selection, again, body, ask))
        return json.dumps(found.to_json()).encode() + b"\n"

    def _read(self, request: Request) -> bytes | None:
        if request.body is None:
            return None
        parts, length = [], 0
        if (request.length or 0) > self._max_body:
            raise self._too_large()
        while part := request.body.read(_BLOCK):
            length += len(part)
            if length > self._max_body:
                raise self._too_large()
            parts.append(part)
        return b"".join(parts)

    def _ask_all(
        self, request: Request, selection: Selection, names: Sequence[str], body: bytes | None, ask: Ask
    ) -> dict[str, Entry]:
        def ask_one(name: str) -> Entry:
            return gather(lambda: ask(_request_to(name, request, selection, body)), timeout=self._timeout, name=name)

        # The first by this thread itself: a hand-over costs more than many an answer.
        here, *others = names
        asked = [self._threads.submit(ask_one, name) for name in others]
        return dict(zip(names, [ask_one(here), *(one.result() for one in asked)], strict=True))

    def _too_large(self) -> Problem:
        detail = f"the body of a request to several environments may have {self._max_body} bytes"
        return Problem(413, "body-too-large", "Request body too large", detail)


def _request_to(name: str, request: Request, selection: Selection, body: bytes | None) -> Request:
    # What an environment packs differs in bytes where it doesn't differ.
    dropped = OWN_HEADERS | {"accept-encoding", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"}
    headers = [(key, value) for key, value in request.headers if key.lower() not in dropped]
    return replace(
        request,
        method=selection.method,
        target=selection.target,
        headers=[*headers, ("X-Multistack-Environment", name)],
        body=None if body is None else io.BytesIO(body),
        length=len(body or b""),
        source=Source.COMPARISON,
    )
