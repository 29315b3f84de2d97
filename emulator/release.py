"""A release is an artifact plus one environment's config: made, checked, and turned into stack parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from emulator.config_values import missing
from emulator.errors import ConfigError
from emulator.model import Artifact, Environment, Project, Release
from emulator.vault import Vault

_SHORT = 12


class Releases:
    """
    Makes the releases of one project.

    Args:
        vault: Remembers the secrets that they are deployed with.
    """

    def __init__(self, project: Project, vault: Vault) -> None:
        self._project = project
        self._vault = vault

    def make(self, artifact: Artifact, environment: Environment) -> Release:
        """
        *artifact* with today's config of *environment*.

        Raises:
            ConfigError: A key has no value, or is none of the template's.
        """
        keys = self._project.config_keys
        if absent := list(missing(keys, environment.config, environment.secrets)):
            raise ConfigError(
                f"environment {environment.name}: {', '.join(absent)} of [config] has no value",
                hint=f"multistack config set {environment.name} {absent[0]}",
            )
        names = (*environment.config, *environment.secrets)
        check_config(self._project, artifact, environment.name, names)
        return make_release(artifact, environment.config, self._vault.keep(environment.secrets))

    def config_hash(self, environment: Environment) -> str:
        """What the hash of a release made now would be."""
        return hash_config(environment.config, self._vault.hashes(environment.secrets))


def make_release(artifact: Artifact, config: Mapping[str, str], secrets: Mapping[str, str] = {}) -> Release:
    """
    An artifact plus config; the same make the same release, whenever and wherever in this project.

    Args:
        secrets: Key to salted hash.
    """
    config_hash = hash_config(config, secrets)
    return Release(
        id=_hash(artifact.digest + config_hash),
        digest=artifact.digest,
        config_hash=config_hash,
        config=dict(config),
        secrets=dict(secrets),
    )


def hash_config(config: Mapping[str, str], secrets: Mapping[str, str] = {}) -> str:
    """12 hex digits, the same for the same keys and values."""
    both = [dict(config), dict(secrets)] if secrets else dict(config)
    return _hash(json.dumps(both, sort_keys=True))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_SHORT]


def check_config(project: Project, artifact: Artifact, environment: str, config: Collection[str]) -> None:
    """
    Compare config keys with the template's parameters before anything is touched.

    Raises:
        ConfigError: A key that is no parameter, or a parameter with neither value nor default.
    """
    check_parameters(project, artifact.template, environment, config)


def check_parameters(
    project: Project, template: Mapping[str, object], environment: str, config: Collection[str]
) -> None:
    """The same for a template that wasn't built yet; raises ConfigError."""
    declared = _parameters(template)
    place = f"{project.file.name}: config of environment {environment}"
    for key in config:
        if key not in declared:
            near = get_close_matches(key, declared, n=1)
            raise ConfigError(
                f"{place}: {key} is not a parameter of {project.template.name}",
                hint=f"did you mean {near[0]}?" if near else f"its parameters: {', '.join(declared) or 'none'}",
            )
    absent = [
        name
        for name, parameter in declared.items()
        if "Default" not in parameter and name not in config and name not in _supplied("", None)
    ]
    if absent:
        raise ConfigError(
            f"{place}: {absent[0]} has no value, and the template gives it no default",
            hint=f"set {', '.join(absent)} under [environments.{environment}.config]",
        )


def _parameters(template: Mapping[str, object]) -> Mapping[str, Any]:
    found = template.get("Parameters") or {}
    return found if isinstance(found, dict) else {}


def _supplied(environment: str, release: Release | None) -> Mapping[str, str]:
    """Parameters that a template gets from multistack if it declares them."""
    return {
        "MultistackEnvironment": environment,
        "MultistackRelease": release.id if release else "",
        "MultistackDigest": release.digest if release else "",
        "MultistackConfigHash": release.config_hash if release else "",
    }


def parameters_of(
    artifact: Artifact, environment: str, release: Release, arns: Mapping[str, str] = {}
) -> Mapping[str, str]:
    """
    Every parameter value that the stack is given.

    Args:
        arns: Key to the ARN that stands for its secret; keys without one are given their hash, to compare templates.
    """
    declared = _parameters(artifact.template)
    given = {**_supplied(environment, release), **release.config, **release.secrets, **arns}
    return {name: value for name, value in given.items() if name in declared}
