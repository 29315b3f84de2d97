"""Which Python expressions hold the name of the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from emulator.lint.finding import tells_environment

_UNCHANGED_BY = frozenset({"lower", "upper", "strip", "casefold", "title", "capitalize"})


class EnvironmentValues:
    """
    Tells which expressions of one module hold the environment's name, or the value of any variable of the process.

    A name that is assigned such a value anywhere in the module counts everywhere in it.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._assigned: set[str] = set()
        for node in ast.walk(tree):
            for target, value in _assignments(node):
                if reads_environ(value):
                    self._assigned.add(target)

    def holds(self, node: ast.expr) -> bool:
        """Whether *node* is such an expression."""
        node = unwrapped(node)
        if reads_environ(node):
            return True
        match node:
            case ast.Name(id=name):
                return name in self._assigned or tells_environment(name)
            case ast.Attribute(attr=name):
                return tells_environment(name)
            case ast.Subscript(slice=ast.Constant(value=str(key))):
                return tells_environment(key)
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(key)), *_]):
                return tells_environment(key)
        return False


def unwrapped(node: ast.expr) -> ast.expr:
    """The value itself, without what only changes its spelling: ``str(x)``, ``x.lower()``, ``(y := x)``, ``x or y``."""
    match node:
        case ast.NamedExpr(value=value):
            return unwrapped(value)
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=[]) if name in _UNCHANGED_BY:
            return unwrapped(value)
        case ast.Call(func=ast.Name(id="str"), args=[value]):
            return unwrapped(value)
        case ast.BoolOp(op=ast.Or(), values=[value, *_]):
            return unwrapped(value)
    return node


def reads_environ(node: ast.expr) -> bool:
    """Whether *node* reads a variable of the process."""
    match unwrapped(node):
        case ast.Subscript(value=value):
            return _is_environ(value)
        case ast.Call(func=ast.Attribute(value=value, attr="get" | "pop")):
            return _is_environ(value)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="getenv") | ast.Name(id="getenv")):
            return True
    return False


def _is_environ(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "environ") or (
        isinstance(node, ast.Attribute) and node.attr == "environ"
    )


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.NamedExpr(target=ast.Name(id=name), value=value):
            yield name, value
