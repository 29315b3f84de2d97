"""JSON paths (RFC 9535) that a project file declares, and the nodes that they find."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from emulator.differences.findings import Part, Place

if TYPE_CHECKING:
    from jsonpath import JSONPath

# Right without a look by the library, which takes 60 ms to load: each command reads the project file.
_SIMPLE = re.compile(r"\$(\.{1,2}[A-Za-z_][A-Za-z0-9_]*|(\.\.)?\[(\*|0|[1-9][0-9]{0,8})\]|\.{1,2}\*)*")


def path_problem(path: str) -> str | None:
    """What is wrong with a JSON path, or None."""
    if _SIMPLE.fullmatch(path):
        return None
    if not path.startswith("$"):
        return "it has to begin with $"
    from jsonpath import JSONPathError

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
def _compiled(path: str) -> JSONPath:
    from jsonpath import JSONPathEnvironment

    environment = JSONPathEnvironment(strict=True)
    for name in ("match", "search"):  # they take regular expressions, which nobody could interrupt
        environment.function_extensions.pop(name, None)
    return environment.compile(path)  # type: ignore[return-value]
