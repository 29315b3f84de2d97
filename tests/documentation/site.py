"""
Build the docs site from README.md, docs/ and a few pages beside them, without a request to anywhere.

The pages stay what they are in the repository: links among them lead to each other on the site too, and a link to a
file that is no page becomes its text.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import tomlkit

from tests.documentation.help import help_page

# Where pages from outside docs/ stand on the site.
_BESIDE = {
    "README.md": "index.md",
    "sample_service/README.md": "sample.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
HELP = "help.md"
# What the navigation begins with; a page that stands nowhere here comes after the others of its section.
_ORDER: Mapping[str, Sequence[str]] = {
    "Start": ("index.md", "getting-started.md", "concepts.md", "sample.md", "limits.md"),
    "Guides": ("guides/your-service.md", "guides/promotion.md", "guides/ci.md", "guides/pipelines.md"),
    "The lab": ("lab.md",),
    "Workshop": ("workshop/index.md", "workshop/README.md"),
    "Reference": (
        "commands.md",
        "configuration.md",
        HELP,
        "api.md",
        "frameworks.md",
        "capabilities.md",
        "emulator.md",
        "benchmarks.md",
        "scale.md",
    ),
    "Project": ("architecture.md", "contributing.md", "changelog.md"),
}
_FOLDERS = {"guides": "Guides", "workshop": "Workshop", "lab": "The lab"}
# A link or a picture; of a picture that is a link itself, first the picture and then the rest, without a label.
_LINK = re.compile(r"(!?\[[^\[\]]*)?\]\(([^)\s#]*)(#[^)\s]*)?\)")
# Only pages with a diagram load what draws it.
_THEME = """\
{% extends "base.html" %}
{% block libs %}
  {{ super() }}
  {% if 'class="mermaid"' in page.content %}<script src="{{ 'assets/mermaid.js' | url }}"></script>{% endif %}
{% endblock %}
"""


class SiteError(Exception):
    """The site could not be built, or not without warnings."""


def build(repository: Path, into: Path) -> Path:
    """
    Build the site in the folder *into*, whose content is replaced.

    Returns:
        The folder of the site.

    Raises:
        SiteError: There was a warning, such as a link that leads nowhere.
    """
    shutil.rmtree(into, ignore_errors=True)
    pages = pages_of(repository)
    for origin, staged in pages.items():
        target = into / "source" / staged
        target.parent.mkdir(parents=True, exist_ok=True)
        if staged.endswith(".md"):
            text = (repository / origin).read_text(encoding="utf-8")
            target.write_text(relinked(text, origin, pages), encoding="utf-8")
        else:
            shutil.copyfile(repository / origin, target)
    (into / "source" / HELP).write_text(help_page(), encoding="utf-8")
    _write_theme(into)
    settings: Any = tomlkit.parse((repository / "zensical.toml").read_text(encoding="utf-8"))
    settings["project"]["nav"] = list(navigation([*pages.values(), HELP]))
    (into / "zensical.toml").write_text(tomlkit.dumps(settings), encoding="utf-8")
    _run_zensical(into)
    return into / "site"


def pages_of(repository: Path) -> dict[str, str]:
    """Every page and file of the site: where it comes from, and where it stands there."""
    docs = repository / "docs"
    files = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*") if path.is_file())
    return {**{f"docs/{name}": name for name in files}, **_BESIDE}


def navigation(pages: Sequence[str]) -> Iterator[dict[str, list[str]]]:
    """Every page once, by section."""
    names = [page for page in pages if page.endswith(".md")]
    placed = {page for section in _ORDER.values() for page in section}
    for section, first in _ORDER.items():
        others = [page for page in names if page not in placed and _section(page) == section]
        if entries := [*(page for page in first if page in names), *sorted(others)]:
            yield {section: entries}


def _section(page: str) -> str:
    folder = PurePosixPath(page).parts[0]
    return _FOLDERS.get(folder, "Reference")


def relinked(text: str, origin: str, pages: Mapping[str, str]) -> str:
    """A page with its links as they have to be on the site; blocks of code stay as they are."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(
        part if part.startswith("```") else _LINK.sub(lambda found: _link(found, origin, pages), part) for part in parts
    )


def _link(found: re.Match[str], origin: str, pages: Mapping[str, str]) -> str:
    label, target, anchor = found[1] or "", found[2], found[3] or ""
    if not target or re.match(r"[a-z]+:", target):
        return found[0]
    leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
    if leads_to not in pages:
        return label.partition("[")[2] if label else found[0]
    return f"{label}]({posixpath.relpath(pages[leads_to], posixpath.dirname(pages[origin]) or '.')}{anchor})"


def _write_theme(into: Path) -> None:
    (into / "theme").mkdir()
    (into / "theme" / "main.html").write_text(_THEME, encoding="utf-8")
    (into / "source" / "assets").mkdir(exist_ok=True)
    drawing = resources.files("mermaidx") / "assets" / "mermaid.js"
    (into / "source" / "assets" / "mermaid.js").write_bytes(drawing.read_bytes())


def _run_zensical(folder: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "zensical", "build", "--clean", "--strict"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0 or "Warning" in done.stdout:
        raise SiteError(re.sub(r"\x1b\[[\d;]*m", "", done.stdout))
