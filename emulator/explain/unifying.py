"""One value out of those that environments have: the same, a text with the environment's name, or a parameter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.explain.joined import text_of
from emulator.explain.words import without_word

ENVIRONMENT = "MultistackEnvironment"
# Where CloudFormation takes no reference.
_FIXED = {"Type", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Ref", "Fn::GetAtt"}
_MISSING = object()


@dataclass(slots=True)
class Unifier:
    """
    Makes one value for all environments, and remembers what that takes.

    Attributes:
        taken: Names that no new parameter may have.
        parameters: New ones, as a template declares them.
        config: Environment to parameter to value.
        notes: What could not be made one, for a person to decide.
    """

    taken: set[str]
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    config: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    uses_environment: bool = False

    def one(self, values: Mapping[str, Any], where: tuple[str, ...]) -> Any:
        """
        Args:
            values: Environment to its value; `_MISSING` where it has none.
            where: The names that lead there, for messages and for the name of a parameter.
        """
        distinct = list(values.values())
        if all(_same(value, distinct[0]) for value in distinct):
            return distinct[0]
        if all(isinstance(value, dict) for value in distinct):
            return self._mapping(values, where)
        if all(isinstance(value, list) and len(value) == len(distinct[0]) for value in distinct):
            return [
                self.one({name: value[index] for name, value in values.items()}, where)
                for index in range(len(distinct[0]))
            ]
        if where[-1] in _FIXED or any(isinstance(value, dict) or value is _MISSING for value in distinct):
            return self._undecided(values, where)
        return self._text(values) or self._parameter(values, where)

    def _mapping(self, values: Mapping[str, Any], where: tuple[str, ...]) -> Any:
        if all(value.keys() == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str) for value in values.values()):
            texts = {name: value["Fn::Sub"] for name, value in values.items()}
            if (found := self._pattern(texts)) is not None:
                return {"Fn::Sub": found.replace("\0", f"${{{ENVIRONMENT}}}")}
            return self._undecided(values, where)
        keys = dict.fromkeys(key for value in values.values() for key in value)
        made = {
            key: self.one({name: value.get(key, _MISSING) for name, value in values.items()}, (*where, str(key)))
            for key in keys
        }
        return {key: value for key, value in made.items() if value is not _MISSING}

    def _pattern(self, texts: Mapping[str, str]) -> str | None:
        found = {without_word(text, name) for name, text in texts.items()}
        pattern = found.pop()
        if found or pattern is None:
            return None
        self.uses_environment = True
        return pattern

    def _text(self, values: Mapping[str, Any]) -> Any:
        """A text that differs in the environment's name only; None if that is not so."""
        if not all(isinstance(value, str) for value in values.values()):
            return None
        pattern = self._pattern(values)
        if pattern is None:
            return None
        head, *rest = pattern.split("\0")
        return text_of([head, *(part for literal in rest for part in ({"Ref": ENVIRONMENT}, literal))])

    def _parameter(self, values: Mapping[str, Any], where: tuple[str, ...]) -> Any:
        is_list = any(isinstance(value, list) for value in values.values())
        if is_list and not all(_is_plain_list(value) for value in values.values()):
            return self._undecided(values, where)
        texts = {name: ",".join(value) if is_list else value for name, value in values.items()}
        return {"Ref": self.parameter(where, texts, "CommaDelimitedList" if is_list else _type(texts.values()))}

    def parameter(self, where: tuple[str, ...], values: Mapping[str, Any], kind: str) -> str:
        """The name of a new parameter with these values, or of one that has the same already."""
        names = [name for part in where if (name := "".join(re.findall(r"[A-Za-z0-9]+", _camel(part))))]
        candidates = ["".join(names[-count:]) for count in range(1, len(names) + 1)]
        candidates += [f"{candidates[-1]}{number}" for number in range(2, len(self.taken) + 3)]
        for name in candidates:
            known = {one: config[name] for one, config in self.config.items() if name in config}
            if name in self.parameters and known == values:
                return name
            if name not in self.taken and name[0].isalpha():
                break
        self.taken.add(name)
        self.parameters[name] = {"Type": kind}
        for environment, value in values.items():
            self.config.setdefault(environment, {})[name] = value
        return name

    def _undecided(self, values: Mapping[str, Any], where: tuple[str, ...]) -> Any:
        """Production's, for want of a rule."""
        chosen = "prod" if "prod" in values else list(values)[-1]
        shown = "; ".join(
            f"{name}: {'nothing' if value is _MISSING else json.dumps(value)[:60]}" for name, value in values.items()
        )
        self.notes.append(f"{'.'.join(where)} differs, and {chosen}'s was taken: {shown}")
        return values[chosen]


def _same(one: Any, two: Any) -> bool:
    return bool(one == two) and isinstance(one, bool) == isinstance(two, bool)


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and "," not in one for one in value)


def _camel(name: str) -> str:
    words = re.split(r"[^A-Za-z0-9]+", name)
    return "".join(word.capitalize() if word.isupper() else word[:1].upper() + word[1:] for word in words)


def _type(values: Any) -> str:
    return (
        "Number"
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
        else "String"
    )
