"""A learner's ``answers.toml``: whatever stands in it, a check says in one line what to write."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

FILE = "answers.toml"
_MOST_BYTES = 64 * 1024


class Answers:
    """
    What a learner answered.

    Args:
        folder: The lab's.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def problem(self, key: str) -> str | None:
        """Why there is no answer to *key*; None when there is one."""
        return self._read(key)[1]

    def answer(self, key: str) -> str:
        """The answer as text in lower case, without spaces around it; empty when there is none."""
        return self._read(key)[0]

    def _read(self, key: str) -> tuple[str, str | None]:
        try:
            content = self._file.read_bytes()[: _MOST_BYTES + 1]
            if len(content) > _MOST_BYTES:
                return "", f"{FILE} is larger than {_MOST_BYTES // 1024} KB: only short answers belong into it"
            found = tomllib.loads(content.decode())
        except FileNotFoundError:
            return "", f"{FILE} is gone; write one with `{key} = …`"
        except (OSError, ValueError, RecursionError) as error:
            return "", f"{FILE} can't be read: {str(error).splitlines()[0][:200]}"
        value = found.get(key)
        if value is None or value == "":
            return "", f"{FILE} has no answer to {key} yet"
        if isinstance(value, bool) or not isinstance(value, str | int):
            return "", f"{FILE}: {key} must be a number or a word in quotes"
        return str(value).strip().lower(), None


def blank(questions: Sequence[tuple[str, str]]) -> str:
    """The file as a lab starts with it."""
    lines = ["# Your answers. Words in quotes, numbers without."]
    for key, question in questions:
        lines += ["", f"# {question}", f'{key} = ""']
    return "\n".join(lines) + "\n"
