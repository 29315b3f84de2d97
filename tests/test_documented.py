"""Documentation is tested: whatever a user can type, set or meet has its entry, and links lead somewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from markdown_it import MarkdownIt

from emulator import errors
from emulator.cli import cli
from emulator.file_settings import FILE_ONLY
from emulator.setting import Setting
from emulator.settings import SETTINGS
from tests.conftest import REPOSITORY
from tests.documentation.blocks import fences, language

COMMANDS = REPOSITORY / "docs" / "commands.md"
CONFIGURATION = REPOSITORY / "docs" / "configuration.md"
ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"
EMULATOR = REPOSITORY / "docs" / "emulator.md"
README = REPOSITORY / "README.md"
CONTRIBUTING = REPOSITORY / "CONTRIBUTING.md"
LEFT_OUT = {".venv", ".docs", ".git", ".multistack", ".pytest_cache", "node_modules", ".hypothesis"}

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def text_of(path: Path) -> str:
    """A document as text."""
    return path.read_text(encoding="utf-8")


def section(document: str, heading: str) -> str:
    """What stands under a heading, up to the next one of the same or a higher level; nothing if it is missing."""
    match = re.search(rf"^(#+) {re.escape(heading)} *$", document, re.MULTILINE)
    if match is None:
        return ""
    rest = document[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def options_of(command: click.Command) -> list[str]:
    """Every option of a command, and of its own commands, as it is typed, but for ``--help``, which all have."""
    own = [
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]
    below = command.commands.values() if isinstance(command, click.Group) and command is not cli else ()
    return own + [name for one in below for name in options_of(one)]


def markdown_files() -> list[Path]:
    """Every document of the repository."""
    return sorted(path for path in REPOSITORY.rglob("*.md") if not LEFT_OUT & set(path.relative_to(REPOSITORY).parts))


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_its_section(name: str) -> None:
    """docs/commands.md says about every command what it does, and about every option what for."""
    found = section(text_of(COMMANDS), f"`{name}`")
    assert found.strip(), f"docs/commands.md has no section `{name}`"
    assert [option for option in options_of(cli.commands[name]) if f"`{option}" not in found] == []


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (one.name, name)
        for one in cli.commands.values()
        if isinstance(one, click.Group)
        for name in sorted(one.commands)
    ],
)
def test_every_command_of_a_group_is_documented(group: str, name: str) -> None:
    """The section of a group shows how each of its commands is typed, and says what it does."""
    found = section(text_of(COMMANDS), f"`{group}`")
    assert re.search(rf"^multistack {group} {name}\b", found, re.MULTILINE)
    assert re.search(rf"^\| `{name}\b", found, re.MULTILINE)


def test_no_section_for_a_command_that_is_gone() -> None:
    """Nobody reads about what they can't run."""
    assert set(re.findall(r"^### `([a-z-]+)`$", text_of(COMMANDS), re.MULTILINE)) == set(cli.commands)


def test_global_options_are_documented() -> None:
    """docs/commands.md names the options that stand before a command."""
    found = section(text_of(COMMANDS), "Global options")
    assert [option for option in options_of(cli) if f"`{option}" not in found] == []


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_stands_in_the_readme(name: str) -> None:
    """The README's table is the whole list."""
    assert re.search(rf"^\| `(multistack )?{name}\b", section(text_of(README), "Commands"), re.MULTILINE)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_every_setting_is_documented(setting: Setting) -> None:
    """docs/configuration.md has one row with what the code says about a setting."""
    found = section(text_of(CONFIGURATION), "Settings")
    rows = [line for line in found.splitlines() if line.startswith(f"| `{setting.key}` |")]
    cells = [[cell.strip() for cell in row.replace("`", "").strip("|").split(" | ")] for row in rows]
    assert cells == [
        [setting.key, setting.variable, setting.default, setting.allowed, setting.description.replace("`", "")]
    ]


def test_no_setting_is_documented_that_is_gone() -> None:
    """A key that the schema refuses is not offered."""
    keys = re.findall(r"^\| `([^`]+)` \| `MULTISTACK_", text_of(CONFIGURATION), re.MULTILINE)
    assert keys == [setting.key for setting in SETTINGS]


@pytest.mark.parametrize("setting", FILE_ONLY, ids=lambda setting: setting.key)
def test_every_setting_of_the_file_is_documented(setting: Setting) -> None:
    """docs/configuration.md has one row with a setting's key, its default, what is allowed and what it means."""
    found = section(text_of(CONFIGURATION), "Settings of the file only")
    rows = [line for line in found.splitlines() if line.startswith(f"| `{setting.key}` |")]
    cells = [[cell.strip().strip("`") for cell in row.strip("|").split(" | ")] for row in rows]
    assert cells == [[setting.key, setting.default, setting.allowed, setting.description]]


def test_no_setting_of_the_file_is_documented_that_is_gone() -> None:
    """A key that the schema refuses is not offered, and the order is that of the code."""
    keys = re.findall(r"^\| `([^`]+)` \|", section(text_of(CONFIGURATION), "Settings of the file only"), re.MULTILINE)
    assert keys == [setting.key for setting in FILE_ONLY]


@pytest.mark.parametrize(
    "error",
    [found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, errors.MultistackError)],
    ids=lambda error: error.__name__,
)
def test_every_exit_code_is_documented(error: type[errors.MultistackError]) -> None:
    """A script can tell failures apart by what docs/commands.md says."""
    assert re.search(rf"^\| {error.exit_code} \|", section(text_of(COMMANDS), "Exit codes"), re.MULTILINE)


def test_every_make_target_is_documented() -> None:
    """``make help`` isn't the only place where a target is told."""
    targets = re.findall(r"^([a-z-]+):.*## ", text_of(REPOSITORY / "Makefile"), re.MULTILINE)
    assert targets
    told = text_of(README) + text_of(CONTRIBUTING)
    assert [target for target in targets if not re.search(rf"\bmake {target}(?![\w-])", told)] == []


def test_every_module_stands_in_the_architecture() -> None:
    """The table of modules in docs/architecture.md is complete."""
    root = REPOSITORY / "emulator"
    names = {path.relative_to(root).as_posix() for path in root.rglob("*.py") if path.name != "__init__.py"}
    names = {name for name in names if "/gaps/" not in name}
    told = set(re.findall(r"^\| `([a-z_/]+\.py)` \|", section(text_of(ARCHITECTURE), "Layers"), re.MULTILINE))
    assert told == names


def test_every_path_of_the_api_is_documented() -> None:
    """The table of docs/api.md is that of the OpenAPI document."""
    content = yaml.safe_load(text_of(REPOSITORY / "emulator" / "dashboard" / "openapi.yaml"))
    told = re.findall(r"^\| `([A-Z]+) (/\S+)` \| (.+) \|$", text_of(REPOSITORY / "docs" / "api.md"), re.MULTILINE)
    assert told == [
        (method.upper(), path, operation["summary"])
        for path, item in content["paths"].items()
        for method, operation in item.items()
    ]


def test_every_gap_is_documented() -> None:
    """The table of gaps in docs/emulator.md is complete, each with the first line of its module."""
    told = re.findall(r"^\| `([a-z_0-9]+)` \| (.+) \|$", section(text_of(EMULATOR), "Gaps"), re.MULTILINE)
    modules = sorted((REPOSITORY / "emulator" / "drivers" / "launcher" / "gaps").glob("[a-z]*.py"))
    docstrings = [(path.stem, ast.get_docstring(ast.parse(path.read_text())) or "") for path in modules]
    assert told == [
        (name, text.partition("\n")[0].removeprefix("Gap: ").replace("``", "`")) for name, text in docstrings
    ]


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_block_says_what_it_is(path: Path) -> None:
    """Only so are shell blocks known, and run; how a command is typed stands in docs/commands.md without a language."""
    unnamed = [fence for fence in fences(text_of(path)) if not language(fence)]
    if path == COMMANDS:
        unnamed = [fence for fence in unnamed if not fence.content.startswith("multistack ")]
    assert [fence.content for fence in unnamed] == []
    assert {language(fence) for fence in fences(text_of(path))} & {"bash", "shell", "zsh"} == set(), "write sh"


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_sentence_becomes_a_list(path: Path) -> None:
    """A line that begins with `200.` is shown as item 1 of a list, and the number is gone."""
    opened = [token for token in MarkdownIt().parse(text_of(path)) if token.type == "ordered_list_open"]
    assert [token.map for token in opened if token.attrGet("start") not in {None, 1}] == []


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_relative_link_resolves(path: Path) -> None:
    """Links to files and to headings in them lead somewhere."""
    assert [link for link in relative_links(text_of(path)) if not resolves(path, link)] == []


def relative_links(document: str) -> Iterator[str]:
    """The targets of a document's links that lead to no other site; code blocks have none."""
    for link in LINK.findall(FENCE.sub("", document)):
        if not re.match(r"[a-z]+:", link):
            yield link


def resolves(path: Path, link: str) -> bool:
    """Whether *link*, standing in the document *path*, leads to a file, and to a heading if it names one."""
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if not target.exists():
        return False
    return not anchor or anchor in {slug(heading) for heading in HEADING.findall(FENCE.sub("", text_of(target)))}


def slug(heading: str) -> str:
    """A heading's anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
