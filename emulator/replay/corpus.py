"""A corpus: requests and what they were answered, as a JSON-lines file for git and for editing by hand."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from emulator.errors import ConfigError
from emulator.model import HttpAnswer, HttpRequest, Project
from emulator.setting import show_key
from emulator.settings import CORPUS_PATTERN

FOLDER = "corpora"
_SUFFIX = ".jsonl"
_VERSION = 1
_NAME = re.compile(CORPUS_PATTERN)
# Source: RFC 9110, 5.6.2 and 5.5. What could end a line early would be a request of its own.
_FIELD_NAME = r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$"
_FIELD_VALUE = r"^[^\r\n\x00]*$"
# Of JSON that is written as such: what reads it back refuses 200 levels.
_DEEPEST = 50
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One request of a corpus.

    Attributes:
        line: Where it stands in the file, the first line being 1.
        answer: None when nothing is known that it should be answered with.
    """

    line: int
    request: HttpRequest
    answer: HttpAnswer | None

    @property
    def is_write(self) -> bool:
        """Whether it may change the environment."""
        return self.request.method not in _READING


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """
    Attributes:
        environment: Where it was recorded; None when it was written by hand or comes from elsewhere.
        lost: Exchanges that the recording could not write down.
    """

    name: str
    environment: str | None
    entries: Sequence[Entry]
    lost: int = 0


def corpus_path(project: Project, name: str) -> Path:
    """
    The file of a corpus, whether it exists or not.

    Raises:
        ConfigError: *name* can't be one.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a corpus", hint="take up to 64 letters, digits, dots, dashes and underscores"
        )
    return project.root / FOLDER / f"{name}{_SUFFIX}"


def corpus_names(project: Project) -> list[str]:
    """Every corpus of the project, sorted."""
    names = (path.name.removesuffix(_SUFFIX) for path in (project.root / FOLDER).glob(f"*{_SUFFIX}"))
    return sorted(name for name in names if _NAME.fullmatch(name))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


_Headers = list[tuple[Annotated[str, Field(pattern=_FIELD_NAME)], Annotated[str, Field(pattern=_FIELD_VALUE)]]]


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
    target: Annotated[str, Field(pattern=r"^/[\x21\x22\x24-\x7e]*$")]


class _AnswerLine(_Message):
    status: Annotated[int, Field(ge=100, le=599)]
    seconds: Annotated[float, Field(ge=0)] = 0.0


class _EntryLine(_Strict):
    request: _RequestLine
    answer: _AnswerLine | None = None


class _LostLine(_Strict):
    lost: Annotated[int, Field(ge=0)]


class _HeadLine(_Strict):
    corpus: int
    environment: str | None = None


def head_line(environment: str | None) -> bytes:
    """The first line of a corpus."""
    return _line({"corpus": _VERSION, "environment": environment})


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


def read_corpus(path: Path, *, shown: str) -> Corpus:
    """
    Read and check a corpus.

    Args:
        shown: How messages name the file.

    Raises:
        ConfigError: It is missing or unreadable, or a line of it is wrong.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError as error:
        name = path.name.removesuffix(_SUFFIX)
        raise ConfigError(f"there is no corpus {shown}", hint=f"multistack record start {name}") from error
    except OSError as error:
        raise ConfigError(f"{shown} cannot be read: {error.strerror}") from error
    head = _checked(_HeadLine, lines[0], f"{shown}:1")
    if head.corpus != _VERSION:
        raise ConfigError(f"{shown}:1: corpus {head.corpus} is of another multistack, which knows {_VERSION}")
    entries: list[Entry] = []
    lost = 0
    for number, line in enumerate(lines[1:], start=2):
        where = f"{shown}:{number}"
        if line.lstrip().startswith(b'{"lost"'):
            lost += _checked(_LostLine, line, where).lost
        elif line.strip():
            entries.append(_entry(_checked(_EntryLine, line, where), number, where))
    return Corpus(name=path.name.removesuffix(_SUFFIX), environment=head.environment, entries=entries, lost=lost)


def _checked(model: type[_Model], line: bytes, where: str) -> _Model:
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


def _entry(line: _EntryLine, number: int, where: str) -> Entry:
    asked, answered = line.request, line.answer
    body, length = _body(asked, f"{where}: request")
    request = HttpRequest(
        method=asked.method, target=asked.target, headers=asked.headers, body=body, body_length=length
    )
    answer = None
    if answered is not None:
        body, length = _body(answered, f"{where}: answer")
        answer = HttpAnswer(
            status=answered.status, headers=answered.headers, body=body, body_length=length, seconds=answered.seconds
        )
    return Entry(line=number, request=request, answer=answer)


def _body(message: _Message, where: str) -> tuple[bytes, int]:
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
