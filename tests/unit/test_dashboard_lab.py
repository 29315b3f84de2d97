"""The proxy's page about the lab, without a server."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from emulator.lab.project import lab_folder
from emulator.lab.results import RESULTS_FILE, keep_results
from emulator.proxy.app import Settings, create_app
from emulator.routes import publish_routes
from tests.unit.test_lab_report import MULTI, SINGLE
from tests.unit.test_proxy_app import make_route

HEADERS = {"Host": "localhost", "Accept": "text/html"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a proxy, and a lab beside it."""
    lab_folder(tmp_path).mkdir(parents=True)
    publish_routes(tmp_path / ".multistack" / "routes.json", [make_route("test"), make_route("prod")])
    return tmp_path


@pytest.fixture
def client(project: Path) -> FlaskClient:
    routes = project / ".multistack" / "routes.json"
    return create_app(Settings(routes=routes, timeout=1.0, max_body=100)).test_client()


@pytest.mark.parametrize("path", ["/_multistack/lab", "/_multistack/lab/report"])
def test_without_results_the_page_says_how_to_get_some(client: FlaskClient, path: str) -> None:
    """A page that is empty is no matrix of a prod that was never hurt."""
    answer = client.get(path, headers=HEADERS)
    assert answer.status_code == 200
    assert "<code>multistack lab run --all</code>" in answer.text


def test_the_page_shows_the_matrix_of_the_lab_beside_the_project(project: Path, client: FlaskClient) -> None:
    """What was run is shown, whatever was not says so."""
    keep_results(lab_folder(project) / RESULTS_FILE, [SINGLE, MULTI])
    text = client.get("/_multistack/lab", headers=HEADERS).text
    assert "<strong>1 of 1</strong> hurt prod: single-stack" in text
    assert '<span class="mark unhealthy">200 with wrong data on 100% of the calls</span>' in text
    assert '<span class="mark ready">unhurt</span>' in text
    assert '<span class="mark working">not run</span>' in text


def test_the_report_may_load_nothing(project: Path, client: FlaskClient) -> None:
    """It brings its style along, and no script runs on it, not even one of ours."""
    keep_results(lab_folder(project) / RESULTS_FILE, [SINGLE])
    answer = client.get("/_multistack/lab/report", headers=HEADERS)
    assert "<h1>Blast radius" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "script-src" not in policy


def test_results_that_can_not_be_read_are_a_problem(project: Path, client: FlaskClient) -> None:
    """With the way out."""
    (lab_folder(project) / RESULTS_FILE).write_text("{")
    answer = client.get("/_multistack/lab", headers=HEADERS)
    assert answer.status_code == 500
    assert "remove it: rm " in answer.text


def test_a_labs_own_proxy_shows_its_own_results(project: Path) -> None:
    """Whoever follows its URL looks for them there."""
    lab = lab_folder(project)
    keep_results(lab / RESULTS_FILE, [SINGLE])
    (lab / ".multistack").mkdir()
    publish_routes(lab / ".multistack" / "routes.json", [make_route("test")])
    own = create_app(Settings(routes=lab / ".multistack" / "routes.json", timeout=1.0, max_body=100)).test_client()
    assert "<strong>1 of 1</strong>" in own.get("/_multistack/lab", headers=HEADERS).text


def test_what_the_lab_laid_out_is_shown_and_not_operated(project: Path, client: FlaskClient) -> None:
    """No command about environments knows the stages of a single stack, so no button and no next step names one."""
    routes = project / ".multistack" / "routes.json"
    laid_out = {"topology": "single", "url": None, "process": None}
    publish_routes(routes, [make_route("test"), make_route("prod"), make_route("single/prod", **laid_out)])
    *own, single = client.get("/_multistack/api/environments", headers={"Host": "localhost"}).json["environments"]
    assert [row["before"] for row in own] == [None, "test"]
    assert (single["topology"], single["before"], single["next"]) == ("single", None, None)
    home = client.get("/", headers=HEADERS).text
    assert "topology single" in home
    assert 'data-environment="single/prod"' not in home
