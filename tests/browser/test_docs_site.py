"""The docs site in a real browser."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.serving import served
from tests.conftest import REPOSITORY
from tests.documentation.site import build

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the site is served."""
    built = build(REPOSITORY, tmp_path_factory.mktemp("docs") / "built")
    handler = functools.partial(QuietHandler, directory=str(built))
    with served(handler) as url:
        yield url


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def test_reading_asks_nobody_else(site: str, page: Page) -> None:
    """Pages, diagrams and search come from the site itself."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site}/index.html")
    page.goto(f"{site}/concepts.html")
    expect(page.locator("div.mermaid").first).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("rollback")
    expect(page.get_by_text("Roll back").first).to_be_visible()
    assert [url for url in asked if not url.startswith((site, "data:", "blob:"))] == []


@pytest.mark.parametrize("path", ["commands.html", "configuration.html", "concepts.html"])
def test_a_page_fits_a_phone(site: str, page: Page, path: str) -> None:
    """Wide tables and blocks scroll by themselves; the page doesn't."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{site}/{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
