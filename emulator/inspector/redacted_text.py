"""
Takes what secret names name out of texts: JSON, also within strings of JSON, XML, multipart forms.

Found by position: the rest stays as it was written, and may be cut or invalid. Every pattern reads a text once; none
may be made to begin again and again by what a client sends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

MARK = "[redacted]"

# No key begins after a backslash, and what was taken is never given back: a text of escaped quotes costs no more.
_JSON_KEY = re.compile(r'(?<!\\)"((?:[^"\\]|\\.){1,200}+)"\s*+:\s*+', re.DOTALL)
# A key of JSON that is written in a string; as many backslashes as it is deep in strings, and more.
_INNER_KEY = re.compile(r'(?<!\\)(\\++)"([^"\\]{1,200}+)\1"\s*+:\s*+')
_QUOTE = re.compile(r'(?<!\\)(\\*+)"')
_SCALAR = re.compile(r"[\w.+-]*+")
_TAG = re.compile(r"<([\w:.-]++)([^<>]*+)>")
_ATTRIBUTE = re.compile(r"""(?<![\w:.-])([\w:.-]++)(\s*+=\s*+)("[^"]*+"|'[^']*+')""")
_BOUNDARY = re.compile(r"^--[^\r\n]++", re.MULTILINE)
_HEAD_END = re.compile(r"\r?\n\r?\n")
_PART_NAME = re.compile(r'^content-disposition:[^\r\n]*[; ]name="?([^"\r\n;]*)"?', re.IGNORECASE | re.MULTILINE)

IsSecret = Callable[[str], bool]


def redacted_json(text: str, is_secret: IsSecret) -> str:
    """Without the values of secret names, in strings that hold JSON too."""
    kept, position = [], 0
    for match in _JSON_KEY.finditer(text):
        if match.start() < position or not is_secret(_unescaped(match[1])):
            continue
        kept += [text[position : match.end()], f'"{MARK}"']
        position = _end_of_value(text, match.end())
    return _redacted_inner("".join([*kept, text[position:]]), is_secret)


def _redacted_inner(text: str, is_secret: IsSecret) -> str:
    kept, position = [], 0
    for match in _INNER_KEY.finditer(text) if '\\"' in text else ():
        if match.start() < position or not is_secret(match[2]):
            continue
        quote = f'{match[1]}"'
        kept += [text[position : match.end()], f"{quote}{MARK}{quote}"]
        position = _end_of_inner(text, match.end(), depth=len(match[1]))
    return "".join([*kept, text[position:]])


def _end_of_inner(text: str, start: int, *, depth: int) -> int:
    """Where the value at *start* ends whose quotes come after *depth* backslashes, at the latest its whole string."""
    is_string = text.startswith("\\" * depth + '"', start)
    if not is_string and text[start : start + 1] not in {"{", "["}:
        scalar = _SCALAR.match(text, start)
        return scalar.end() if scalar else start
    for quote in _QUOTE.finditer(text, start + depth + 1 if is_string else start):
        if len(quote[1]) < depth:
            return quote.start()
        if is_string and len(quote[1]) == depth:
            return quote.end()
    return len(text)


def redacted_xml(text: str, is_secret: IsSecret) -> str:
    """Without what elements of secret names hold, and without attributes of such names."""
    kept, position = [], 0
    for match in _TAG.finditer(text):
        if match.start() < position:
            continue
        attributes = _ATTRIBUTE.sub(lambda found: _attribute(found, is_secret), match[2])
        kept += [text[position : match.start()], f"<{match[1]}{attributes}>"]
        position = match.end()
        if is_secret(_local(match[1])) and not attributes.endswith("/"):
            end = text.find(f"</{match[1]}", position)
            end = len(text) if end < 0 else end
            kept += [MARK if text[position:end].strip() else text[position:end]]
            position = end
    return "".join([*kept, text[position:]])


def _attribute(match: re.Match[str], is_secret: IsSecret) -> str:
    quote = match[3][0]
    return f"{match[1]}{match[2]}{quote}{MARK}{quote}" if is_secret(_local(match[1])) else match[0]


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def redacted_multipart(text: str, is_secret: IsSecret) -> str:
    """Without the parts of secret names; parts of JSON are looked into."""
    boundary = _BOUNDARY.search(text)
    parts = text.split(boundary[0]) if boundary else [text]
    return (boundary[0] if boundary else "").join(_part(part, is_secret) for part in parts)


def _part(part: str, is_secret: IsSecret) -> str:
    # Its head begins with the end of the boundary's line.
    end = _HEAD_END.search(part, 2)
    name = _PART_NAME.search(part, 0, end.start()) if end else None
    if end and name and is_secret(name[1]):
        return f"{part[: end.end()]}{MARK}{end[0][: len(end[0]) // 2]}"
    return redacted_json(part, is_secret)


def _unescaped(name: str) -> str:
    if "\\" not in name:
        return name
    try:
        return str(json.loads(f'"{name}"', strict=False))
    except ValueError:
        return name


def _end_of_value(text: str, start: int) -> int:
    """Where the JSON value at *start* ends; the end of the text when it is cut or no value."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return len(text)
