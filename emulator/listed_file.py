"""A small JSON file that lists what commands made: read strictly, with its format, and replaced in one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from emulator.errors import MultistackError, file_hint
from emulator.process import write_atomically
from emulator.state import make_state_folder


class ListedRow(BaseModel):
    """Something on a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ListedFile(ListedRow):
    """
    What such a file holds.

    Attributes:
        format: Of the file; one with a higher number than known is refused.
    """

    format: int


F = TypeVar("F", bound=ListedFile)


def read_listed(path: Path, model: type[F], *, newest: int, what: str, hint: str) -> F | None:
    """
    What the file at *path* holds; None when there is none.

    Args:
        newest: The highest format that is known.
        what: What is listed, e.g. ``created environments``.
        hint: What to do about a damaged file.

    Raises:
        MultistackError: The file is damaged, of a newer format, or can't be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MultistackError(f"{path} can't be read: {error.strerror}", hint=file_hint(error)) from error
    try:
        raw = json.loads(content)
        _refuse_newer(path, raw, newest)
        return model.model_validate(raw)
    except (ValueError, RecursionError) as error:
        raise damaged(path, _reason(error), what=what, hint=hint) from error


def damaged(path: Path, reason: str, *, what: str, hint: str) -> MultistackError:
    """The error that the list of *what* can't be taken for one."""
    return MultistackError(f"the list of {what}, {path}, is damaged: {reason}", hint=hint)


def _refuse_newer(path: Path, raw: Any, newest: int) -> None:
    written = raw.get("format") if isinstance(raw, dict) else None
    if isinstance(written, int) and written > newest:
        raise MultistackError(
            f"{path} has format {written}, newer than this multistack knows ({newest})",
            hint="use the multistack that wrote it",
        )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
    return f"no JSON ({error})"


def write_listed(path: Path, content: ListedFile) -> None:
    """
    Replace the file, in the state folder that is its parent.

    Raises:
        OSError: It can't be written; the old one stays.
    """
    make_state_folder(path.parent)
    write_atomically(path, content.model_dump_json(indent=1).encode() + b"\n")
