"""Which requests a page or a program asks for, read out of a query."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.inspector.finding import Filter, read_statuses
from emulator.proxy.problems import Problem

# Names of the parameters, which are those of the page's form too.
NAMES = ("environment", "method", "path", "status", "text")
_BIGGEST = 2**62
# Characters of a parameter; SQLite refuses patterns of more than 50,000 bytes.
_LONGEST = 1_000


def read_filter(values: Mapping[str, str]) -> Filter:
    """
    The filter; an empty value is none.

    Raises:
        Problem: 422, a value is none that this parameter has.
    """
    given = {name: values.get(name, "").strip() for name in (*NAMES, "after", "before")}
    for name, value in given.items():
        if len(value) > _LONGEST:
            raise Problem(422, "bad-parameter", "Bad parameter", f"{name}: it has at most {_LONGEST} characters")
    return Filter(
        environments=[given["environment"]] if given["environment"] else [],
        methods=[given["method"]] if given["method"] else [],
        path=given["path"] or None,
        statuses=_statuses(given["status"]),
        text=given["text"] or None,
        after=_number("after", given["after"]),
        before=_number("before", given["before"]),
    )


def _statuses(text: str) -> tuple[int, int] | None:
    try:
        return read_statuses(text) if text else None
    except ValueError as error:
        raise Problem(422, "bad-parameter", "Bad parameter", f"status: {error}") from error


def _number(name: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _BIGGEST):
        raise Problem(422, "bad-parameter", "Bad parameter", f"{name}: it is the number of a request")
    return int(text)
