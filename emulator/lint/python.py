"""Checks one Python file: branches on the environment's name, and names of its resources."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from emulator.lint.finding import BRANCH, CONFIG_ADVICE, UNREADABLE, Finding, Source, Words, branch_message
from emulator.lint.names import names_in
from emulator.lint.python_values import EnvironmentValues, unwrapped

_COMPARED_BY = frozenset({"startswith", "endswith"})


def check_python(source: Source, words: Words) -> Iterator[Finding]:
    """Findings in no order; a file that is no Python is one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in strings, which are no business of ours
            tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        reason = getattr(error, "msg", None) or str(error)
        yield source.finding(
            line, UNREADABLE, f"not checked, it is not Python: {reason}", "mend it, or name other paths"
        )
        return
    yield from _Branches(source, words, tree)
    yield from _names(source, words, tree)


class _Branches:
    """Finds what a module decides by the environment's name; what a test asserts decides nothing."""

    def __init__(self, source: Source, words: Words, tree: ast.Module) -> None:
        self._source = source
        self._words = words
        self._tree = tree
        self._values = EnvironmentValues(tree)
        self._tables = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def __iter__(self) -> Iterator[Finding]:
        asserted = {
            id(inner) for node in ast.walk(self._tree) if isinstance(node, ast.Assert) for inner in ast.walk(node.test)
        }
        for node in ast.walk(self._tree):
            if id(node) not in asserted:
                yield from self._found(node)

    def _found(self, node: ast.AST) -> Iterator[Finding]:
        match node:
            case ast.Compare(left=left, comparators=others):
                sides = [left, *others]
                held = [side for side in sides if self._values.holds(side)]
                names = [name for side in sides if side not in held for name in self._names(side)]
                yield from self._branch(node, held, names)
            case ast.Match(subject=subject, cases=cases):
                patterns = [inner for case in cases for inner in ast.walk(case.pattern)]
                values = [pattern.value for pattern in patterns if isinstance(pattern, ast.MatchValue)]
                yield from self._branch(node, [subject], [name for value in values for name in self._names(value)])
            case ast.Subscript(value=table, slice=key):
                yield from self._branch(node, [key], self._keys(table))
            case ast.Call(func=ast.Attribute(value=value, attr=attribute), args=[first, *_]):
                if attribute in _COMPARED_BY:
                    yield from self._branch(node, [value], self._names(first))
                elif attribute == "get":
                    yield from self._branch(node, [first], self._keys(value))

    def _branch(self, node: ast.expr | ast.stmt, held: list[ast.expr], names: list[str]) -> Iterator[Finding]:
        holding = [side for side in held if self._values.holds(side)]
        if holding and names:
            message = branch_message(_short(ast.unparse(holding[0])), names)
            yield self._source.finding(node.lineno, BRANCH, message, CONFIG_ADVICE)

    def _names(self, node: ast.expr) -> list[str]:
        """Names of environments that a value, or one of several, is: a text, or a constant called so."""
        match unwrapped(node):
            case ast.Constant(value=str(text)):
                return self._words.named([text])
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                return [name for part in parts for name in self._names(part)]
            case ast.Call(func=ast.Name(id="frozenset" | "set" | "tuple" | "list"), args=[part]):
                return self._names(part)
            case ast.Attribute(attr="value" | "name", value=part):
                return self._names(part)
            case ast.Attribute(attr=name) | ast.Name(id=name) if name.isupper():
                return self._words.named([name])
        return self._keys(node)

    def _keys(self, node: ast.expr) -> list[str]:
        """Names of environments among the keys of a dictionary that stands here, or under a name in this module."""
        table = self._tables.get(node.id) if isinstance(node, ast.Name) else node
        if not isinstance(table, ast.Dict):
            return []
        return [name for key in table.keys if key is not None for name in self._names(key)]


def _names(source: Source, words: Words, tree: ast.Module) -> Iterator[Finding]:
    """Names of resources in every text of a module but its docstrings."""
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    called = dict(_purposes(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documented:
            if isinstance(node.value, str):
                yield from names_in(source, words, node.value, node.lineno, called=called.get(id(node), ""))
            elif isinstance(node.value, int) and str(node.value) in words.accounts:
                yield from names_in(source, words, str(node.value), node.lineno)


def _purposes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What texts are for, by their identity: ``TableName="x"``, ``{"TableName": "x"}``, ``dynamodb.Table("x")``."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg=str(name), value=ast.Constant() as value):
                yield id(value), name
            case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant() as value, *_]):
                yield id(value), name
            case ast.Dict(keys=keys, values=values):
                for key, item in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(item, ast.Constant):
                        yield id(item), str(key.value)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
