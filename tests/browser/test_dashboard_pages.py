"""The proxy's own pages in a real browser, in the states that a person meets them in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.lab.project import lab_folder
from emulator.lab.results import RESULTS_FILE, keep_results
from emulator.model import Space
from emulator.space_list import write_spaces
from tests.browser.browsing import MARKS, Complaints, chromium, install_axe, violations
from tests.browser.serving import HOSTILE, proxy, route, upstream, write_ledger
from tests.conftest import http
from tests.unit.lab_results import make_result

pytestmark = [*MARKS, pytest.mark.timeout(300)]

LONG = "a-feature-with-a-name-that-is-rather-long-and-goes-on"
LONG_PATH = "orders-without-an-end" * 70
PAGES = {
    "home": "/",
    "requests": "/_multistack/requests",
    "one request": "/_multistack/requests/1",
    "no such request": "/_multistack/requests/999",
    "filtered to nothing": "/_multistack/requests?status=418",
    "filtered wrongly": "/_multistack/requests?status=abc",
    "one request with a long path": "/_multistack/requests/4",
    "compare": "/_multistack/compare",
    "compared": "/_multistack/compare?go=1&target=/hello",
    "logs": "/_multistack/logs",
    "history": "/_multistack/history",
    "lab of nothing": "/_multistack/lab",
    "history of nothing": "/_multistack/history?environment=nothing",
    "no such page": "/_multistack/other",
}
PLAN = {
    "action": "promote", "label": "Promote", "environment": "staging", "commands": ["multistack promote staging"],
    "will": ["Verify and deploy."], "changes": [], "confirm": "", "interrupts": False, "arguments": [],
    "refused": "approval: nobody approved it",
    "gates": [
        {"gate": "permissions", "result": "overridden", "detail": "gains none"},
        {"gate": "approval", "result": "does not hold", "detail": "nobody approved f9087a231a93; multistack approve"},
    ],
}  # fmt: skip
LOOKS = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Test and staging answer, prod is down; things happened that are told in hostile words."""
    state = tmp_path_factory.mktemp("three") / ".multistack"
    with upstream() as url:
        routes = [route("test", url), route("staging", url, number=2), route("prod", None, number=3, protected=True)]
        with proxy(state, routes) as base:
            write_ledger(state)
            for path in ("/test/hello", "/prod/hello", "/staging/%3Cscript%3Ealert(1)%3C/script%3E?a='\"<b>"):
                http("GET", base + path.replace('"', "%22").replace("<", "%3C"), headers={"X-Mine": HOSTILE})
            http("GET", f"{base}/test/{LONG_PATH}")
            yield base


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ten environments, some with long names, and spaces of all kinds."""
    state = tmp_path_factory.mktemp("ten") / ".multistack"
    now = datetime.now(UTC)
    kinds = (
        {"is_complete": True, "is_joined": True},
        {"is_complete": True, "is_asleep": True},
        {},
        {"is_ending": True},
    )
    spaces = [
        Space(name=f"{LONG[:25]}-{at}", number=at, at=now, expires=now + timedelta(days=at), **kind)
        for at, kind in enumerate(kinds, 1)
    ]
    state.mkdir()
    write_spaces(state, {space.name: space for space in spaces})
    with upstream() as url:
        names = [f"{LONG}-{number}" if number % 3 == 0 else f"e{number}" for number in range(10)]
        with proxy(state, [route(name, url, number=number) for number, name in enumerate(names, 1)]) as base:
            yield base


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Nothing was ever published, and there is no project to act on."""
    state = tmp_path_factory.mktemp("empty") / ".multistack"
    with proxy(state, [], can_act=False) as base:
        yield base


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The lab was run; one answer of the emulator is long."""
    project = tmp_path_factory.mktemp("seen")
    lab_folder(project).mkdir(parents=True)
    refused = make_result(
        experiment="X19", told=f"the update is refused: Stack is in {'_'.join(['STATE'] * 8)} and stays"
    )
    keep_results(lab_folder(project) / RESULTS_FILE, [make_result(), refused])
    with proxy(project / ".multistack", [], can_act=False) as base:
        yield base


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return install_axe(tmp_path_factory.mktemp("axe"))


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def examined(browser: Any, axe: str) -> Iterator[Any]:
    """A page that axe-core can look into."""
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    page.add_init_script(axe)
    yield page
    context.close()


def faults_in_any_look(page: Any) -> list[str]:
    """What axe-core finds, and whether the page is wider than its window: laptop and phone, light and dark."""
    found = []
    for scheme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [f"{scheme} {width}: {one}" for one in violations(page)]
        if page.evaluate("() => document.scrollingElement.scrollWidth > innerWidth"):
            found.append(f"{scheme} {width}: wider than its window")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name, three, examined):
    """Everything is labelled and reachable, contrast is right, dark and light; nothing is wider than its window."""
    examined.goto(three + PAGES[name])
    assert faults_in_any_look(examined) == []


@pytest.mark.parametrize("path", ["/", "/_multistack/requests", "/_multistack/compare", "/_multistack/history"])
@pytest.mark.parametrize("state", ["ten", "empty"])
def test_axe_finds_nothing_with_ten_environments_or_none(state, path, examined, request):
    """Long names and many columns are no exception, and neither is a page with nothing on it."""
    examined.goto(request.getfixturevalue(state) + path)
    assert faults_in_any_look(examined) == []


@pytest.mark.parametrize("path", ["/_multistack/lab", "/_multistack/lab/report"])
def test_every_topology_of_the_lab_is_in_sight(path, seen, examined):
    """A long answer pushes no column of the matrix out of the window, on a laptop or a phone."""
    examined.goto(seen + path)
    assert faults_in_any_look(examined) == []
    for _, width in LOOKS:
        examined.set_viewport_size({"width": width, "height": 800})
        cut = examined.locator("div.scroll").evaluate_all("all => all.filter(one => one.scrollWidth > one.clientWidth)")
        assert cut == [], width


def test_axe_finds_nothing_in_a_dialog(three, examined):
    """What is asked before something is done is held to the same."""
    examined.goto(three)
    examined.locator("#reset-staging").click()
    examined.get_by_text("Runs multistack").wait_for()
    assert faults_in_any_look(examined) == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_hostile_runs(name, three, page):
    """Paths, headers, bodies and reasons are text; the browser has nothing to say against any page."""
    complaints = Complaints()
    complaints.note(page, base=three)
    page.on("dialog", lambda dialog: complaints.said.append(f"alert: {dialog.message}"))
    answer = page.goto(three + PAGES[name])
    page.wait_for_load_state("load")
    expected = [said for said in complaints.said if str(answer.status) in said] if answer.status in {404, 422} else []
    assert complaints.said == expected
    assert page.locator("img[src=x]").count() == 0


def test_home_page_leads_to_the_environments(three, page):
    """A person finds every environment on one page, and the running ones a click away."""
    page.goto(three)
    headings = page.locator(".environment h2").all_inner_texts()
    assert [one.split() for one in headings] == [["test", "ready"], ["staging", "ready"], ["prod", "stopped"]]
    assert page.get_by_text("multistack up prod").is_visible()
    page.get_by_role("link", name="staging", exact=True).click()
    assert page.get_by_role("heading").inner_text() == "hello from /_aws/execute-api/00bea1dc/live/"
    assert page.url == f"{three}/staging/"


def test_pages_are_whole_without_scripts(three, browser):
    """Whoever runs no scripts can read everything, filter, compare, and is offered no button that does nothing."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(three)
    assert page.locator(".environment").count() == 3
    assert page.locator("[data-action]:visible").count() == 0
    page.get_by_role("link", name="Requests").click()
    page.get_by_label("Status").fill("503")
    page.get_by_role("button", name="Filter").click()
    assert {"503 stopped" in row for row in page.locator("tbody tr").all_inner_texts()} == {True}
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Path and query").fill("/hello")
    page.get_by_role("button", name="Send").click()
    assert page.locator(".answer").count() == 3
    context.close()


def test_keyboard_is_enough(three, page):
    """Tab leads to every button; Enter opens the dialog, Escape closes it, and the focus is where it was."""
    page.goto(three)
    page.get_by_text("live", exact=True).wait_for()
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.id"))
        if seen[-1] == "hold-prod":
            break
    assert {"verify-test", "lift-staging", "hold-prod"} <= set(seen)
    page.keyboard.press("Enter")
    page.get_by_text("Runs multistack").wait_for()
    assert page.evaluate("() => document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert page.evaluate("() => document.activeElement.id") == "hold-prod"


def test_a_page_without_a_project_is_for_reading(empty, page):
    """It says so, and offers nothing that it can't do."""
    page.goto(empty)
    assert page.get_by_text("These pages are for reading").is_visible()
    assert page.get_by_text("multistack up").is_visible()
    assert page.locator("[data-action]").count() == 0


def test_a_new_request_shows_up_by_itself(three, page):
    """Nobody reloads."""
    page.goto(f"{three}/_multistack/requests")
    page.get_by_text("live", exact=True).wait_for()
    http("GET", f"{three}/test/shows-up")
    page.get_by_role("link", name="GET /shows-up").wait_for()


def test_a_long_path_takes_one_line_of_the_list(three, page):
    """The whole of it is in the tooltip, and on the request's own page."""
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{three}/_multistack/requests?path={LONG_PATH[:40]}")
        link = page.locator("tbody a")
        assert link.get_attribute("title") == f"GET /{LONG_PATH}"
        assert page.locator("tbody tr").bounding_box()["height"] < 60


def test_a_proxy_that_is_gone_looks_gone(tmp_path, page):
    """No environment is called ready, nothing can be pressed, and all of it comes back with the proxy."""
    state = tmp_path / ".multistack"
    with upstream() as url:
        routes = [route("test", url), route("staging", url, number=2)]
        with proxy(state, routes) as base:
            page.goto(base)
            page.get_by_text("live", exact=True).wait_for()
        gone = page.get_by_text("The proxy does not answer")
        gone.wait_for()
        assert page.get_by_text("ready", exact=True).first.is_hidden()
        assert page.locator("[data-action]:not(:disabled)").count() == 0
        with proxy(state, routes, port=int(base.rpartition(":")[2])):
            gone.wait_for(state="detached")
            page.get_by_text("ready", exact=True).first.wait_for()
            assert page.locator("[data-action]:disabled").count() == 0


def test_a_dialog_that_loses_something_starts_on_cancel(three, page):
    """Enter, pressed too early, does no harm; where nothing can be lost it confirms."""
    page.goto(three)
    for action, chosen in [("down", "Cancel"), ("restart", "Cancel"), ("reset", "Cancel"), ("verify", "Verify")]:
        page.locator(f"#{action}-staging").click()
        page.get_by_text("Runs multistack").wait_for()
        assert page.evaluate("() => document.activeElement.textContent") == chosen
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="hidden")


def test_a_fault_that_makes_no_sense_keeps_its_form(three, page):
    """What is wrong is said in the words of the form, and nothing has to be typed again."""
    page.goto(three)
    page.locator("#disturb-staging").click()
    page.get_by_text("Runs multistack").wait_for()
    dialog = page.get_by_role("dialog")
    confirm = dialog.get_by_role("button", name="Disturb")
    confirm.click()
    dialog.get_by_role("alert").get_by_text("a fault without an effect").wait_for()
    dialog.get_by_label("Hold back").fill("soon")
    confirm.click()
    dialog.get_by_role("alert").get_by_text("\u201cHold back\u201d must be a time").wait_for()
    assert dialog.get_by_label("Hold back").input_value() == "soon"
    dialog.get_by_label("Answer with this status").fill("200")
    assert dialog.locator("input:invalid").get_attribute("name") == "error"
    assert dialog.get_by_label("Seed").get_attribute("min") == "0"


def test_a_comparison_can_be_kept_as_a_bookmark(three, page):
    """Its address asks the same again; what is typed is encoded as the command line does."""
    page.goto(f"{three}/_multistack/compare")
    page.get_by_label("Path and query").fill("/a b/\u00e9")
    page.get_by_role("button", name="Send").click()
    page.locator(".answer").first.wait_for()
    assert "hello from /_aws/execute-api/00bea1dc/live/a%20b/%C3%A9" in page.locator("pre.body").first.inner_text()
    kept = page.url
    assert "target=" in kept
    assert "token" not in kept
    page.goto(f"{three}/_multistack/history")
    page.goto(kept)
    assert page.locator(".answer").count() == 3
    assert page.get_by_label("Path and query").input_value() == "/a b/\u00e9"


def test_a_single_measurement_is_a_dot(tmp_path, page):
    """And a line of text tells the scale."""
    # Of one request alone: a second one may fall into the next span of time, and make a line of them.
    with upstream() as url, proxy(tmp_path / ".multistack", [route("test", url)]) as base:
        http("GET", f"{base}/test/hello")
        page.goto(base)
        dot = page.locator("#environment-test .chart .p50.dots")
        assert float(dot.evaluate("one => getComputedStyle(one).strokeWidth").removesuffix("px")) >= 4
        assert page.locator("#environment-test .scale").inner_text().startswith("0 to ")


def test_gates_of_a_dialog_fit_a_phone(three, page):
    """What a gate found is read without scrolling sideways."""
    page.route("**/api/plans", lambda route: route.fulfill(json=PLAN))
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(three)
    page.locator("#promote-staging, #verify-staging").first.click()
    found = page.get_by_text("nobody approved f9087a231a93")
    found.wait_for()
    box = found.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert page.locator(".plan .scroll").evaluate("one => one.scrollWidth <= one.clientWidth")
