"""One environment's answer as a whole: its first bytes, the rest by length and hash, and no longer than it may take."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from emulator.model import HttpAnswer
from emulator.proxy.answer import Answer
from emulator.proxy.problems import CONTENT_TYPE, Problem
from emulator.proxy.wire import BrokenAnswerError

# Bytes of a body that are kept, and those that are read at most.
KEPT = 2**20
MOST = 128 * 2**20


def gather(ask: Callable[[], Answer], *, timeout: float, name: str) -> tuple[HttpAnswer, Problem | None]:
    """
    What *ask* answers, with the problem that stands in for an answer, or for its end.

    Args:
        timeout: Seconds that the answer may take to its last byte.
        name: The environment.
    """
    started = time.perf_counter()
    try:
        answer = ask()
    except Problem as refusal:
        return _refused(refusal, time.perf_counter() - started), refusal
    kept, length, digest, problem = _read(answer, started + timeout, name)
    return (
        HttpAnswer(
            status=int(answer.status_line[:3]),
            headers=answer.headers,
            body=kept,
            body_length=length,
            body_sha256=digest,
            seconds=time.perf_counter() - started,
            is_complete=problem is None,
            problem=problem.kind if problem else None,
        ),
        problem,
    )


def _refused(problem: Problem, seconds: float) -> HttpAnswer:
    content = problem.to_json(instance=None)
    return HttpAnswer(
        status=problem.status,
        headers=[("Content-Type", CONTENT_TYPE), *problem.headers],
        body=content,
        body_length=len(content),
        seconds=seconds,
        problem=problem.kind,
    )


def _read(answer: Answer, deadline: float, name: str) -> tuple[bytes, int, str, Problem | None]:
    kept, length, digest = bytearray(), 0, hashlib.sha256()
    problem = None
    try:
        for part in answer.body:
            length += len(part)
            digest.update(part)
            kept += part[: KEPT - len(kept)]
            if time.perf_counter() > deadline:
                problem = _unfinished(504, "timeout", name, "takes longer than it may")
                break
            if length > MOST:
                problem = _unfinished(502, "endless", name, f"has more than {MOST // 2**20} MiB")
                break
    except BrokenAnswerError as error:
        problem = Problem(502, "broken-answer", "Broken answer", str(error), environment=name)
    finally:
        answer.body.close()
    return bytes(kept), length, digest.hexdigest(), problem


def _unfinished(status: int, kind: str, name: str, what: str) -> Problem:
    detail = f"the answer of environment {name} {what}: the rest was not read"
    return Problem(status, kind, "Unfinished answer", detail, environment=name, next_command=f"multistack logs {name}")
