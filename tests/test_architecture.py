"""
The house rules that a reader of one file can't see: imports go down, modules are short, one module reads os.environ,
and whoever catches every error says why.

The table below is the design; ``docs/architecture.md`` explains it.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGE = "emulator"
MAX_LINES = 350

# Parts of the proxy that a replay has in its own process.
PASSING_ON = (
    "answer",
    "disturb",
    "forward",
    "problems",
    "request",
    "resolve",
    "rewrite",
    "upstream",
    "whereabouts",
    "wire",
)

# Lowest first. A name stands for a module, or for a package with all its modules.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "model"),
    (
        "account_rewrite",
        "addresses",
        "apis",
        "archives",
        "artifact",
        "artifact_bucket",
        "artifact_transfer",
        "asking",
        "branches",
        "building",
        "capabilities",
        "capacity",
        "cfn_yaml",
        "change_set",
        "child_environ",
        "checkpoint",
        "closest",
        "clock",
        "command",
        "conditions",
        "config",
        "config_editing",
        "config_keys",
        "config_values",
        "contradictions",
        "created",
        "created_settings",
        "dependencies",
        "differences",
        "encodings",
        "endpoint",
        "endpoint_key",
        "environment_names",
        "environment_settings",
        "events",
        "expansion",
        "extending",
        "faults",
        "file_settings",
        "frameworks",
        "flattening",
        "git",
        "guards",
        "handlers",
        "history",
        "http_api_parameters",
        "http_api_security",
        "image_code",
        "including",
        "init",
        "interpreters",
        "interruption",
        "junit",
        "kubernetes",
        "ledger",
        "left_out",
        "limitations",
        "listed_file",
        "lock",
        "log_file",
        "loops",
        "node_sdk",
        "overrides",
        "parallel",
        "permissions",
        "permits",
        "ports",
        "process",
        "project_file",
        "project_rules",
        "project_stamp",
        "provenance",
        "proxy_health",
        "proxy_password",
        "recorded",
        "references",
        "release",
        "rest_api_security",
        "routes",
        "rules",
        "schema",
        "secret_files",
        "served",
        "setting",
        "settings",
        "shape",
        "shell",
        "shortfalls",
        "snapshots",
        "space_list",
        "space_tokens",
        "spans",
        "state",
        "store",
        "svg_charts",
        "template",
        "tool_builds",
        "variables_file",
        "vault",
        "watched_file",
    ),
    ("drivers", "images", "inventory", "members", "own_stack", "secret_delivery", "stack"),
    (
        "awaiting",
        "bundle",
        "comparison",
        "compose",
        "decisions",
        "deploy",
        "deployed_code",
        "disturbance",
        "doctor",
        "explain",
        "front",
        "space_front",
        "inspector",
        "invoking",
        "known",
        "lifecycle",
        "lint",
        "logs",
        "pipelines",
        *(f"proxy.{name}" for name in PASSING_ON),
        "repair",
        "replay",
        "runtimes",
        "seeds",
        "sending",
        "state_transfer",
        "status",
    ),
    ("features", "opening", "spaces", "workspace"),
    ("canary", "promotion"),
    (
        "calls_side_by_side",
        "dashboard",
        "debugger",
        "explain_report",
        "lab",
        "proxy",
        "render",
        "pytest_plugin",
        "replay_reports",
        "reports",
        "side_by_side",
        "side_by_side_reports",
        "testing",
        "watching",
        "workshop",
    ),
    ("cli", "emulator", "__main__"),
)
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}

# Runs inside the process of a Lambda function, whose environ is what it is about.
FUNCTION_SIDE = "drivers.launcher.functions.multistack_runtime"

# Runs in the process of somebody's tests, and notes what they were started with.
TESTS_SIDE = "pytest_plugin.plugin"

# Starts an emulator in a container, by the variables of that.
CONTAINER_SIDE = "drivers.launcher.contained"

# What gives access to the environ of the process.
ENVIRON_NAMES = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


@dataclass(frozen=True)
class Import:
    """One module of ours that a module imports; *is_typing* if only type checkers ever run it."""

    module: str
    line: int
    is_typing: bool


def path_of(module: str) -> Path:
    """The file of a module, named without the package: ``proxy.app``; the package itself is ``emulator``."""
    parts = [] if module == PACKAGE else module.split(".")
    folder = REPOSITORY.joinpath(PACKAGE, *parts)
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def name_of(path: Path) -> str:
    """The opposite of :func:`path_of`."""
    parts = path.relative_to(REPOSITORY / PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or PACKAGE


MODULES = sorted(name_of(path) for path in (REPOSITORY / PACKAGE).rglob("*.py"))


def parse(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


def layer_of(module: str) -> int | None:
    """The layer of a module, by its own name or else by that of its package; None when the table has neither."""
    return LAYER_OF.get(module, LAYER_OF.get(module.split(".", maxsplit=1)[0]))


def imports_of(tree: ast.Module, module: str) -> Iterator[Import]:
    """Every import of ours, also those inside functions and under ``TYPE_CHECKING``."""
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).removeprefix("typing.") == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        for name in _imported_names(node, module):
            yield Import(name, node.lineno, id(node) in typing_only)


def _imported_names(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name == PACKAGE or alias.name.startswith(PACKAGE + "."):
                yield alias.name.removeprefix(PACKAGE + ".")
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, module)
        if base != PACKAGE and not base.startswith(PACKAGE + "."):
            return
        for alias in node.names:
            full = f"{base}.{alias.name}".removeprefix(PACKAGE + ".")
            yield full if full in MODULES else base.removeprefix(PACKAGE + ".")


def _absolute(node: ast.ImportFrom, module: str) -> str:
    """``from . import x`` in ``proxy.app`` means ``emulator.proxy``."""
    if not node.level:
        return node.module or ""
    is_package = path_of(module).name == "__init__.py"
    parts = [PACKAGE, *([] if module == PACKAGE else module.split("."))]
    kept = parts[: len(parts) - node.level + is_package]
    return ".".join([*kept, *([node.module] if node.module else [])])


def test_every_module_has_a_layer() -> None:
    """Whoever adds a module decides where it stands; whoever removes one takes it out of the table."""
    assert [module for module in MODULES if layer_of(module) is None] == []
    assert [name for name in LAYER_OF if not path_of(name).exists()] == []


def test_imports_go_down() -> None:
    """No module knows one of a layer above it, not even as a type: a type is knowledge as well."""
    upwards = [
        f"{module}:{found.line} (layer {layer_of(module)}) imports {found.module} (layer {layer_of(found.module)})"
        for module in MODULES
        for found in imports_of(parse(module), module)
        if (layer_of(found.module) or 0) > (layer_of(module) or 0)
    ]
    assert upwards == []


def test_imports_have_no_cycle() -> None:
    """Within a layer too: only what never runs, an import for type checkers, may point back."""
    graph: Mapping[str, set[str]] = {
        module: {found.module for found in imports_of(parse(module), module) if not found.is_typing}
        for module in MODULES
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_only_config_reads_the_environ() -> None:
    """All variables are resolved in one place, so that none of the caller's AWS settings slips past it."""
    readers = [
        f"{module}:{line}"
        for module in MODULES
        if module not in ("config", TESTS_SIDE, CONTAINER_SIDE) and not module.startswith(FUNCTION_SIDE)
        for line in lines_with_environ(parse(module))
    ]
    assert readers == []


def lines_with_environ(tree: ast.Module) -> list[int]:
    """Lines that reach for the process's variables, under whatever name ``os`` was imported."""
    nodes = list(ast.walk(tree))
    modules = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "os"
    }
    found = []
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in ENVIRON_NAMES:
            if isinstance(node.value, ast.Name) and node.value.id in modules:
                found.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            found += [node.lineno for alias in node.names if alias.name in ENVIRON_NAMES]
    return found


@pytest.mark.parametrize("folder", [PACKAGE, "compose/localstack/plugin/multistack_localstack", "sample_service/src"])
def test_who_catches_every_error_says_why(folder: str) -> None:
    """Else a bug is swallowed where a known set of errors was meant; whoever only cleans up raises it again."""
    silent = [
        f"{path.relative_to(REPOSITORY)}:{line}"
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        for line in unexplained(path.read_text(encoding="utf-8"))
    ]
    assert silent == []


def unexplained(source: str) -> list[int]:
    """Lines that catch errors of any kind, don't end in ``raise``, and have no comment beside or next to them."""
    lines = ["", *source.splitlines(), ""]
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if _catches_all(node)
        and "#" not in lines[node.lineno]
        and not any(near.lstrip().startswith("#") for near in (lines[node.lineno - 1], lines[node.lineno + 1]))
    ]


def _catches_all(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        last = node.body[-1]
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if isinstance(last, ast.Raise) and last.exc is None:
            return False
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("suppress", "contextlib.suppress"):
        caught = node.args
    else:
        return False
    return any(one is None or ast.unparse(one) in ("Exception", "BaseException") for one in caught)


def test_no_module_is_too_long() -> None:
    """A module is one idea; one that grows past the limit is two."""
    lengths = {module: len(path_of(module).read_text(encoding="utf-8").splitlines()) for module in MODULES}
    assert {module: length for module, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("from emulator.model import Route", ["model"], id="from a module"),
        pytest.param("from emulator import stack", ["stack"], id="a module from the package"),
        pytest.param("from emulator.proxy import app", ["proxy.app"], id="a module from a subpackage"),
        pytest.param("import emulator.model", ["model"], id="plain"),
        pytest.param("def f():\n    from emulator.model import Route", ["model"], id="inside a function"),
        pytest.param("from . import app", ["proxy.app"], id="relative"),
        pytest.param("from ..model import Route", ["model"], id="relative to the parent"),
        pytest.param("import emulators, flask\nfrom emulator_x import y", [], id="others"),
    ],
)
def test_walk_finds_every_form_of_import(source: str, expected: list[str]) -> None:
    """The rules above are worth what the walk finds."""
    assert [found.module for found in imports_of(ast.parse(source), "proxy.resolve")] == expected


def test_walk_tells_typing_imports() -> None:
    """Only the body of ``if TYPE_CHECKING`` never runs; its ``else`` does."""
    tree = ast.parse("if TYPE_CHECKING:\n    import emulator.model\nelse:\n    import emulator.errors")
    assert [(found.module, found.is_typing) for found in imports_of(tree, "stack")] == [
        ("model", True),
        ("errors", False),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['A']",
        "import os\nos.getenv('A')",
        "import os as system\nsystem.environ",
        "from os import environ",
        "from os import getenv as get",
    ],
)
def test_walk_finds_every_reader_of_the_environ(source: str) -> None:
    """An alias is no way around the rule."""
    assert lines_with_environ(ast.parse(source))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("try: x()\nexcept Exception:\n    y()", [2], id="silent"),
        pytest.param("try: x()\nexcept:\n    y()", [2], id="bare"),
        pytest.param("try: x()\nexcept (OSError, BaseException) as error:\n    y()", [2], id="among others"),
        pytest.param("try: x()\nexcept Exception as error:\n    raise OSError from error", [2], id="translated"),
        pytest.param("try: x()\nexcept Exception:\n    if y: raise\n    z()", [2], id="raised at times"),
        pytest.param("with contextlib.suppress(Exception):\n    x()", [1], id="suppressed"),
        pytest.param("try: x()\nexcept Exception:\n    y()\n    raise", [], id="raised again"),
        pytest.param("try: x()\nexcept Exception:  # why\n    y()", [], id="reason beside"),
        pytest.param("try: x()\n# why\nexcept Exception:\n    y()", [], id="reason above"),
        pytest.param("try: x()\nexcept Exception:\n    # why\n    y()", [], id="reason below"),
        pytest.param("try: x()\nexcept OSError:\n    y()", [], id="known"),
    ],
)
def test_walk_finds_who_catches_every_error(source: str, expected: list[int]) -> None:
    """In all its forms."""
    assert unexplained(source) == expected
