"""Sends requests of a corpus the way the proxy would, without the proxy in between."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Mapping, Sequence

from emulator.inspector.redaction import MARK
from emulator.model import HttpAnswer, HttpRequest, Route
from emulator.process import is_alive
from emulator.proxy.answer import Answer, Forward
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy.resolve import ENVIRONMENT_HEADER, resolve
from emulator.proxy.wire import BrokenAnswerError
from emulator.replay.headers import request_headers

# Bytes of an answer that are read at most.
_LONGEST = 128 * 2**20


class NoAnswerError(Exception):
    """What should have answered broke off, or came to no end."""


class Sender:
    """
    Passes requests on as the proxy does, with the same headers and the same problems, in this process.

    A second process between two takes a third of what the emulators could answer. And a replay of thousands of
    requests doesn't push those of people out of the inspector.

    Args:
        forward: Passes on what has a destination.
        routes: Environment name to route, as published for the proxy.
        host: What requests call the proxy, e.g. ``127.0.0.1:8080``: answers may hold it.
        most: Bytes of a body that are kept.
        timeout: Seconds that an answer may take to its last byte.
        extra: Headers that replace those of the same name in every request.
    """

    def __init__(
        self,
        forward: Forward,
        routes: Mapping[str, Route],
        *,
        host: str,
        most: int,
        timeout: float,
        extra: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._forward = forward
        self._routes = routes
        self._host = host
        self._most = most
        self._timeout = timeout
        self._is_over = threading.Event()
        self._extra = list(extra)
        self._replaced = {name.lower() for name, _ in extra}

    def send(self, request: HttpRequest, environment: str) -> HttpAnswer:
        """
        What a client of *environment* would get: one of the proxy's problems where there is no answer.

        Raises:
            NoAnswerError: It broke off, has no end, or nobody waits for it any more.
        """
        passed = self._request(request, environment)
        started = time.perf_counter()
        try:
            destination = resolve(passed, self._routes, is_alive=is_alive)
            if destination is None:
                raise NoAnswerError(f"{request.target} leads to no environment")
            return self._read(self._forward(passed, destination), started)
        except Problem as problem:
            return HttpAnswer(
                status=problem.status,
                headers=[],
                body=str(problem.detail).encode(),
                body_length=0,
                seconds=time.perf_counter() - started,
                problem=problem.kind,
            )
        except BrokenAnswerError as error:
            raise NoAnswerError(str(error)) from error

    def stop(self) -> None:
        """Read no answer to its end: the replay is over."""
        self._is_over.set()

    def _request(self, request: HttpRequest, environment: str) -> Request:
        headers = [
            (name, value)
            for name, value in request_headers(request.headers)
            if name.lower() not in self._replaced and MARK not in value  # nobody knows what was there
        ]
        headers += [*self._extra, (ENVIRONMENT_HEADER, environment)]
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            headers.append(("Content-Length", str(len(request.body))))
        return Request(
            method=request.method,
            target=request.target,
            host=self._host,
            headers=headers,
            body=io.BytesIO(request.body) if request.body else None,
            length=len(request.body),
            client="127.0.0.1",
        )

    def _read(self, answer: Answer, started: float) -> HttpAnswer:
        parts: list[bytes] = []
        kept = length = 0
        try:
            for part in answer.body:
                length += len(part)
                self._check(length, started)
                if kept < self._most and part:
                    parts.append(part[: self._most - kept])
                    kept += len(parts[-1])
        finally:
            answer.body.close()
        return HttpAnswer(
            status=int(answer.status_line[:3]),
            headers=answer.headers,
            body=b"".join(parts),
            body_length=length,
            seconds=time.perf_counter() - started,
        )

    def _check(self, length: int, started: float) -> None:
        """Whether to read on."""
        if self._is_over.is_set():
            raise NoAnswerError("the replay was interrupted")
        if time.perf_counter() - started > self._timeout:
            raise NoAnswerError(f"the answer takes more than {self._timeout:g} s: the rest was not read")
        if length > _LONGEST:
            raise NoAnswerError(f"the answer has more than {_LONGEST // 2**20} MiB: the rest was not read")
