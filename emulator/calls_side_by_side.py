"""What a function answered in several environments, held against each other as answers of an API are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.errors import MultistackError
from emulator.invoking import Invoked
from emulator.model import ComparisonRules, HttpAnswer, Route
from emulator.proxy.problems import Problem
from emulator.proxy.selection import Selection
from emulator.proxy.side_by_side import Entry, SideBySide

# What a call has in place of an HTTP method.
_METHOD = "INVOKE"
_OK = 200
# Where Lambda says that a function ended with an error. Source: Invoke, response elements.
_ERROR_HEADER = "X-Amz-Function-Error"

Outcome = Invoked | MultistackError


def side_by_side(
    function: str,
    outcomes: Mapping[str, Outcome],
    *,
    routes: Mapping[str, Route],
    rules: ComparisonRules,
    second: Mapping[str, Outcome] | None = None,
) -> dict[str, Any]:
    """
    The document that ``multistack compare --json`` prints of requests.

    Args:
        outcomes: By environment, the baseline first.
        routes: Which release each of them serves.
        second: What the same call came to when it was made again: what differs by itself is masked.
    """
    selection = Selection(method=_METHOD, target=function, environments=tuple(outcomes), asks_again=bool(second))
    found = SideBySide.of(selection, _entries(outcomes), routes, rules)
    return (found.with_second(_entries(second)) if second else found).to_json()


def _entries(outcomes: Mapping[str, Outcome]) -> dict[str, Entry]:
    return {name: _entry(name, outcome) for name, outcome in outcomes.items()}


def _entry(name: str, outcome: Outcome) -> Entry:
    if isinstance(outcome, Invoked):
        return _answer(outcome.payload, _headers(outcome), outcome.seconds), None
    step = outcome.hint if (outcome.hint or "").startswith("multistack ") else None
    problem = Problem(503, "no-call", "Not called", outcome.message, environment=name, next_command=step)
    return _answer(b"", (), 0.0, status=problem.status, problem=problem.kind), problem


def _answer(
    body: bytes,
    headers: Sequence[tuple[str, str]],
    seconds: float,
    *,
    status: int = _OK,
    problem: str | None = None,
) -> HttpAnswer:
    return HttpAnswer(
        status=status, headers=headers, body=body, body_length=len(body), seconds=seconds, problem=problem
    )


def _headers(outcome: Invoked) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/json"),
        *([(_ERROR_HEADER, outcome.error)] if outcome.error else []),
    ]
