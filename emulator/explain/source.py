"""A template as a file: read, held to bounds, and the line of each of its places."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from emulator.cfn_yaml import parse
from emulator.errors import ConfigError
from emulator.explain import frameworks
from emulator.explain.finding import Path as Place
from emulator.settings import TEMPLATE_NAMES
from emulator.shape import check_shape
from emulator.template import Template

# Bytes. Source: AWS CloudFormation quotas, "Template body size in an S3 object".
_LARGEST = 1 << 20
# Values of a template once its YAML aliases are written out; what CloudFormation takes has far fewer.
_MOST_VALUES = 500_000


@dataclass(frozen=True)
class Source:
    """
    A template and where it is from.

    Attributes:
        shown: How messages call it.
        path: None when it was read from a stack, and so *text*.
    """

    shown: str
    template: Template
    path: Path | None = None
    text: str | None = None

    @cached_property
    def is_json(self) -> bool:
        """Whether it is JSON, which has no comments to keep."""
        return self.text is not None and self.text.lstrip("\ufeff \t\r\n").startswith("{")

    @cached_property
    def _root(self) -> yaml.Node | None:
        return None if self.text is None else compose(self.text)

    def line(self, place: Place) -> int | None:
        """The line of *place*, or of the nearest one around it; None without a file."""
        node = self._root
        if node is None:
            return None
        line = node.start_mark.line
        for step in place:
            found = next((pair for pair in _entries(node) if pair[0] == step), None)
            if found is None:
                break
            _, line, node = found
        return int(line) + 1


def compose(text: str) -> yaml.Node | None:
    """The tree of a YAML or JSON text; raises yaml.YAMLError. JSON may be indented with tabs, YAML not."""
    plain = text.replace("\t", " ") if text.lstrip("\ufeff \r\n\t").startswith("{") else text
    root: yaml.Node | None = yaml.compose(plain, Loader=yaml.SafeLoader)
    return root


def read_source(path: Path, shown: str) -> Source:
    """
    Read a template; for a folder, the first of ``template.yaml``, ``.yml`` and ``.json`` in it.

    Raises:
        ConfigError: There is none, it is none, or it is too large.
    """
    if path.is_dir():
        found = next((path / name for name in TEMPLATE_NAMES if (path / name).is_file()), None)
        if found is None:
            raise ConfigError(f"no template in {shown}: looked for {', '.join(TEMPLATE_NAMES)}", hint="name the file")
        path, shown = found, str(Path(shown) / found.name)
    _refuse(frameworks.by_name(path), shown)
    text = _text(path, shown)
    try:
        _check_size(text, shown)
        parsed = parse(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{shown} is not YAML: {_reason(error)}") from error
    _refuse(frameworks.by_content(parsed), shown)
    check_shape(parsed, Path(shown))
    return Source(shown, dict(parsed), path, text)


def _refuse(known: tuple[str, str] | None, shown: str) -> None:
    if known is not None:
        raise ConfigError(f"{shown} is no CloudFormation template but {known[0]}", hint=known[1])


def _text(path: Path, shown: str) -> str:
    try:
        content = path.read_bytes() if path.stat().st_size <= _LARGEST else None
    except FileNotFoundError as error:
        raise ConfigError(f"{shown} does not exist", hint="multistack explain TEMPLATE") from error
    except OSError as error:
        raise ConfigError(f"{shown} can't be read: {error.strerror}") from error
    if content is None:
        raise ConfigError(
            f"{shown} has more than the 1 MB that CloudFormation takes", hint="split it into nested stacks"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown} is not UTF-8 text (byte {error.start})") from error


def _check_size(text: str, shown: str) -> None:
    """Refuse a text that is small only because its YAML aliases are not written out."""
    root = compose(text)
    counted: dict[int, int] = {}

    def count(node: yaml.Node) -> int:
        if id(node) not in counted:
            counted[id(node)] = 1  # a node that holds itself ends here, and is refused when it is read
            counted[id(node)] = 1 + sum(count(below) for _, _, below in _entries(node))
        return counted[id(node)]

    if root is not None and count(root) > _MOST_VALUES:
        raise ConfigError(f"{shown} is too large with its YAML aliases written out", hint="write fewer of them")


def _entries(node: yaml.Node) -> list[tuple[str | int, int, yaml.Node]]:
    """What stands directly in a collection: key or index, line, value. Short tags stand for ``Fn::`` keys."""
    if isinstance(node, yaml.MappingNode):
        return [(str(key.value), key.start_mark.line, value) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return [(index, value.start_mark.line, value) for index, value in enumerate(node.value)]
    return []


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)
