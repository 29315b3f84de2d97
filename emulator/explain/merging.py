"""Makes one of what a template has once per environment. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.explain.survey import Survey, Twins
from emulator.explain.unifying import Unifier
from emulator.template import Template


def merged_names(found: Survey) -> list[tuple[Twins, str]]:
    """The name that each group of twins gets: what they have in common, unless that is taken."""
    merged = []
    taken = {section: set(found.template.get(section, {})) for section in ("Resources", "Parameters", "Outputs")}
    taken["Resources"] |= taken["Parameters"]  # references know one space of names
    taken["Parameters"] = taken["Resources"]
    for twins in found.twins:
        base = twins.base if twins.base[:1].isalpha() else twins.type.rpartition("::")[2] + twins.base
        candidates = [
            base,
            f"{base}{twins.type.rpartition('::')[2]}",
            *(f"{base}{number}" for number in range(2, 1000)),
        ]
        name = next(one for one in candidates if one and one not in taken[twins.section])
        taken[twins.section].add(name)
        merged.append((twins, name))
    return merged


def merge(template: Template, twins: Twins, new: str, unifier: Unifier) -> None:
    section = template[twins.section]
    contents = {environment: section[old] for environment, old in twins.members.items()}
    is_parameter = twins.section == "Parameters"
    one = _merged_parameter(contents, new, unifier) if is_parameter else unifier.one(contents, (new,))
    first = next(name for name in section if name in twins.members.values())
    gone = set(twins.members.values()) - {first}
    template[twins.section] = {
        new if name == first else name: one if name == first else content
        for name, content in section.items()
        if name not in gone
    }


def _merged_parameter(contents: Mapping[str, dict[str, Any]], new: str, unifier: Unifier) -> dict[str, Any]:
    """One parameter; defaults that differ become config."""
    defaults = {name: one["Default"] for name, one in contents.items() if "Default" in one}
    chosen = dict(contents.get("prod", next(iter(contents.values()))))
    if len(defaults) < len(contents) or len({repr(value) for value in defaults.values()}) > 1:
        chosen.pop("Default", None)
        for environment, value in defaults.items():
            unifier.config.setdefault(environment, {})[new] = value
    return chosen
