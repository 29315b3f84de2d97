"""What tests in a real browser share: Chromium from Debian, pages whose complaints are noted, axe-core from npm."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
    pytest.mark.xdist_group("browser"),
]
# What npm's registry has as of November 2026; another version may find more.
AXE = "axe-core@4"


@dataclass
class Complaints:
    """What the browser said against a page: errors of scripts, refusals of the policy, requests to other hosts."""

    said: list[str] = field(default_factory=list)

    def note(self, page: Any, *, base: str) -> None:
        """Listen to *page*, which may load from *base* only."""
        page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda one: None if one.url.startswith(base) else self.said.append(f"asks {one.url}"))


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


def install_axe(folder: Path) -> str:
    """The source of axe-core; skips the test where npm or its registry isn't there."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to get axe-core with")
    done = subprocess.run(
        [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", AXE],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"npm gets no axe-core: {done.stderr.strip().splitlines()[-1:]}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


def violations(page: Any) -> list[str]:
    """What axe-core, which *page* has loaded, finds on it as it stands; one line each."""
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
