"""Config of environments: what the project file declares, and each environment's values with where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emulator.config_keys import named, read_value, unknown_key
from emulator.errors import ConfigError
from emulator.frameworks.service import GivenValue
from emulator.model import ConfigKey
from emulator.overrides import Given
from emulator.schema import ProjectTable
from emulator.setting import Key, show_key, value_at
from emulator.variables_file import path_of, read_variables_file

Problem = tuple[Key, str]


@dataclass(slots=True, kw_only=True)
class Values:
    """One environment's, by key; *origins* are of both."""

    config: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)


def given_by_files(root: Path, names: Sequence[str], data: Mapping[str, object]) -> tuple[list[Given], list[str]]:
    """
    What ``.env.<environment>`` files set, with a line for each name that is no declared key.

    They are read only where keys are declared: files of that name are often another tool's.

    Raises:
        ConfigError: One can't be read.
    """
    declared = data.get("config")
    if not isinstance(declared, dict) or not declared:
        return [], []
    keys = {name: ConfigKey(name=name) for name in declared}
    given, problems = [], []
    for environment in names:
        path = path_of(root, environment)
        if not re.fullmatch(r"[a-z0-9-]+", environment):
            continue
        seen: dict[str, int] = {}
        for variable in read_variables_file(path):
            key, source = named(variable.name, keys), f"{path.name}:{variable.line}"
            if seen.setdefault(key, variable.line) != variable.line:
                problems.append(f"{source}: {key} is set a second time, after {seen[key]}")
            elif key in keys:
                given.append(
                    Given(key=("environments", environment, "config", key), value=variable.value, source=source)
                )
            else:
                problems.append(f"{source}: {unknown_key(variable.name, keys)}")
    return given, problems


def declarations(table: ProjectTable) -> tuple[Mapping[str, ConfigKey], list[Problem]]:
    """The declared keys, with what is wrong about their defaults."""
    keys: dict[str, ConfigKey] = {}
    problems: list[Problem] = []
    for name, own in table.config.items():
        place: Key = ("config", name, "default")
        key = ConfigKey(name=name, type=own.type, required=own.required, secret=own.secret, description=own.description)
        keys[name] = key
        if own.default is None:
            continue
        if own.secret:
            problems.append((place, f"{show_key(place)}: a secret has no default in this file"))
            continue
        try:
            text = read_value(key, own.default, is_text=False)
        except ValueError as error:
            problems.append((place, f"{show_key(place)} {error}"))
        else:
            keys[name] = ConfigKey(
                name=name, type=own.type, required=own.required, default=text, description=own.description
            )
    return keys, problems


def values_of(
    data: Mapping[str, object], environment: str, keys: Mapping[str, ConfigKey], outside: Mapping[Key, str]
) -> tuple[Values, list[Problem]]:
    """
    The values of one environment's declared keys, with what is wrong about them.

    Args:
        data: The whole file, with variables and flags put over it.
        outside: Where each value comes from that the file doesn't set.
    """
    values, problems = Values(), []
    table = value_at(data, ("environments", environment, "config"))
    for name, value in (table if isinstance(table, dict) else {}).items():
        place: Key = ("environments", environment, "config", name)
        if name not in keys:
            problems.append((place, f"{show_key(place)}: {unknown_key(name, keys)}"))
        elif keys[name].secret and place not in outside:
            hint = f"move it to .env.{environment}, e.g. with `multistack config set {environment} {name}`"
            problems.append((place, f"{show_key(place)} is a secret, which this file must not hold; {hint}"))
        else:
            try:
                text = read_value(keys[name], value, is_text=place in outside)
            except ValueError as error:
                problems.append((place, f"{show_key(place)} {error}"))
            else:
                (values.secrets if keys[name].secret else values.config)[name] = text
                values.origins[name] = outside.get(place, "")
    for name, key in keys.items():
        if key.default is not None and name not in values.config:
            values.config[name] = key.default
            values.origins[name] = "default"
    return values, problems


def over_given(values: Values, given: Mapping[str, GivenValue], keys: Mapping[str, ConfigKey]) -> Values:
    """
    *values* over what the service's framework gives to the same environment; where keys are declared, to those only.

    Raises:
        ConfigError: A value is none that its declared key may have.
    """
    for name, one in given.items():
        key = keys.get(name)
        is_set = (name in values.config and values.origins.get(name) != "default") or name in values.secrets
        if is_set or (keys and key is None):
            continue
        try:
            text = one.text if key is None else read_value(key, one.text, is_text=True)
        except ValueError as error:
            raise ConfigError(f"{one.source}: {name} {error}") from error
        (values.secrets if key is not None and key.secret else values.config)[name] = text
        values.origins[name] = one.source
    return values


def missing(keys: Mapping[str, ConfigKey], config: Mapping[str, str], secrets: Mapping[str, str]) -> Iterator[str]:
    """The required keys that have no value."""
    return (name for name, key in keys.items() if key.required and name not in config and name not in secrets)
