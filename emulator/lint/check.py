"""Checks the source of a service against all rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emulator.errors import ConfigError
from emulator.frameworks.registry import reader_of
from emulator.lint.cloudformation import check_template, is_template
from emulator.lint.files import NODE, PYTHON, TEMPLATES, not_allowed, sources
from emulator.lint.finding import Finding, Source, Words
from emulator.lint.node import check_node
from emulator.lint.python import check_python
from emulator.lint.secrets import check_secrets
from emulator.model import Project


def service_paths(project: Project) -> list[Path]:
    """
    The template and the code that it deploys, each once.

    Raises:
        ConfigError: The template can't be read, or code that it names is not there.
    """
    found = list(dict.fromkeys(reader_of(project.template).sources(project.template)))
    if missing := next((path for path in found if not path.exists()), None):
        raise ConfigError(f"{project.template.name} names {missing}, which is not there", hint="mend the template")
    return found


def lint(paths: Iterable[Path], words: Words, *, cwd: Path) -> Sequence[Finding]:
    """
    What is found in files and folders, sorted by file and line.

    Args:
        cwd: Findings name files as seen from here.

    Raises:
        ConfigError: A path is not there.
    """
    found: set[Finding] = set()
    for source in sources(paths, cwd):
        found.update(not_allowed(_check(source, words), source))
    return sorted(found)


def _check(source: Source, words: Words) -> Iterator[Finding]:
    suffix = source.path.suffix.lower()
    if suffix in PYTHON:
        yield from check_python(source, words)
    elif suffix in NODE:
        yield from check_node(source, words)
    is_checked_template = suffix in TEMPLATES and is_template(source.text)
    if is_checked_template:
        yield from check_template(source, words)
    yield from check_secrets(source, by_name=not is_checked_template)
