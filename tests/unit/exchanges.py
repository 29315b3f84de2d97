"""Exchanges of tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from emulator.model import Exchange, HttpAnswer, HttpRequest, Source

Headers = Sequence[tuple[str, str]]


def make_exchange(
    target: str = "/orders/1",
    *,
    method: str = "GET",
    headers: Headers = (),
    body: bytes = b"",
    body_length: int | None = None,
    status: int = 200,
    answer_headers: Headers = (),
    answer: bytes = b"",
    answer_length: int | None = None,
    seconds: float = 0.004,
    problem: str | None = None,
    is_complete: bool = True,
    **changes: Any,
) -> Exchange:
    """One exchange with the environment ``test``."""
    fields: dict[str, Any] = {
        "at": datetime(2026, 11, 26, 12, 0, tzinfo=UTC),
        "source": Source.CLIENT,
        "environment": "test",
        "client": "127.0.0.1",
        "release": "ce9d3706731f",
        "digest": "ab" * 32,
        "upstream_seconds": 0.003,
        "request": HttpRequest(
            method=method,
            target=target,
            headers=headers,
            body=body,
            body_length=len(body) if body_length is None else body_length,
        ),
        "answer": HttpAnswer(
            status=status,
            headers=answer_headers,
            body=answer,
            body_length=len(answer) if answer_length is None else answer_length,
            seconds=seconds,
            problem=problem,
            is_complete=is_complete,
        ),
    }
    return Exchange(**{**fields, **changes})
