"""Which files are checked, and which lines are excused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emulator.errors import ConfigError
from emulator.lint.finding import Finding, Source

PYTHON = frozenset({".py", ".pyi", ".pyw"})
NODE = frozenset({".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"})
TEMPLATES = frozenset({".yaml", ".yml", ".json", ".template"})
MOST_BYTES = 2 * 1024 * 1024

# What others wrote, or a tool made.
_NOT_OURS = frozenset({"node_modules", "site-packages", "__pycache__", "venv", "bower_components"})
_ALLOWED = re.compile(r"(?:#|//|/\*)\s*multistack:\s*allow\s+([a-z-]+(?:\s*,\s*[a-z-]+)*)")
_ONLY_COMMENT = re.compile(r"\s*(?:#|//|/\*)")


def sources(paths: Iterable[Path], cwd: Path) -> Iterator[Source]:
    """
    The text files that *paths* are or hold, each once, in a fixed order.

    Hidden folders, packages of others, binary and minified files are left out, unless named themselves.

    Raises:
        ConfigError: A path is not there.
    """
    seen = set()
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{_shown(path, cwd)} does not exist", hint="name files or folders of the service")
        for file in [path] if path.is_file() else _walk(path):
            real = file.resolve()
            text = _text(file) if real not in seen else None
            seen.add(real)
            if text is not None:
                yield Source(file, _shown(file, cwd), text)


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_OURS and not name.startswith("."))
        folders[:] = [name for name in folders if not name.endswith(".dist-info")]
        yield from (Path(where, name) for name in sorted(names) if ".min." not in name)


def _text(path: Path) -> str | None:
    """What is in a text file; None for anything else, be it a socket."""
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return None
    content = path.read_bytes()
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def not_allowed(findings: Iterable[Finding], source: Source) -> Iterator[Finding]:
    """Those findings that no comment allows, on their line or alone on the line above."""
    lines = source.text.split("\n")
    for finding in findings:
        above = lines[finding.line - 2] if 1 < finding.line <= len(lines) else ""
        own = lines[finding.line - 1] if 0 < finding.line <= len(lines) else ""
        allowed = [*_allowed(own), *(_allowed(above) if _ONLY_COMMENT.match(above) else ())]
        if finding.rule not in allowed:
            yield finding


def _allowed(line: str) -> Sequence[str]:
    match = _ALLOWED.search(line)
    return re.split(r"\s*,\s*", match[1]) if match else ()


def _shown(path: Path, cwd: Path) -> str:
    path = path.absolute()
    return os.path.relpath(path, cwd) if path.is_relative_to(cwd) else str(path)
