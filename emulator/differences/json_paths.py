"""JSON paths (RFC 9535) that a project file declares, and the nodes that they find."""

from __future__ import annotations

import functools
from typing import Any

from jsonpath import JSONPathEnvironment, JSONPathError

from emulator.differences.findings import Part, Place


class _Environment(JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        """Without those that take regular expressions, which nobody could interrupt."""
        super().setup_function_extensions()
        for name in ("match", "search"):
            self.function_extensions.pop(name, None)


_environment = _Environment(strict=True)


def path_problem(path: str) -> str | None:
    """What is wrong with a JSON path, or None."""
    try:
        _compiled(path)
    except JSONPathError as error:
        return str(error).partition("\n")[0]
    return None


def places(path: str, *documents: Any) -> frozenset[Place]:
    """Where *path* leads in any of *documents*."""
    return frozenset(
        Place(Part.JSON, tuple(match.parts)) for document in documents for match in _compiled(path).finditer(document)
    )


def first_value(path: str, document: Any) -> Any:
    """The first value that *path* finds in *document*, or None."""
    match = next(iter(_compiled(path).finditer(document)), None)
    return None if match is None else match.obj


@functools.lru_cache(maxsize=256)
def _compiled(path: str) -> Any:
    return _environment.compile(path)
