"""Find, read and parse the project file, and remember on which line each key stands."""

from __future__ import annotations

import functools
import os
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from emulator.errors import ConfigError
from emulator.model import STATE_FOLDER
from emulator.setting import Key, show_value, value_at

FILE_NAME = "multistack.toml"
_MAX_BYTES = 256 * 1024
_MAX_DEPTH = 6
_MAX_STATEMENT_LINES = 200


@dataclass(frozen=True, kw_only=True)
class ProjectFile:
    """
    A project file that is valid TOML; whether it makes sense is for :func:`emulator.settings.check` to say.

    Attributes:
        shown: How messages name it.
        prefix: The table it is in: empty, or ``tool.multistack``.
        data: The table's content, as parsed.
    """

    path: Path
    shown: str
    text: str
    prefix: Key
    data: dict[str, object]

    @functools.cached_property
    def _lines(self) -> dict[Key, int]:
        return _locate(self.text)

    def line_of(self, key: Key) -> int:
        """The line where *key* is set, or the nearest table around it, or 1."""
        full = self.prefix + key
        return next((self._lines[full[:end]] for end in range(len(full), 0, -1) if full[:end] in self._lines), 1)


def find_project_file(cwd: Path) -> Path:
    """Return the project file of the nearest folder that has one, from *cwd* upwards."""
    for folder in (cwd, *cwd.parents):
        candidate = folder / FILE_NAME
        if os.path.lexists(candidate):
            return candidate
        if _has_table(folder / "pyproject.toml"):
            return folder / "pyproject.toml"
    raise ConfigError(f"no {FILE_NAME} in {cwd} or any folder above it", hint="run `multistack init`")


def copied_from(file: Path) -> Path | None:
    """
    The folder that the one of *file* is a copy of, e.g. for one step of a pipeline; None when it is none.

    Its state folder is a link to that of the other.
    """
    link = file.parent / STATE_FOLDER
    if not link.is_symlink():
        return None
    state = link.resolve()
    return state.parent if state.name == STATE_FOLDER and (state.parent / file.name).is_file() else None


def read_project_file(path: Path, *, shown: str) -> ProjectFile:
    """
    Read and parse *path*.

    Raises:
        ConfigError: It is missing, unreadable, not a file, not UTF-8, empty or not TOML.
    """
    content = _read(path, shown)
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown}:{line}: not text in UTF-8 (byte 0x{content[error.start]:02x})") from error
    if not text.strip():
        raise ConfigError(f"{shown} is empty", hint="give it a service and [environments.test]")
    data: dict[str, object] = _parse(text, shown)
    if path.name != "pyproject.toml":
        return ProjectFile(path=path, shown=shown, text=text, prefix=(), data=data)
    table = value_at(data, ("tool", "multistack"))
    if not isinstance(table, dict):
        raise ConfigError(f"{shown} has no table [tool.multistack]", hint="run `multistack init`")
    return ProjectFile(path=path, shown=shown, text=text, prefix=("tool", "multistack"), data=table)


def _read(path: Path, shown: str) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ConfigError(f"{shown} is a folder", hint=f"name the project file in it, e.g. {shown}/{FILE_NAME}")
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{shown} is not a regular file")
        if status.st_size > _MAX_BYTES:
            raise ConfigError(f"{shown} has {status.st_size} bytes, a project file at most {_MAX_BYTES}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{shown} does not exist", hint="run `multistack init`") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{shown} cannot be read: {reason}") from error


def _parse(text: str, shown: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        _raise_syntax_error(text, shown, error)
    except RecursionError as error:
        raise ConfigError(f"{shown} is nested too deeply") from error
    except ValueError as error:
        raise ConfigError(f"{shown} holds a value that cannot be read: {error}") from error


def _raise_syntax_error(text: str, shown: str, error: tomllib.TOMLDecodeError) -> NoReturn:
    found = re.fullmatch(r"(?s)(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error))
    reason = found[1] if found else str(error)
    lines = text.split("\n")
    number = int(found[2]) if found and found[2] else len(text.rstrip("\n").split("\n"))
    line = lines[number - 1].strip()
    if reason == "Cannot overwrite a value":
        reason = f"{show_value(line.partition('=')[0].strip())} is set a second time"
    elif reason.startswith("Cannot declare"):
        reason = f"table {show_value(line)} is declared a second time"
    elif re.match(r"account_id\s*=\s*\d", line):
        reason = f"{reason}; put the account id in quotes"
    else:
        reason = f"not valid TOML: {reason} in {show_value(line)}"
    raise ConfigError(f"{shown}:{number}: {reason}") from error


def _has_table(path: Path) -> bool:
    """Whether *path* has ``[tool.multistack]``; one broken elsewhere is another tool's business."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    if b"multistack" not in content:
        return False
    try:
        return value_at(tomllib.loads(content.decode("utf-8-sig")), ("tool", "multistack")) is not None
    except (ValueError, RecursionError):
        return re.search(rb"(?m)^\s*\[\s*tool\s*\.\s*multistack\b", content) is not None


def _locate(text: str) -> dict[Key, int]:
    """
    Map every key to the line its statement starts on.

    Every statement of a valid document is a valid document by itself, so lines are gathered until they parse.
    """
    lines: dict[Key, int] = {}
    header: Key = ()
    entries: Counter[Key] = Counter()
    gathered: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        gathered.append(line)
        try:
            table = tomllib.loads("\n".join(gathered))
        except (ValueError, RecursionError):
            if len(gathered) > _MAX_STATEMENT_LINES:
                return lines
            continue
        is_header = gathered[0].lstrip().startswith("[")
        paths = list(_paths(table))
        for path in paths:
            lines.setdefault(path if is_header else header + path, number - len(gathered) + 1)
        if is_header:
            header = paths[-1]
            if gathered[0].lstrip().startswith("[["):  # an entry of an array, known by its index
                array, header = header, (*header, str(entries[header]))
                entries[array] += 1
                lines[header] = number - len(gathered) + 1
        gathered = []
    return lines


def _paths(table: dict[str, object]) -> Iterator[Key]:
    pending: list[tuple[Key, dict[str, object]]] = [((), table)]
    while pending:
        prefix, current = pending.pop()
        for key, value in current.items():
            yield (*prefix, key)
            if isinstance(value, dict) and len(prefix) < _MAX_DEPTH:
                pending.append(((*prefix, key), value))
