"""
The settings of SAM's command line as a source of parameters.

Source:
    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.cfn_yaml import parse
from emulator.errors import ConfigError
from emulator.frameworks.service import GivenValue
from emulator.project_file import read_project_file

# In the order in which SAM looks for them.
NAMES = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")
# What a name without a table of its own gets, as `sam deploy` without --config-env does.
DEFAULT = "default"
# What a command takes from its own table goes before what it takes from the one for all commands.
_COMMANDS = ("deploy", "global")
_LONG = re.compile(r"ParameterKey=(?P<key>[^,]+),ParameterValue=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Overrides:
    """``parameter_overrides`` of one environment as it is written, and where."""

    value: object
    source: str


def environments_in(folder: Path) -> list[str]:
    """The environments that the settings in *folder* know, in their order; raises ConfigError."""
    return [name for name, table in _read(folder)[1].items() if isinstance(table, dict)]


def overrides(folder: Path, environment: str) -> Mapping[str, GivenValue]:
    """
    Parameter to value, as the settings in *folder* give it to *environment*.

    Raises:
        ConfigError: The file can't be read, or its ``parameter_overrides`` say nothing.
    """
    found = _overrides(folder, environment)
    if found is None:
        return {}
    try:
        return {key: GivenValue(value, found.source) for key, value in _pairs(found.value)}
    except ValueError as error:
        raise ConfigError(
            f"{found.source}: parameter_overrides of {environment} can't be read: {error}",
            hint='write it as SAM does, e.g. parameter_overrides = "Name=value Other=value"',
        ) from error


def _overrides(folder: Path, environment: str) -> _Overrides | None:
    path, tables, line_of = _read(folder)
    name = environment if isinstance(tables.get(environment), dict) else DEFAULT
    for command in _COMMANDS:
        place = (name, command, "parameters", "parameter_overrides")
        value: Any = tables
        for step in place:
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None and path is not None:
            return _Overrides(value, line_of(place))
    return None


def _read(folder: Path) -> tuple[Path | None, Mapping[str, Any], Any]:
    """The file, what is in it, and what tells where one of its keys is."""
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None or path.stat().st_size == 0:
        return None, {}, None
    if path.suffix == ".toml":
        file = read_project_file(path, shown=path.name)
        return path, file.data, lambda place: f"{path.name}:{file.line_of(place)}"
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path.name} can't be read: {error}") from error
    return path, content if isinstance(content, dict) else {}, lambda _place: path.name


def _pairs(value: object) -> Iterator[tuple[str, str]]:
    """
    Name and value of each parameter; raises ValueError.

    SAM takes ``A=1 B=2``, ``ParameterKey=A,ParameterValue=1``, a list of these, and a mapping.
    """
    if isinstance(value, dict):
        yield from ((str(key), _text(one)) for key, one in value.items())
        return
    for text in value if isinstance(value, list) else [value]:
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is no text")
        if text.startswith("file://"):
            raise ValueError("values in files of their own are not read; write them out")
        for word in shlex.split(text):
            long = _LONG.fullmatch(word)
            key, sign, found = (long["key"], "=", long["value"]) if long else word.partition("=")
            if not key or not sign:
                raise ValueError(f"{word!r} is not Name=value")
            yield key, found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
