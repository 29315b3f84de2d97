"""What a developer does with the dashboard, by clicking: the sample service in three environments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.browsing import MARKS, Complaints, chromium
from tests.conftest import ProjectFolder, copy_sample, http
from tests.drivers import assert_nothing_left

pytestmark = [*MARKS, pytest.mark.embedded, pytest.mark.timeout(600)]
_PATIENCE = 30_000


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFolder]:
    (tmp_path / "home").mkdir()
    folder = ProjectFolder(copy_sample(tmp_path / "project"), tmp_path / "home")
    file = folder.folder / "multistack.toml"
    # The checks are enough here: the smoke tests take some seconds each time.
    file.write_text(re.sub(r"^command = .*$", "", file.read_text(), count=1, flags=re.MULTILINE))
    folder.run("up")
    yield folder
    folder.run("down")
    assert folder.processes() == []
    assert_nothing_left(folder.folder)


class Person:
    """Somebody in front of the page."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def column(self, name: str) -> Any:
        """An environment on the home page."""
        return self.page.locator(f"#environment-{name}")

    def release(self, name: str) -> str:
        """What the home page says an environment serves."""
        return str(self.column(name).locator("dt:text-is('Release') + dd").inner_text())

    def open(self, action: str, name: str) -> Any:
        """Press a button of an environment; returns the dialog, once it says what will happen."""
        self.page.locator(f"#{action}-{name}").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_text("Runs multistack").wait_for(timeout=_PATIENCE)
        return dialog

    def confirm(self, dialog: Any) -> None:
        """Do what a dialog asks about, and wait until it is done."""
        latest = "() => document.querySelector('.job')?.id ?? ''"
        before = self.page.evaluate(latest)
        dialog.locator("button[type=submit]").click()
        dialog.wait_for(state="hidden")
        self.page.wait_for_function(f"before => ({latest})() !== before", arg=before)
        mine = self.page.locator(".job").first
        mine.locator("summary .mark:not(.working)").wait_for(timeout=_PATIENCE)
        assert "succeeded" in mine.locator("summary").inner_text(), mine.locator("pre").inner_text()

    def do(self, action: str, name: str) -> None:
        """Press a button and confirm."""
        self.confirm(self.open(action, name))


def test_a_release_goes_its_way_by_clicking(project):
    """Three environments; an order; the declared difference; live; promoted with approval; disturbed; rolled back."""
    base = project.status()["test"]["url"].removesuffix("/test/")
    complaints = Complaints()
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(_PATIENCE)
        complaints.note(page, base=base)
        person = Person(page)
        page.goto(base)
        _sees_three_environments(person)
        _posts_an_order(person, base)
        _sees_the_declared_difference(person)
        _watches_live(browser, base, complaints)
        first = _promotes_with_approval(person, project)
        _disturbs_production(person, base)
        _rolls_back(person, first)
    assert complaints.said == []


def _sees_three_environments(person: Person) -> None:
    headings = person.page.locator(".environment h2").all_inner_texts()
    assert [heading.split() for heading in headings] == [["test", "ready"], ["staging", "ready"], ["prod", "ready"]]


def _posts_an_order(person: Person, base: str) -> None:
    page = person.page
    page.get_by_role("link", name="Compare").click()
    for name in ("staging", "prod"):
        page.get_by_role("checkbox", name=name, exact=True).uncheck()
    page.get_by_label("Method").select_option("POST")
    page.get_by_label("Path and query").fill("/orders")
    page.get_by_label("Body", exact=True).fill(
        json.dumps({"id": "from-the-page", "item": "kettle", "qty": 2, "price": 30})
    )
    page.get_by_label("It may change data").check()
    page.get_by_role("button", name="Send").click()
    answer = page.locator(".answer")
    answer.get_by_text("201").first.wait_for()
    assert "kettle" in answer.locator("pre.body").inner_text()
    assert http("GET", f"{base}/test/orders/from-the-page").status == 200
    assert http("GET", f"{base}/prod/orders/from-the-page").status == 404


def _sees_the_declared_difference(person: Person) -> None:
    page = person.page
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Path and query").fill("/config")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("heading", name=re.compile("All answers are the same but for")).wait_for()
    for name in ("staging", "prod"):
        answer = page.locator(".answer").filter(has=page.get_by_role("heading", name=name))
        assert answer.locator("tr.differs").count() == 0
        assert answer.get_by_text("each environment has its config").first.is_visible()


def _watches_live(browser: Any, base: str, complaints: Complaints) -> None:
    page = browser.new_page()
    complaints.note(page, base=base)
    page.goto(f"{base}/_multistack/requests")
    page.get_by_text("live", exact=True).wait_for()
    assert http("GET", f"{base}/prod/orders/seen-live").status == 404
    page.get_by_role("link", name="GET /orders/seen-live").click()
    page.get_by_role("heading", name="GET /orders/seen-live").wait_for()
    assert page.get_by_text("function", exact=True).is_visible()
    page.get_by_role("link", name="Show what it logged").click()
    assert "REPORT RequestId" in page.locator("#log").inner_text()
    page.get_by_role("link", name="Logs").click()
    page.locator("tr", has_text="/orders/seen-live").filter(has_text="prod").first.wait_for()
    page.close()


def _promotes_with_approval(person: Person, project: ProjectFolder) -> str:
    """Returns what prod served before."""
    page = person.page
    source = project.folder / "src/app.py"
    source.write_text(source.read_text() + "# the second edition\n")
    page.get_by_role("link", name="Environments").click()
    before = person.release("prod")
    person.do("deploy", "test")
    person.do("promote", "staging")

    dialog = person.open("promote", "prod")
    assert "nobody approved" in dialog.inner_text()
    assert dialog.locator("button[type=submit]").is_disabled()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")

    dialog = person.open("approve", "prod")
    dialog.get_by_label("By").fill("the release manager")
    person.confirm(dialog)
    dialog = person.open("promote", "prod")
    assert "by the release manager" in dialog.inner_text()
    person.confirm(dialog)
    page.wait_for_function("before => !document.querySelector('#facts-prod').innerText.includes(before)", arg=before)
    person.column("prod").get_by_text("from staging").first.wait_for()
    return before


def _disturbs_production(person: Person, base: str) -> None:
    dialog = person.open("disturb", "prod")
    dialog.get_by_label("Answer with this status").fill("503")
    person.confirm(dialog)
    person.column("prod").get_by_text("Disturbed:").wait_for()
    assert http("GET", f"{base}/prod/health").status == 503
    assert http("GET", f"{base}/test/health").status == 200
    person.column("prod").locator(".numbers .wrong").wait_for()
    person.do("calm", "prod")
    person.column("prod").get_by_text("Disturbed:").wait_for(state="hidden")
    assert http("GET", f"{base}/prod/health").status == 200


def _rolls_back(person: Person, first: str) -> None:
    dialog = person.open("rollback", "prod")
    assert first in dialog.inner_text()
    person.confirm(dialog)
    person.page.wait_for_function("first => document.querySelector('#facts-prod').innerText.includes(first)", arg=first)
    person.column("prod").get_by_text("rolled back from").wait_for()
    person.page.get_by_role("link", name="History").click()
    assert "rollback prod" in " ".join(person.page.locator(".timeline li").first.inner_text().split())
