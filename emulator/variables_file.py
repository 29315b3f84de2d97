"""Files of variables, one per environment: ``.env.test`` beside the project file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emulator.errors import ConfigError, file_hint

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A name with its value; *line* is where it stands."""

    name: str
    value: str
    line: int


def path_of(root: Path, environment: str) -> Path:
    """Where the variables of *environment* are, if there are any."""
    return root / f".env.{environment}"


def read_variables_file(path: Path) -> list[Variable]:
    """
    What *path* sets, in its order; nothing when there is no such file.

    Quotes, comments, ``export`` and line ends are those of python-dotenv; ``$NAME`` stands for itself.

    Raises:
        ConfigError: It can't be read, isn't UTF-8, a line is no variable, or one is set twice.
    """
    try:
        if path.exists() and path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path.name} has {path.stat().st_size} bytes, a file of variables at most {_MOST_BYTES}")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{path.name} can't be read: {error.strerror}", hint=file_hint(error)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name} is not text in UTF-8 (byte {error.start})") from error
    found: dict[str, Variable] = {}
    for variable in _parse(text, path.name):
        if first := found.get(variable.name):
            raise ConfigError(f"{path.name}:{variable.line}: {variable.name} is set a second time, after {first.line}")
        found[variable.name] = variable
    return list(found.values())


def _parse(text: str, shown: str) -> Iterator[Variable]:
    import io

    from dotenv.parser import parse_stream

    for binding in parse_stream(io.StringIO(text, newline="")):
        lines = binding.original.string
        line = binding.original.line + _leading_lines(lines)
        if binding.error:  # its text may be a secret
            raise ConfigError(f"{shown}:{line}: not NAME=VALUE", hint="put a value of several lines in quotes")
        if binding.key is not None:
            if binding.value is None:
                raise ConfigError(f"{shown}:{line}: {binding.key} has no value", hint=f"write {binding.key}=VALUE")
            yield Variable(name=binding.key, value=binding.value, line=line)


def _leading_lines(text: str) -> int:
    """A statement begins after the empty lines before it."""
    return text[: len(text) - len(text.lstrip())].count("\n")
