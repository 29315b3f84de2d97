"""What variables and flags say, put over what the project file says."""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.config_keys import named
from emulator.errors import ConfigError
from emulator.process import LABEL
from emulator.setting import Key, matches, value_at
from emulator.settings import SETTINGS

_CONFIG_PREFIX = "MULTISTACK_CONFIG_"
# What `multistack exec` tells the command it runs, which may call multistack again, and the mark of a server's own.
_TOLD = frozenset({"MULTISTACK_ENVIRONMENT", "MULTISTACK_URL", LABEL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value from outside the project file; *source* is what messages call it."""

    key: Key
    value: object
    source: str


def environment_names(data: dict[str, object]) -> list[str]:
    """The names of the file's environments in its order, valid or not."""
    environments = data.get("environments")
    return list(environments) if isinstance(environments, dict) else []


def folded(name: str) -> str:
    """The environment's name as it stands in a variable."""
    return name.upper().replace("-", "_")


def read_variables(
    environ: Mapping[str, str], names: Sequence[str], data: dict[str, object]
) -> tuple[list[Given], list[str]]:
    """Return what ``MULTISTACK_*`` variables set, general before specific, with a line for each unknown one."""
    keys = _variable_keys(names)
    given = [
        Given(key=key, value=_typed(key, environ[variable]), source=variable)
        for variable, key in keys.items()
        if environ.get(variable) and variable != "MULTISTACK_FILE"
    ]
    problems = []
    by_variable = {folded(name): name for name in names}
    for variable in sorted(name for name in environ if name.startswith("MULTISTACK_") and name not in {*keys, *_TOLD}):
        # Template parameters are letters and digits, so the last underscore ends the environment's name.
        part, _, parameter = variable.removeprefix(_CONFIG_PREFIX).rpartition("_")
        if variable.startswith(_CONFIG_PREFIX) and part in by_variable and parameter:
            own, declared = value_at(data, ("environments", by_variable[part], "config")), data.get("config")
            known = {**(declared if isinstance(declared, dict) else {}), **(own if isinstance(own, dict) else {})}
            parameter = named(parameter, known)
            key = ("environments", by_variable[part], "config", parameter)
            given.append(Given(key=key, value=environ[variable], source=variable))
            continue
        candidates = [*keys, *(f"{_CONFIG_PREFIX}{name}_{parameter or '<KEY>'}" for name in by_variable)]
        nearest = difflib.get_close_matches(variable, candidates, n=1, cutoff=0)[0]
        problems.append(f"{variable}: unknown variable, did you mean {nearest}?")
    return given, problems


def _variable_keys(names: Sequence[str]) -> dict[str, Key]:
    """Map every variable these environments can have to its key, general ones first; config has its own rule."""
    keys: dict[str, Key] = {}
    for setting in SETTINGS:
        if "<NAME>" not in setting.variable:
            keys[setting.variable] = setting.path
        elif not setting.variable.startswith(_CONFIG_PREFIX):
            for name in names:
                key = tuple(name if part == "<name>" else part for part in setting.path)
                keys[setting.variable.replace("<NAME>", folded(name))] = key
    return keys


def read_flags(overrides: Mapping[str, object], names: Sequence[str]) -> tuple[list[Given], list[str]]:
    """
    Return what flags set, general before specific, with a line for each unknown setting or environment.
    """
    given, problems = [], []
    for dotted in sorted((key for key in overrides if overrides[key] is not None), key=lambda key: key.count(".")):
        key, value = tuple(dotted.split(".")), overrides[dotted]
        if not any(matches(setting.path, key) for setting in SETTINGS):
            nearest = difflib.get_close_matches(dotted, [setting.key for setting in SETTINGS], n=1, cutoff=0)[0]
            problems.append(f"command line: unknown setting {dotted}, did you mean {nearest}?")
            continue
        if key[0] == "environments" and key[1] not in names:
            problems.append(f"command line: no environment {key[1]}; there are {', '.join(names) or 'none'}")
            continue
        if isinstance(value, enum.Enum):
            value = value.value
        elif isinstance(value, Path):
            value = str(value)
        given.append(Given(key=key, value=_typed(key, value), source="command line"))
    return given, problems


def _typed(key: Key, value: object) -> object:
    """Read text as the type its setting has; text that cannot be read is left for the schema to refuse."""
    if not isinstance(value, str) or len(key) == 4:
        return value
    if key == ("verify", "command"):
        return value
    if key[-1] in {"port", "max_body", "max_requests", "lambda_concurrency"} and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if key[-1] in {"timeout", "store_timeout", "cpus"} and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return float(value)
    if key[-1] in {"protected", "enforce_iam", "allow_remote", "internal", "enabled"}:
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
    return value


def read_allow_remote(environ: Mapping[str, str], overrides: Mapping[str, object]) -> bool:
    """
    The setting ``allow_remote`` by a flag or its variable, for commands that do without a project.

    Raises:
        ConfigError: It is neither true nor false.
    """
    variable = "MULTISTACK_ALLOW_REMOTE"
    given = overrides.get("allow_remote")
    source = "command line" if given is not None else variable
    value = _typed(("allow_remote",), environ.get(variable) or False if given is None else given)
    if not isinstance(value, bool):
        raise ConfigError(f"{source}: allow_remote must be true or false, not {value!r}")
    return value


def apply(data: dict[str, object], given: Sequence[Given]) -> dict[Key, str]:
    """Put *given* into *data*, later ones over earlier ones; return the source of each key."""
    sources: dict[Key, str] = {}
    for item in given:
        if item.key in {("region",), ("driver",)}:
            _forget_own(data, sources, item.key[0])
        table: object = data
        for part in item.key[:-1]:
            table = table.setdefault(part, {}) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table[item.key[-1]] = item.value
            sources[item.key] = item.source
    return sources


def _forget_own(data: dict[str, object], sources: dict[Key, str], setting: str) -> None:
    """Drop what single environments say about *setting*, because it was set for all of them."""
    for name in environment_names(data):
        table = value_at(data, ("environments", name))
        if isinstance(table, dict):
            table.pop(setting, None)
            sources.pop(("environments", name, setting), None)
