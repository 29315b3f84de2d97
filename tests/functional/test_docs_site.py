"""The docs site: built without a warning, complete, and without a request to anywhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.documentation.help import help_page
from tests.documentation.site import HELP, build, navigation, pages_of, relinked

# What a browser fetches by itself, in contrast to what a reader clicks on.
_FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as ``make docs`` builds it; a warning is an error."""
    return build(REPOSITORY, tmp_path_factory.mktemp("docs") / "built")


class Fetched(HTMLParser):
    """The addresses that a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one tag."""
        self.found += [value or "" for name, value in attrs if _FETCHED.get(tag) == name]


def test_every_page_is_built(site: Path) -> None:
    """Whatever is in docs/, and a few pages beside it, is on the site."""
    names = [name for name in [*pages_of(REPOSITORY).values(), HELP] if name.endswith(".md")]
    # A folder's README is its index.
    built = [re.sub(r"(^|/)README\.md$", r"\1index.md", name) for name in names]
    assert [name for name in built if not (site / name).with_suffix(".html").is_file()] == []


def test_every_page_is_in_the_navigation_once(site: Path) -> None:
    """A new page needs no entry: it comes last in its section."""
    pages = [*pages_of(REPOSITORY).values(), "guides/new.md", "workshop/9-new.md"]
    sections = [next(iter(section.items())) for section in navigation(pages)]
    shown = [page for _, entries in sections for page in entries]
    assert sorted(shown) == sorted(page for page in pages if page.endswith(".md"))
    assert {"guides/new.md", "workshop/9-new.md"} <= {*dict(sections)["Guides"], *dict(sections)["Workshop"]}


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    """No font, script or picture of another host: the site works without a network, and tells nobody who reads it."""
    for page in site.rglob("*.html"):
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        assert [address for address in parser.found if re.match(r"(https?:)?//", address)] == [], page.name


def test_only_pages_with_a_diagram_load_what_draws_it(site: Path) -> None:
    """It has 3.4 MB."""
    pages = {name: (site / name).read_text(encoding="utf-8") for name in ("architecture.html", "configuration.html")}
    assert {name: "assets/mermaid.js" in text for name, text in pages.items()} == {
        "architecture.html": True,
        "configuration.html": False,
    }
    assert (site / "assets/mermaid.js").stat().st_size > 1_000_000


def test_the_help_of_every_command_is_on_the_site() -> None:
    """It is made from the code each time, so it can't be behind it."""
    assert "## multistack up\n" in help_page()
    assert "## multistack snapshot save\n" in help_page()


def test_markers_of_the_docs_are_invisible(site: Path) -> None:
    """A reader sees no marker and no hidden command."""
    for page in site.rglob("*.html"):
        seen = re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert "docs-test" not in seen or page.name in {"contributing.html", "changelog.html"}


@pytest.mark.parametrize(
    ("origin", "link", "leads_to"),
    [
        ("README.md", "[a](docs/guides/faults.md#x)", "[a](guides/faults.md#x)"),
        ("docs/commands.md", "[a](guides/faults.md)", "[a](guides/faults.md)"),
        ("docs/guides/faults.md", "[a](../../README.md)", "[a](../index.md)"),
        ("README.md", "[![b](docs/dashboard.png)](docs/api.md)", "[![b](dashboard.png)](api.md)"),
        ("docs/guides/faults.md", "[a](../../compose/compose.yaml)", "a"),
        ("docs/guides/faults.md", "[a](#b)", "[a](#b)"),
        ("docs/guides/faults.md", "[a](https://example.com/x.md)", "[a](https://example.com/x.md)"),
        ("docs/guides/faults.md", "```sh\n[a](x.md)\n```\n", "```sh\n[a](x.md)\n```\n"),
    ],
    ids=["into docs", "beside", "out of docs", "picture", "no page", "heading", "another site", "code"],
)
def test_links_lead_to_the_same_place_as_in_the_repository(origin: str, link: str, leads_to: str) -> None:
    """The pages are written for the repository; a file that is no page keeps its name only."""
    assert relinked(link, origin, pages_of(REPOSITORY)) == leads_to
