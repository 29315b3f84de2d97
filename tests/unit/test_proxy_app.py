"""The proxy's own pages, and its routing table."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from flask.testing import FlaskClient

from emulator.model import Api, ProcessId, Route
from emulator.process import start_time
from emulator.proxy.app import Settings, create_app
from emulator.routes import publish_routes, watch_routes
from emulator.watched_file import WatchedFile


def own_process() -> ProcessId:
    started = start_time(os.getpid())
    assert started is not None
    return ProcessId(pid=os.getpid(), started=started)


def make_route(environment: str, **changes: object) -> Route:
    fields: dict[str, object] = {
        "environment": environment,
        "account_id": "000000000001",
        "region": "eu-central-1",
        "driver": "embedded",
        "url": "http://127.0.0.1:4566",
        "process": own_process(),
        "release": "ce9d3706731f",
        "digest": "ab" * 32,
        "apis": (Api(logical_id="Api", path="/base", stage="live"),),
        "default_api": "Api",
    }
    return Route(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def routes_file(tmp_path: Path) -> Path:
    return tmp_path / "routes.json"


@pytest.fixture
def client(routes_file: Path) -> FlaskClient:
    return create_app(Settings(routes=routes_file, timeout=1.0, max_body=100)).test_client()


@pytest.mark.parametrize(("host", "status"), [("0.0.0.0", 200), ("127.0.0.1", 403)])
def test_pages_by_an_address_of_this_machine(host: str, status: int, routes_file: Path) -> None:
    """A proxy that listens on all addresses answers to each of them; one on loopback to none beyond."""
    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family is socket.AF_INET and not address.address.startswith("127.")
    ]
    if not found:
        pytest.skip("this machine has no address beyond loopback")
    publish_routes(routes_file, [make_route("test")])
    client = create_app(Settings(routes=routes_file, timeout=1.0, max_body=100, host=host)).test_client()
    assert client.get("/", headers={"Host": f"{found[0]}:8080"}).status_code == status
    for foreign in ("0.0.0.0", "192.0.2.1", "example.com", "255.255.255.255"):
        assert client.get("/", headers={"Host": foreign}).status_code == 403


def test_home_page_is_html_that_needs_nothing_from_elsewhere(client, routes_file):
    """Environments with their release, account, region and endpoint, linked; all it loads is the proxy's own."""
    publish_routes(
        routes_file, [make_route("test"), make_route("prod", url=None, process=None, release=None, digest=None)]
    )

    response = client.get("/")

    assert response.status_code == 200
    assert response.mimetype == "text/html"
    for text in ("ce9d3706731f", "abababababab", "000000000001", "eu-central-1", "http://127.0.0.1:4566", "stopped"):
        assert text in response.text
    assert 'href="/test/"' in response.text
    assert "multistack up prod" in response.text
    loaded = re.findall(r'(?:src|href)="([^"]*)"', response.text)
    assert all(path.startswith(("/", "#")) and not path.startswith("//") for path in loaded)


def test_home_page_escapes_what_it_shows(client, routes_file):
    """Names come from a file, and are not markup."""
    publish_routes(routes_file, [make_route("<b>x")])

    assert "<b>x" not in client.get("/").text


def test_home_page_is_json_for_programs(client, routes_file):
    """`Accept: application/json` gets the same facts as data, in promotion order."""
    gone = ProcessId(pid=os.getpid(), started=-1.0)
    publish_routes(
        routes_file,
        [
            make_route("test"),
            make_route("qa", apis=(), default_api=None, digest=None),
            make_route("staging", process=gone),
            make_route("prod", url=None, process=None),
        ],
    )

    rows = client.get("/", headers={"Accept": "application/json"}).get_json()["environments"]

    assert [(row["environment"], row["status"], row["next"]) for row in rows] == [
        ("test", "ready", None),
        ("qa", "ready", "multistack promote qa"),
        ("staging", "unhealthy", "multistack up staging"),
        ("prod", "stopped", "multistack up prod"),
    ]
    assert rows[0]["endpoint"] == "http://127.0.0.1:4566"
    assert rows[3]["endpoint"] is None


@pytest.mark.parametrize("accept", ["*/*", "text/html,application/xhtml+xml,*/*;q=0.8", ""])
def test_home_page_is_html_unless_json_is_asked_for(client, accept):
    """Browsers and curl get the page."""
    assert client.get("/", headers={"Accept": accept}).mimetype == "text/html"


def test_what_has_no_process_of_ours_is_ready_while_it_listens(client, routes_file):
    """A container, or an emulator that somebody else runs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        publish_routes(routes_file, [make_route("test", url=url, process=None)])
        there = client.get("/", headers={"Accept": "application/json"}).json["environments"]
    gone = client.get("/", headers={"Accept": "application/json"}).json["environments"]
    assert [row["status"] for row in (*there, *gone)] == ["ready", "unhealthy"]


def test_home_page_without_routes_says_how_to_begin(client):
    """A proxy that nobody has published to yet is no failure."""
    response = client.get("/")

    assert response.status_code == 200
    assert "multistack up" in response.text


def test_health_is_json(client):
    """The health check answers without any environment."""
    response = client.get("/_multistack/health")

    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_other", 404),
        ("GET", "/_multistack/other", 404),
        ("POST", "/", 405),
        ("GET", "/_multistack//health", 404),
    ],
)
def test_other_pages_are_problems(client, method, path, status):
    """What the proxy doesn't have is said in the same form as everything else."""
    response = client.open(path, method=method)

    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert response.get_json(force=True)["instance"] == path


def test_pages_are_for_this_machine_only(client):
    """The host check holds for the proxy's own pages as well."""
    assert client.get("/", headers={"Host": "rebound.example"}).status_code == 403


def test_bug_is_a_problem_without_traceback(client, routes_file, caplog):
    """The client learns that the proxy failed, the log learns why."""
    publish_routes(routes_file, [replace(make_route("test"), url=["no", "URL"])])  # type: ignore[arg-type]

    with caplog.at_level(logging.ERROR):
        response = client.get("/test/a")

    assert (response.status_code, response.mimetype) == (500, "application/problem+json")
    assert "Error" not in response.text.replace("Error in the proxy", "")
    assert "Traceback" in caplog.text


def test_head_of_a_problem_has_no_body(client):
    """A HEAD request gets the problem's headers only."""
    response = client.head("/unknown/a")

    assert (response.status_code, response.data) == (503, b"")


def count_loads(file: Path) -> tuple[WatchedFile[Mapping[str, Route] | None], list[list[str]]]:
    loads: list[list[str]] = []
    note: Callable[[Mapping[str, Route]], None] = lambda routes: loads.append(list(routes))  # noqa: E731
    return watch_routes(file, on_change=note), loads


def test_table_is_read_when_it_changed(routes_file):
    """Unchanged routes are read once; a publication is noticed, and so is its absence."""
    table, loads = count_loads(routes_file)
    assert table.current() is None

    publish_routes(routes_file, [make_route("test")])
    first = table.current()
    assert table.current() is first
    publish_routes(routes_file, [make_route("prod")])
    table.current()

    assert loads == [["test"], ["prod"]]
    routes_file.unlink()
    assert table.current() is None
