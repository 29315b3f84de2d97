"""The lines of a corpus: how requests and answers are written as JSON, and read again."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from emulator.errors import ConfigError
from emulator.model import HttpAnswer, HttpRequest
from emulator.setting import show_key

VERSION = 1
# Source: RFC 9110, 5.6.2 and 5.5. What could end a line early would be a request of its own.
_FIELD_NAME = r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$"
_FIELD_VALUE = r"^[\x01-\x09\x0b\x0c\x0e-\xff]*$"
# Of JSON that is written as such: what reads it back refuses 200 levels.
_DEEPEST = 50


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


_Headers = list[tuple[str, str]]
_SentHeaders = list[tuple[Annotated[str, Field(pattern=_FIELD_NAME)], Annotated[str, Field(pattern=_FIELD_VALUE)]]]

_Model = TypeVar("_Model", bound=_Strict)


class _Message(_Strict):
    """
    Attributes:
        body: Text, or JSON that is sent without spaces.
        spaced: It is sent with a space after commas and colons, as Python writes it.
        base64: The body when it is no text.
        length: Bytes of the whole body where this is only its beginning.
    """

    headers: _Headers = Field(default_factory=list)
    body: JsonValue = None
    spaced: bool = False
    base64: str | None = None
    length: Annotated[int, Field(ge=0)] | None = None


class _RequestLine(_Message):
    method: Annotated[str, Field(pattern=_FIELD_NAME)]
    # Bytes beyond ASCII as latin-1, as clients that don't encode them send them.
    target: Annotated[str, Field(pattern=r"^/[\x21\x22\x24-\x7e\x80-\xff]*$")]
    headers: _SentHeaders = Field(default_factory=list)


class _AnswerLine(_Message):
    status: Annotated[int, Field(ge=100, le=999)]
    seconds: Annotated[float, Field(ge=0)] = 0.0


class EntryLine(_Strict):
    """An exchange."""

    request: _RequestLine
    answer: _AnswerLine | None = None


class LostLine(_Strict):
    """Where exchanges are missing."""

    lost: Annotated[int, Field(ge=0)]


class HeadLine(_Strict):
    """The first line."""

    corpus: int
    environment: str | None = None


def head_line(environment: str | None) -> bytes:
    """The first line of a corpus."""
    return _line({"corpus": VERSION, "environment": environment})


def lost_line(count: int) -> bytes:
    """What stands where *count* exchanges are missing."""
    return _line({"lost": count})


def entry_line(request: HttpRequest, answer: HttpAnswer | None) -> bytes:
    """One exchange as a line."""
    content: dict[str, Any] = {
        "request": {
            "method": request.method,
            "target": request.target,
            **_written(request.headers, request.body, request.body_length),
        }
    }
    if answer is not None:
        content["answer"] = {
            "status": answer.status,
            "seconds": round(answer.seconds, 6),
            **_written(answer.headers, answer.body, answer.body_length),
        }
    return _line(content)


def check_entry(request: HttpRequest, answer: HttpAnswer | None) -> None:
    """
    Whether an exchange, written as a line, can be read again.

    Raises:
        ValueError: It can't: a header has a line end, a text no bytes, a status three digits too few.
    """
    EntryLine.model_validate_json(entry_line(request, answer))


def _line(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def _written(headers: Sequence[tuple[str, str]], body: bytes, length: int) -> dict[str, Any]:
    written: dict[str, Any] = {"headers": [list(pair) for pair in headers]} if headers else {}
    if body:
        written |= _written_body(body)
    if length > len(body):
        written["length"] = length
    return written


def _written_body(body: bytes) -> dict[str, Any]:
    """JSON as itself where that gives the same bytes back, so that it can be edited; else text, else base64."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
    try:
        value = json.loads(text, parse_constant=_refuse)
        for spaced in (False, True) if isinstance(value, (dict, list)) and _depth(value) <= _DEEPEST else ():
            if _json(value, spaced=spaced) == body:
                return {"body": value, **({"spaced": True} if spaced else {})}
    except (ValueError, RecursionError):
        pass
    return {"body": text}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _depth(value: JsonValue) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def _json(value: JsonValue, *, spaced: bool) -> bytes:
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps(value, ensure_ascii=False, separators=separators).encode()


def parse_line(model: type[_Model], line: bytes, where: str) -> _Model:
    """
    Read one line.

    Args:
        where: File and line, for messages.

    Raises:
        ConfigError: It is none of that kind.
    """
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        raise ConfigError(f"{where}: {next(_problems(error))}", hint="mend the line, or remove it") from error


def _problems(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        key = show_key(tuple(map(str, item["loc"])))
        if item["type"] == "json_invalid":
            yield f"not a line of JSON: {item['msg'].removeprefix('Invalid JSON: ')}"
        elif item["type"] == "extra_forbidden":
            yield f"unknown key {key}"
        elif item["type"] == "missing":
            yield f"required key {key} is missing"
        else:
            yield f"{key or 'the line'}: {item['msg'][:1].lower()}{item['msg'][1:]}"


def body_of(message: _Message, where: str) -> tuple[bytes, int]:
    """
    The bytes of a body, and how many the whole one had.

    Raises:
        ConfigError: It is given twice, or in no base64.
    """
    if message.base64 is not None:
        if "body" in message.model_fields_set:
            raise ConfigError(f"{where} has both body and base64")
        try:
            body = base64.b64decode(message.base64, validate=True)
        except ValueError as error:
            raise ConfigError(f"{where}.base64: {error}") from error
    elif "body" not in message.model_fields_set:
        body = b""
    else:
        body = message.body.encode() if isinstance(message.body, str) else _json(message.body, spaced=message.spaced)
    return body, max(len(body), message.length or 0)
