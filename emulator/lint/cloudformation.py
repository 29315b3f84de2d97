"""Checks one template: conditions and mappings by the environment's name, names of its resources, secrets in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from emulator.lint.finding import (
    BRANCH,
    CONFIG_ADVICE,
    UNREADABLE,
    Finding,
    Source,
    Words,
    branch_message,
    tells_environment,
)
from emulator.lint.names import names_in
from emulator.lint.secrets import given_secret

_ADVICE = "make it a parameter, and " + CONFIG_ADVICE.removeprefix("declare a config key, ").removesuffix(
    ", and read that"
)
_REFERENCE = re.compile(r"^\$\{(\w+)\}$")
# Keys whose value is the secret itself, and not where it is.
_SECRET_KEY = re.compile(
    r"(?:password|passwd|pwd|secret|secret_?string|token|(?:api|private|secret|signing)_?key)$", re.I
)
_TEXT = "tag:yaml.org,2002:str"


def check_template(source: Source, words: Words) -> Iterator[Finding]:
    """Findings in the file's order."""
    # JSON may be indented with tabs, YAML not.
    text = source.text.replace("\t", " ") if source.text.lstrip().startswith("{") else source.text
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "it is nested too deeply"
        line = mark.line + 1 if mark else 1
        yield source.finding(line, UNREADABLE, f"not checked, it is not YAML: {reason}", "mend it")
        return
    if root is not None:
        yield from _walk(source, words, root, "")


def is_template(text: str) -> bool:
    """Whether a YAML or JSON file is a template, by the section that each must have."""
    return re.search(r"""(?:^|[{,])\s{0,8}["']?Resources["']?\s*:""", text, re.MULTILINE) is not None


def _walk(source: Source, words: Words, node: yaml.Node, called: str) -> Iterator[Finding]:
    function, argument = _intrinsic(node)
    if function == "Equals" and argument is not None:
        yield from _equals(source, words, argument)
    elif function == "FindInMap" and isinstance(argument, yaml.SequenceNode) and len(argument.value) > 1:
        name = _reference(argument.value[1])
        if name and tells_environment(name):
            message = f"branches on the environment: looks {name} up in a mapping"
            yield source.finding(_line(node), BRANCH, message, _ADVICE)
    if isinstance(node, yaml.ScalarNode):
        yield from names_in(source, words, node.value, _line(node), called=called)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _walk(source, words, item, called)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if _SECRET_KEY.search(name) and _is_literal(value):
                yield given_secret(source, _line(value))
            elif default := _default_of_secret(name, value):
                yield given_secret(source, _line(default))
            yield from _walk(source, words, value, name)


def _is_literal(node: yaml.Node) -> bool:
    """Whether a value is written out; what CloudFormation or an emulator fills in is not."""
    return (
        isinstance(node, yaml.ScalarNode) and node.tag == _TEXT and "{{resolve:" not in node.value and node.value != ""
    )


def _default_of_secret(name: str, parameter: yaml.Node) -> yaml.Node | None:
    """The default of a parameter that hides its value, or whose name promises a secret; None where there is none."""
    if not isinstance(parameter, yaml.MappingNode):
        return None
    values = {key.value: value for key, value in parameter.value if isinstance(key, yaml.ScalarNode)}
    default = values.get("Default")
    is_secret = "Type" in values and ("NoEcho" in values or _SECRET_KEY.search(name))
    return default if default is not None and is_secret and _is_literal(default) else None


def _equals(source: Source, words: Words, argument: yaml.Node) -> Iterator[Finding]:
    sides = argument.value if isinstance(argument, yaml.SequenceNode) else []
    references = [name for side in sides if (name := _reference(side)) and tells_environment(name)]
    texts = [side.value for side in sides if isinstance(side, yaml.ScalarNode) and not _reference(side)]
    names = words.named(texts)
    if references and names:
        yield source.finding(_line(argument), BRANCH, branch_message(references[0], names), _ADVICE)


def _reference(node: yaml.Node) -> str | None:
    """The name of a parameter that *node* is the value of."""
    function, argument = _intrinsic(node)
    if not isinstance(argument, yaml.ScalarNode):
        return None
    if function == "Ref":
        return str(argument.value)
    match = _REFERENCE.match(str(argument.value)) if function == "Sub" else None
    return match[1] if match else None


def _intrinsic(node: yaml.Node) -> tuple[str, yaml.Node | None]:
    """An intrinsic function and its argument, in the short form or the long one; nothing if *node* is none."""
    if node.tag.startswith("!"):
        return node.tag[1:], _untagged(node)
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        key, value = node.value[0]
        if isinstance(key, yaml.ScalarNode) and (key.value == "Ref" or str(key.value).startswith("Fn::")):
            return str(key.value).removeprefix("Fn::"), value
    return "", None


def _untagged(node: yaml.Node) -> yaml.Node:
    kinds = {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}
    return type(node)(f"tag:yaml.org,2002:{kinds[type(node)]}", node.value, node.start_mark, node.end_mark)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
