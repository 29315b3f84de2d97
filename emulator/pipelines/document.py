"""A YAML file read strictly: each value knows its line, each key is either expected or refused by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import yaml

from emulator.errors import ConfigError

_MOST_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Document:
    """
    What was met while a file was read.

    Attributes:
        file: How messages name it.
        notes: What is in it and not followed here, and why; with the place where it stands first.
        problems: Keys that nobody knows.
    """

    file: str
    notes: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def read(self, text: str) -> Value:
        """
        The value that the file is.

        Raises:
            ConfigError: It is no YAML, or empty.
        """
        if len(text) > _MOST_CHARACTERS:
            raise ConfigError(f"{self.file} is too long for a pipeline: {len(text)} characters")
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            problem = None
        except RecursionError:
            node, problem = None, ":1: it is nested too deeply"
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            reason = getattr(error, "problem", None) or str(error).splitlines()[0]
            node, problem = None, f":{mark.line + 1 if mark else 1}: not YAML: {reason}"
        if problem:
            raise ConfigError(f"{self.file}{problem}")
        if node is None:
            raise ConfigError(f"{self.file} is empty", hint="`multistack pipeline init` writes one")
        return Value(self, node, "")

    def told(self) -> list[str]:
        """The notes as lines."""
        return [f"{place}: {text}" for text, place in self.notes.items()]

    def check(self) -> None:
        """
        Raises:
            ConfigError: Keys were met that nobody knows.
        """
        if self.problems:
            first, *others = self.problems
            hint = "nothing was run: what is left out here would be run there"
            raise ConfigError(first, details=others, hint=hint)


@dataclass(frozen=True, slots=True)
class Value:
    """
    One value of the file.

    Attributes:
        name: Its key, for messages.
    """

    document: Document
    node: yaml.Node
    name: str

    @property
    def line(self) -> int:
        """Counted from 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def place(self) -> str:
        """File and line, as editors read them."""
        return f"{self.document.file}:{self.line}"

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether it has items."""
        return isinstance(self.node, yaml.SequenceNode)

    def fail(self, problem: str, *, hint: str | None = None) -> NoReturn:
        """
        Raises:
            ConfigError: Always; the message begins with the place.
        """
        raise ConfigError(f"{self.place}: {problem}", hint=hint)

    def note(self, text: str) -> None:
        """Tell what is in the file and not followed here; where it stands again, that is not told again."""
        self.document.notes.setdefault(text, self.place)

    def keys(self, known: Iterable[str], *, noted: Mapping[str, str] = {}) -> Mapping[str, Value]:
        """
        The values of a mapping whose keys are all known; others are put on record as problems.

        Args:
            noted: Keys that are not followed here, each with the reason, told as a note.
        """
        names = set(known)
        found = {}
        for key, value in self.pairs().items():
            if key in noted:
                value.note(f"{key} is not used here: {noted[key]}")
            elif key in names:
                found[key] = value
            else:
                near = difflib.get_close_matches(key, names, n=1)
                advice = f", did you mean {near[0]}?" if near else ""
                self.document.problems.append(f"{value.place}: {key} is not understood{advice}")
        return found

    def pairs(self) -> Mapping[str, Value]:
        """The values of a mapping with keys of any name; ``<<`` is merged."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"{self.name or 'the file'} must have keys")
        self._refuse_tag()
        found: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key, node in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fail("a key must be a text")
            value = Value(self.document, node, key.value)
            if key.tag == "tag:yaml.org,2002:merge":
                for one in value.items() if value.is_list else [value]:
                    merged = {**one.pairs(), **merged}
            elif key.value in found:
                Value(self.document, key, "").fail(f"{key.value} stands twice")
            else:
                found[key.value] = value
        return {**merged, **found}

    def items(self) -> Sequence[Value]:
        """The items of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail(f"{self.name} must be a list")
        self._refuse_tag()
        return [Value(self.document, node, self.name) for node in self.node.value]

    def text(self) -> str:
        """A plain value as it is written."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.fail(f"{self.name} must be a text")
        self._refuse_tag()
        return str(self.node.value)

    def texts(self) -> Sequence[str]:
        """A text, or a list of texts; lists in it are taken apart, as GitLab does."""
        if not self.is_list:
            return [self.text()]
        return [text for item in self.items() for text in (item.texts() if item.is_list else [item.text()])]

    def is_true(self) -> bool:
        """A boolean."""
        text = self.text().lower()
        if text not in {"true", "false"}:
            self.fail(f"{self.name} must be true or false, not {text}")
        return text == "true"

    def _refuse_tag(self) -> None:
        """A tag such as ``!reference`` means something that its CI system does."""
        if self.node.tag.startswith("!"):
            self.fail(f"{self.node.tag} is not understood")
