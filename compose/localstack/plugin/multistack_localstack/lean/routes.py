"""
Routes without the functions that build URLs: those are compiled when one is built.

werkzeug compiles two for each route, and LocalStack's routers copy all of their routes whenever one is added: a fifth
of the time to start. LocalStack builds no URLs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule


def compile_builders_late() -> None:
    """Have all routes of this process compile their builders when first used."""
    original = getattr(Rule, "_compile_builder", None)
    if original is None:  # another werkzeug than the pinned one
        return

    def compile_builder(self: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        compiled: list[Callable[..., Any]] = []

        def build(rule: Rule, **values: Any) -> Any:
            if not compiled:
                compiled.append(original(rule, append_unknown))
            return compiled[0](rule, **values)

        return build

    Rule._compile_builder = compile_builder  # type: ignore[assignment, method-assign]
