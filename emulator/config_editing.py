"""Sets and removes one value of an environment's config, in the file where it belongs, leaving all else as it is."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.config_keys import named, read_value, unknown_key
from emulator.errors import ConfigError, MultistackError, file_hint
from emulator.model import ConfigKey, ConfigType, Environment, Project
from emulator.overrides import folded
from emulator.process import write_atomically
from emulator.variables_file import path_of, read_variables_file

MASK = "********"


def set_value(project: Project, environment: Environment, name: str, text: str) -> str:
    """
    Set config key *name* of *environment*; returns where.

    A secret goes into the environment's file of variables, and so does a key that is there already, or any of a created
    environment; all else into the project file.

    Args:
        text: As a person types it.

    Raises:
        ConfigError: The key is not declared, or its value doesn't fit; nothing was written.
    """
    key = _key(project, name)
    try:
        value = read_value(key, text, is_text=True)
    except ValueError as error:
        raise ConfigError(f"{key.name} {error}") from error
    path = path_of(project.root, environment.name)
    if environment.created is not None and not project.config_keys:
        raise ConfigError(
            f"environment {environment.name} was created for a while: {project.file.name} has no place for its config",
            hint=f"set it for one command by variable: MULTISTACK_CONFIG_{folded(environment.name)}_{key.name}",
        )
    if key.secret or (project.config_keys and (environment.created or _stands_in(path, key.name))):
        _write_variable(path, key.name, value)
        return path.name
    _edit(project, environment.name, key.name, _toml_value(key, value))
    return project.file.name


def unset_value(project: Project, environment: Environment, name: str) -> list[str]:
    """
    Remove *name* from wherever it is set for *environment*; returns those places.

    Raises:
        ConfigError: The key is not declared.
    """
    key, path, places = _key(project, name), path_of(project.root, environment.name), []
    if project.config_keys and _stands_in(path, key.name):
        _write_variable(path, key.name, None)
        places.append(path.name)
    if environment.created is None and _edit(project, environment.name, key.name, None):
        places.append(project.file.name)
    return places


def _key(project: Project, name: str) -> ConfigKey:
    if not project.config_keys:  # then the template's parameters are the keys, whose types it knows
        return ConfigKey(name=name)
    found = project.config_keys.get(named(name, project.config_keys))
    if found is None:
        raise ConfigError(f"{project.file.name}: {unknown_key(name, project.config_keys)}")
    return found


def _stands_in(path: Path, name: str) -> bool:
    return any(variable.name.upper() == name.upper() for variable in read_variables_file(path))


def _write_variable(path: Path, name: str, value: str | None) -> None:
    """Replace, add or remove one variable; the file is its owner's only, whoever made it."""
    from dotenv import set_key, unset_key

    same = [variable.name for variable in read_variables_file(path) if variable.name.upper() == name.upper()]
    written = same[0] if same else name
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            aside.write_bytes(path.read_bytes() if path.exists() else b"")
            aside.chmod(0o600)
            encoding = "utf-8-sig" if aside.read_bytes().startswith(BOM_UTF8) else "utf-8"
            if value is None:
                unset_key(aside, written, encoding=encoding)
            else:
                set_key(aside, written, value, encoding=encoding)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise MultistackError(f"can't write {path}: {error.strerror}", hint=file_hint(error)) from error


def _toml_value(key: ConfigKey, text: str) -> Any:
    if key.type is ConfigType.BOOLEAN:
        return text == "true"
    if key.type is ConfigType.INTEGER or (key.type is ConfigType.NUMBER and "." not in text):
        return int(text)
    if key.type is ConfigType.NUMBER:
        return float(text)
    return text.split(",") if key.type is ConfigType.LIST else text


def _edit(project: Project, environment: str, name: str, value: Any) -> bool:
    """Set, or with None remove, a value in the project file; whether there was anything to do."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        text = project.file.read_bytes().decode("utf-8-sig")
        document: Any = tomlkit.parse(text)
        root = document["tool"]["multistack"] if project.file.name == "pyproject.toml" else document
        own = root["environments"][environment]
        if value is None:
            if name not in own.get("config", {}):
                return False
            del own["config"][name]
        else:
            own.setdefault("config", tomlkit.table())[name] = value
        write_atomically(project.file, tomlkit.dumps(document).encode())
    except OSError as error:
        raise MultistackError(f"can't write {project.file}: {error.strerror}", hint=file_hint(error)) from error
    except (TOMLKitError, KeyError) as error:
        raise ConfigError(f"{project.file.name} can't be edited: {error}", hint=f"set {name} in it by hand") from error
    return True


def values_of(environment: Environment) -> Mapping[str, str]:
    """Every key that has a value, as it may be shown."""
    return {**environment.config, **dict.fromkeys(environment.secrets, MASK)}
