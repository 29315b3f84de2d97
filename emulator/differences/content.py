"""What an answer's body is: JSON, text, or bytes that only a hash tells apart."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emulator.encodings import unpacked
from emulator.model import HttpAnswer

_MAX_UNPACKED = 8 * 2**20
_MAX_DEPTH = 200


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON document."""

    document: Any
    name = "JSON"


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is no JSON, whatever its ``Content-Type`` says."""

    text: str
    name = "text"


@dataclass(frozen=True, slots=True)
class Binary:
    """
    Bytes that are no text, or too many to compare.

    Attributes:
        sha256: In hex; of the first bytes where nobody took that of the whole.
    """

    length: int
    sha256: str
    name = "binary"

    def __str__(self) -> str:
        return f"{self.length} bytes, SHA-256 {self.sha256[:16]}"


Content = Json | Text | Binary


def header_values(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    """Every value of a header; *name* in lower case."""
    return [value for key, value in headers if key.lower() == name]


def content_of(answer: HttpAnswer) -> Content:
    """The body of *answer*, unpacked and parsed as far as that goes."""
    if answer.body_length > len(answer.body):
        return Binary(answer.body_length, answer.body_sha256 or hashlib.sha256(answer.body).hexdigest())
    content = unpacked(answer.body, answer.headers, most=_MAX_UNPACKED)
    text = _decoded(content) if content is not None else None
    if text is None:
        return Binary(answer.body_length, hashlib.sha256(answer.body).hexdigest())
    return _parsed(text, *header_values(answer.headers, "content-type")[:1])


def _decoded(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _parsed(text: str, content_type: str = "") -> Content:
    kind = content_type.partition(";")[0].strip().lower()
    is_json = kind == "application/json" or kind.endswith("+json")
    # Functions often answer JSON and call it text, or nothing.
    if not is_json and not (kind in {"", "text/plain"} and text.lstrip()[:1] in {"{", "["}):
        return Text(text)
    try:
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return Text(text)
    return Json(document) if _depth(document, _MAX_DEPTH) else Text(text)


def _refuse(constant: str) -> float:
    """NaN and Infinity, which Python reads as numbers."""
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number)


def _depth(document: Any, left: int) -> bool:
    """Whether *document* is nested *left* times at most: what is deeper would exhaust whoever walks through it."""
    level = [document]
    for _ in range(left):
        level = [
            child
            for one in level
            if isinstance(one, (dict, list))
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return True
    return False
