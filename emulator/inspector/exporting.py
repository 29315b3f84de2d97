"""Kept requests in a form that something else reads or runs."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from emulator.inspector.scripts import curl_command, pytest_module
from emulator.model import Exchange

FORMS = ("har", "curl", "pytest")


def export(found: Sequence[Exchange], form: str, *, base_of: Callable[[str], str]) -> str:
    """
    *found*, in the order given, as the text of a file.

    Args:
        form: One of ``FORMS``.
        base_of: An environment's name to where the proxy serves it.
    """
    if form == "curl":
        return "\n".join(curl_command(exchange, base=base_of(exchange.environment)) for exchange in found)
    if form == "pytest":
        return pytest_module(found, base_of=base_of)
    from emulator.inspector.har import write_har  # late: its library is needed for this alone

    file = io.StringIO()
    write_har(found, file, base_of=base_of)
    return file.getvalue() + "\n"
