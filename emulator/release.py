"""A release is an artifact plus one environment's config: made, checked, and turned into stack parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from emulator.errors import ConfigError
from emulator.model import Artifact, Project, Release

_SHORT = 12


def make_release(artifact: Artifact, config: Mapping[str, str]) -> Release:
    """An artifact plus config; the same two make the same release, whenever and wherever."""
    config_hash = hash_config(config)
    return Release(
        id=_hash(artifact.digest + config_hash), digest=artifact.digest, config_hash=config_hash, config=dict(config)
    )


def hash_config(config: Mapping[str, str]) -> str:
    """12 hex digits, the same for the same keys and values."""
    return _hash(json.dumps(dict(config), sort_keys=True))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_SHORT]


def check_config(project: Project, artifact: Artifact, environment: str, config: Mapping[str, str]) -> None:
    """
    Compare config keys with the template's parameters before anything is touched.

    Raises:
        ConfigError: A key that is no parameter, or a parameter with neither value nor default.
    """
    declared = _parameters(artifact)
    place = f"{project.file.name}: config of environment {environment}"
    for key in config:
        if key not in declared:
            near = get_close_matches(key, declared, n=1)
            raise ConfigError(
                f"{place}: {key} is not a parameter of {project.template.name}",
                hint=f"did you mean {near[0]}?" if near else f"its parameters: {', '.join(declared) or 'none'}",
            )
    missing = [
        name
        for name, parameter in declared.items()
        if "Default" not in parameter and name not in config and name not in _supplied("", None)
    ]
    if missing:
        raise ConfigError(
            f"{place}: {missing[0]} has no value, and the template gives it no default",
            hint=f"set {', '.join(missing)} under [environments.{environment}.config]",
        )


def _parameters(artifact: Artifact) -> Mapping[str, Any]:
    found = artifact.template.get("Parameters") or {}
    return found if isinstance(found, dict) else {}


def _supplied(environment: str, release: Release | None) -> Mapping[str, str]:
    """Parameters that a template gets from multistack if it declares them."""
    return {
        "MultistackEnvironment": environment,
        "MultistackRelease": release.id if release else "",
        "MultistackDigest": release.digest if release else "",
        "MultistackConfigHash": release.config_hash if release else "",
    }


def parameters_of(artifact: Artifact, environment: str, release: Release) -> Mapping[str, str]:
    """Every parameter value that the stack is given."""
    declared = _parameters(artifact)
    return {
        name: value for name, value in {**_supplied(environment, release), **release.config}.items() if name in declared
    }
