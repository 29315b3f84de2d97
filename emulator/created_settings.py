"""Gives created environments the settings and the config of the one they are like, and their own over those."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from emulator.config_keys import named
from emulator.model import Creation
from emulator.overrides import Given, apply, environment_names
from emulator.setting import Key, value_at

# An environment's own, whatever it is like: no two can share the first two, and it was made to be removed.
_OWN = frozenset({"account_id", "port", "protected", "soak"})


def apply_with_created(
    data: dict[str, object], given: Sequence[Given], created: Mapping[str, Creation]
) -> tuple[dict[Key, str], Callable[[Key], bool]]:
    """
    Put *given* into *data*, and the created environments after the declared ones.

    What is given for an environment that is neither is left out.

    Returns:
        The source of each key; and whether a key is just a copy, about which all is said where it was copied from.
    """
    declared = {None, *environment_names(data)}
    own = [one for one in given if _environment_of(one.key) in created]
    sources = apply(data, [one for one in given if _environment_of(one.key) in declared])
    for name, creation in created.items():
        sources |= _copy(data, sources, name, creation.like)
    fitting = [_fitting(data, one) for one in own]
    sources |= apply(data, fitting)
    given_keys = {one.key for one in fitting}
    return sources, lambda key: _environment_of(key) in created and key not in given_keys


def _environment_of(key: Key) -> str | None:
    return key[1] if len(key) > 1 and key[0] == "environments" else None


def _copy(data: dict[str, object], sources: Mapping[Key, str], name: str, like: str) -> dict[Key, str]:
    table, environments = value_at(data, ("environments", like)), data.get("environments")
    if isinstance(table, dict) and isinstance(environments, dict):
        environments[name] = {key: copy.deepcopy(value) for key, value in table.items() if key not in _OWN}
    return {
        ("environments", name, *key[2:]): source
        for key, source in sources.items()
        if _environment_of(key) == like and len(key) > 2 and key[2] not in _OWN
    }


def _fitting(data: dict[str, object], given: Given) -> Given:
    """*given* with its config key as the one that it is like has it: that of a variable is in any case."""
    config = value_at(data, (*given.key[:2], "config"))
    if len(given.key) != 4 or not isinstance(config, dict):
        return given
    return replace(given, key=(*given.key[:3], named(given.key[3], config)))
