"""How somebody joins a space: the page, the same for programs, and that a link works once."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from emulator.dashboard.jobs import Command
from emulator.errors import StoreAway
from emulator.lock import exclusive
from emulator.model import STATE_FOLDER, Api, Space
from emulator.proxy import joining
from emulator.proxy.app import Settings, create_app
from emulator.proxy.guesses import Guesses
from emulator.proxy.problems import Problem
from emulator.proxy.space_table import SpaceTable
from emulator.routes import ROUTES_FILE, publish_routes
from emulator.space_list import home_of, read_spaces, write_spaces
from emulator.space_tokens import Purpose, join_url, keep_key, make_code, make_token
from emulator.store.published import Published
from tests.unit.test_proxy_app import make_route

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Accept": "application/json"}
HERE, OTHER = "127.0.0.1", "192.0.2.9"


@dataclass
class Class:
    """A proxy, and the space alice with test and prod beside bob's."""

    state: Path
    app: Flask

    def space(self, name: str = "alice") -> Space:
        """As it is listed now."""
        return read_spaces(self.state)[name]

    def change(self, name: str = "alice", **fields: object) -> None:
        """Rewrite the list."""
        spaces = read_spaces(self.state)
        write_spaces(self.state, {**spaces, name: replace(spaces[name], **fields)})  # type: ignore[arg-type]

    def link(self, name: str = "alice") -> str:
        """Path and query of the link to join."""
        return join_url("", self.state, self.space(name))

    def get(self, target: str, *, headers: Mapping[str, str] = PAGE, address: str = HERE) -> TestResponse:
        """By a client without cookies."""
        client = self.app.test_client(use_cookies=False)
        environ = {"REMOTE_ADDR": address}
        return client.get(target, headers=dict(headers), environ_overrides=environ, buffered=True)

    def post(self, target: str, *, headers: Mapping[str, str] = JSON, **options: Any) -> TestResponse:
        """The same."""
        return self.app.test_client(use_cookies=False).post(target, headers=dict(headers), **options)


def make_class(state: Path, **settings: Any) -> Class:
    """Nobody has joined yet."""
    now = datetime.now(UTC)
    write_spaces(state, {name: Space(name=name, number=at, at=now) for at, name in enumerate(("alice", "bob"), 1)})
    publish_routes(state / ROUTES_FILE, [make_route("own")])
    for name in ("alice", "bob"):
        folder = home_of(state, name) / STATE_FOLDER
        folder.mkdir(parents=True)
        publish_routes(folder / ROUTES_FILE, [make_route("test"), make_route("prod", url=None)])
    keep_key(state)
    return Class(state, create_app(Settings(routes=state / ROUTES_FILE, timeout=1.0, max_body=100, **settings)))


@pytest.fixture
def seats(tmp_path: Path) -> Class:
    """On loopback."""
    return make_class(tmp_path / STATE_FOLDER)


def test_the_link_shows_a_button_and_is_not_used_up(seats: Class) -> None:
    """Programs that preview links, and browsers that load ahead, ask for it as well."""
    for method in ("get", "head", "get"):
        response = getattr(seats.app.test_client(), method)(seats.link(), headers=PAGE)
        assert (response.status_code, response.mimetype) == (200, "text/html")
    assert re.search(r'<form method="post" action="/alice/_join">', response.text)
    assert "test" not in response.text
    assert not seats.space().is_joined
    assert "Set-Cookie" not in response.headers


class Away:
    """A store whose host says nothing to the first who asks, for as long as the test wants."""

    def __init__(self) -> None:
        self.is_asked, self.may_end = threading.Event(), threading.Event()

    def check_there(self) -> None:
        """The others are told at once."""
        if not self.is_asked.is_set():
            self.is_asked.set()
            assert self.may_end.wait(60)
        raise StoreAway("the store can't be reached")


def test_who_waits_for_the_store_holds_up_nobody_else(seats: Class) -> None:
    """Whoever comes while the first one still waits has an answer before."""
    away, table = Away(), SpaceTable(seats.state, on_change=lambda: None)
    joins = joining.Joining(seats.state, table, Guesses(lambda _client: True), shared=cast(Published, away))
    tokens = {name: make_code(keep_key(seats.state), seats.space(name)) for name in ("alice", "bob")}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(joins.join, "alice", tokens["alice"], client=HERE)
        assert away.is_asked.wait(60)
        try:
            with pytest.raises(Problem) as caught:
                joins.join("bob", tokens["bob"], client=OTHER)
            assert not first.done()
        finally:
            away.may_end.set()
        assert isinstance(first.exception(60), Problem)
    assert caught.value.status == 503
    assert not seats.space("bob").is_joined


def test_the_page_is_as_strict_as_the_others(seats: Class) -> None:
    """It loads two files of the proxy's own, runs no script, and tells no other page of its address."""
    response = seats.get(seats.link())
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cache-Control"] == "no-store"
    loaded = re.findall(r'(?:src|href)="([^"]*)"', response.text)
    assert set(loaded) == {"/_multistack/static/icon.svg", "/_multistack/static/style.css"}
    assert "<script" not in response.text


def test_joining_in_a_browser(seats: Class) -> None:
    """The page lists the environments, shows the token once, and sets a cookie that opens them."""
    client = seats.app.test_client()
    token = re.search(r'name="token" value="([^"]+)"', client.get(seats.link(), headers=PAGE).text)
    assert token is not None
    headers = {**PAGE, "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    response = client.post("/alice/_join", data={"token": token[1]}, headers=headers)
    assert response.status_code == 200
    access = re.search(r"msa\.[A-Za-z0-9._-]+", response.text)
    assert access is not None
    for text in (
        'href="/alice/test/"',
        'href="/alice/prod/"',
        "AWS_ENDPOINT_URL=http://localhost/alice/test/_aws",
        f"AWS_ACCESS_KEY_ID={access[0]}",
        "AWS_SECRET_ACCESS_KEY=",
        "AWS_REGION=eu-central-1",
    ):
        assert text in response.text
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"multistack_space={access[0]}; Path=/alice/; Expires=")
    assert {"HttpOnly", "SameSite=Strict"} < set(cookie.split("; "))
    assert seats.space().is_joined

    again = client.get(seats.link(), headers=PAGE)
    assert again.status_code == 200
    assert 'href="/alice/test/"' in again.text
    assert "msa." not in again.text
    assert client.get("/alice/nowhere/").status_code == 404
    assert client.get("/bob/test/").status_code == 401


def test_the_page_leads_to_paths_that_answer(seats: Class) -> None:
    """An API has no root: that would answer 403, and whoever meets the answer all the same reads here what it means."""
    api = Api(logical_id="Api", path="/base", stage="live", example="orders")
    other = replace(api, logical_id="Other", example="others")
    routes = [make_route("test", apis=(other, api)), make_route("prod", apis=(other, api), default_api=None)]
    publish_routes(home_of(seats.state, "alice") / STATE_FOLDER / ROUTES_FILE, routes)
    code = make_code(keep_key(seats.state), seats.space())
    page = seats.post("/alice/_join", headers=PAGE, data={"token": code}).text
    assert '<a href="/alice/test/orders">test/orders</a>' in page
    assert '<a href="/alice/prod/">prod/</a>' in page
    assert "Missing Authentication Token" in page


@pytest.mark.parametrize("place", ["form", "json", "query"])
def test_joining_by_program(seats: Class, place: str) -> None:
    """The token wherever it is easiest to say."""
    path, _, token = seats.link().partition("?token=")
    given: dict[str, Any] = {"form": {"data": {"token": token}}, "json": {"json": {"token": token}}}.get(place, {})
    response = seats.post(seats.link() if place == "query" else path, **given)
    assert response.status_code == 200
    content = response.get_json()
    assert set(content) == {"token", "expires", "environments"}
    assert datetime.fromisoformat(content["expires"]) > datetime.now(UTC) + timedelta(days=29)
    assert content["environments"][0] == {
        "name": "test",
        "url": "http://localhost/alice/test/",
        "aws": "http://localhost/alice/test/_aws",
        "region": "eu-central-1",
    }
    opened = seats.get("/alice/nowhere/", headers={"X-Multistack-Token": content["token"]})
    assert opened.status_code == 404


def test_an_access_token_ends_with_its_space(seats: Class) -> None:
    """Not later."""
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=4)
    seats.change(expires=ends)
    assert datetime.fromisoformat(seats.post(seats.link()).get_json()["expires"]) == ends


def test_a_join_token_works_once(seats: Class) -> None:
    """A second use is refused in one line; a newer link works again, and voids the token of the first."""
    link = seats.link()
    first = seats.post(link).get_json()["token"]
    for response in (seats.post(link), seats.get(link, headers=JSON)):
        problem = response.get_json(force=True)
        assert (response.status_code, problem["type"]) == (403, "urn:multistack:problem:token-used")
        assert problem["detail"].startswith("this join token was used")
        assert problem["next"] == "multistack space url alice --new"
        assert problem["instance"] == "/alice/_join"
    page = seats.get(link)
    assert page.status_code == 403
    assert "this join token was used" in page.text
    assert "script" not in page.text

    seats.change(generation=2, is_joined=False)
    assert seats.post(link).get_json(force=True)["type"].endswith("token-earlier")
    second = seats.post(seats.link()).get_json()["token"]
    statuses = [
        seats.get("/alice/nowhere/", headers={"X-Multistack-Token": one}).status_code for one in (first, second)
    ]
    assert statuses == [401, 404]


def test_of_two_at_once_exactly_one_joins(seats: Class) -> None:
    """However close they are."""
    link = seats.link()
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(lambda _: seats.post(link).status_code, range(8)))
    assert statuses == [200] + [403] * 7


def test_joining_waits_for_no_long_command(seats: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token isn't used up by that."""
    monkeypatch.setattr(joining, "_PATIENCE", 0.0)
    with exclusive(seats.state, "up", emit=lambda _event: None):
        response = seats.post(seats.link())
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert seats.post(seats.link()).status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_wrong_tokens_join_nothing(seats: Class, method: str) -> None:
    """The same answer for a space that there isn't."""
    ask = seats.get if method == "get" else seats.post
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = make_token(keep_key(seats.state), Purpose.JOIN, seats.space(), expires=past)
    of_bob = seats.link("bob").partition("token=")[2]
    cases = {"": "missing", "wrong": "malformed", "%C3%A4": "malformed", "a" * 300: "malformed"}
    for token, kind in {**cases, of_bob: "other-space"}.items():
        found = [ask(f"/{name}/_join?token={token}", headers=JSON) for name in ("alice", "nobody")]
        assert {one.get_json(force=True)["type"] for one in found} == {f"urn:multistack:problem:token-{kind}"}
        assert found[0].data.replace(b"alice", b"nobody") == found[1].data
        assert found[0].status_code == (403 if kind == "other-space" else 401)
    assert ask(f"/alice/_join?token={expired}", headers=JSON).get_json(force=True)["type"].endswith("token-expired")
    assert not seats.space().is_joined


def test_a_foreign_page_joins_nobody(seats: Class) -> None:
    """Nor does one whose name was made to lead here."""
    assert seats.post(seats.link(), headers={**JSON, "Origin": "http://example.com"}).status_code == 403
    assert seats.post(seats.link(), headers={**JSON, "Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert seats.get(seats.link(), headers={**PAGE, "Host": "example.com"}).status_code == 403
    assert not seats.space().is_joined


@pytest.mark.parametrize("body", [b"[]", b'{"token": 7}', b"{", b"\xff"])
def test_what_is_no_token_is_none(seats: Class, body: bytes) -> None:
    """Whatever is sent in its place."""
    response = seats.post("/alice/_join", data=body, content_type="application/json")
    assert response.status_code == 401
    assert seats.post("/alice/_join", data=b"token=" + b"a" * 99_999).status_code == 413


def test_other_machines_join_without_the_password(tmp_path: Path) -> None:
    """And see what the page is made of, and nothing else of the proxy's own; wrong tokens count as guesses."""
    password = tmp_path / "password"
    password.write_text("correct-horse-7\n")
    seats = make_class(tmp_path / STATE_FOLDER, host="0.0.0.0", password_file=password)
    assert seats.get(seats.link(), address=OTHER).status_code == 200
    for name in ("style.css", "icon.svg"):
        assert seats.get(f"/_multistack/static/{name}", address=OTHER).status_code == 200
    for path in ("/", "/own/", "/_multistack/spaces", "/_multistack/requests", "/_multistack/static/live.js"):
        assert seats.get(path, address=OTHER).status_code == 401
    token = seats.post(seats.link(), environ_overrides={"REMOTE_ADDR": OTHER}).get_json()["token"]
    given = {"X-Multistack-Token": token}
    assert seats.get("/alice/nowhere/", headers=given, address=OTHER).status_code == 404
    for path in ("/own/", "/_all/", "/", "/_multistack/api/environments"):
        assert seats.get(path, headers=given, address=OTHER).status_code == 401
    assert (
        seats.get("/alice/test/", headers={"X-Multistack-Password": "correct-horse-7"}, address=OTHER).status_code
        == 401
    )
    wrong = [seats.get("/alice/_join?token=wrong", address=OTHER).status_code for _ in range(11)]
    assert wrong == [401] * 10 + [429]
    assert seats.get("/", headers={"X-Multistack-Password": "correct-horse-7"}, address=OTHER).status_code == 429
    assert seats.get("/alice/nowhere/", headers=given, address=OTHER).status_code == 404


def test_how_spaces_are_used_is_told_on_this_machine(seats: Class) -> None:
    """Not to what another proxy passes on, which may be from anywhere."""
    token = seats.post(seats.link()).get_json()["token"]
    seats.get("/alice/prod/", headers={"X-Multistack-Token": token})
    seats.get("/alice/prod/")
    found = seats.get("/_multistack/spaces").get_json()
    assert {name: (one["requests"], one["refused"]) for name, one in found.items()} == {"alice": (1, 1), "bob": (0, 0)}
    assert 0 <= found["alice"]["idle"] <= found["bob"]["idle"]
    for response in (
        seats.get("/_multistack/spaces", headers={"X-Forwarded-For": "192.0.2.9"}),
        seats.get("/_multistack/spaces", address=OTHER),
    ):
        assert response.status_code == 403


def test_a_space_has_a_page_for_who_joined(seats: Class) -> None:
    """Its environments and AWS's variables, without the token: any page of the space's own could read it there."""
    token = seats.post(seats.link()).get_json()["token"]
    given = {"X-Multistack-Token": token}
    response = seats.get("/alice/", headers={**PAGE, **given})
    assert response.status_code == 200
    assert "AWS_ENDPOINT_URL=http://localhost/alice/prod/_aws" in response.text
    assert token not in response.text
    assert [one["name"] for one in seats.get("/alice/", headers={**JSON, **given}).get_json()["environments"]] == [
        "test",
        "prod",
    ]
    assert seats.get("/alice", headers={**PAGE, **given}).headers["Location"] == "/alice/"
    assert seats.get("/bob/", headers={**PAGE, **given}).status_code == 403
    for name in ("alice", "nobody"):
        refused = seats.get(f"/{name}/", address=OTHER)
        assert (refused.status_code, refused.mimetype) == (401, "text/html")
        assert "prod" not in refused.text
        assert seats.get(f"/{name}/", headers=JSON, address=OTHER).mimetype == "application/problem+json"
    assert (seats.get("/alice/").status_code, seats.get("/nobody/").status_code) == (401, 404)
    assert seats.get("/_multistack/", headers=given).status_code == 404


def test_all_environments_of_the_own_space_are_asked_at_once(seats: Class) -> None:
    """And none of another's, nor of the project's own; whatever may write has to say so."""
    given = {**JSON, "X-Multistack-Token": seats.post(seats.link()).get_json()["token"]}
    found = seats.get("/alice/_all/x", headers=given)
    assert found.status_code == 200
    problems = {name: one["problem"]["environment"] for name, one in found.get_json()["environments"].items()}
    assert problems == {"test": "alice/test", "prod": "alice/prod"}
    assert seats.get("/bob/_all/x", headers=given).status_code == 403
    assert seats.get("/alice/_all/x", headers=JSON).status_code == 401
    written = seats.post("/alice/_all/x", headers=given)
    assert (written.status_code, written.get_json()["type"].rpartition(":")[2]) == (403, "writes")
    named = seats.get("/alice/_all/x", headers={**given, "X-Multistack-Baseline": "own"})
    assert (named.status_code, named.get_json()["environments"]) == (404, ["test", "prod"])


def test_a_sleeping_space_is_started_as_a_person_would(tmp_path: Path) -> None:
    """``multistack --space NAME up --first …``; what it says when it fails is in the proxy's log."""
    script, said = tmp_path / "multistack.py", tmp_path / "said.json"
    script.write_text(
        f"import json, sys\nopen({str(said)!r}, 'w').write(json.dumps(sys.argv[1:]))\nsys.exit('error: no')"
    )
    command = Command(program=(sys.executable, str(script)), file=tmp_path / "multistack.toml", environ=dict)
    seats = make_class(tmp_path / STATE_FOLDER, waking=command)
    seats.change(is_asleep=True)
    token = make_token(keep_key(seats.state), Purpose.ACCESS, seats.space(), expires=None)
    response = seats.get("/alice/prod/", headers={"X-Multistack-Token": token})
    assert response.status_code == 503
    assert response.get_json(force=True)["next"] == "multistack --space alice up"
    started = ["--file", str(tmp_path / "multistack.toml"), "--space", "alice", "up", "--first", "prod"]
    assert json.loads(said.read_text()) == started


def test_a_damaged_list_of_spaces_changes_nothing(seats: Class) -> None:
    """What it said before counts."""
    token = seats.post(seats.link()).get_json()["token"]
    (seats.state / "spaces.json").write_text("{")
    assert seats.get("/alice/nowhere/", headers={"X-Multistack-Token": token}).status_code == 404
    (seats.state / "spaces.key").unlink()
    assert seats.get("/alice/nowhere/", headers={"X-Multistack-Token": token}).status_code == 401


def test_a_code_is_typed_where_there_is_no_link(seats: Class) -> None:
    """The page without a token asks for it, also for a space that there isn't; it works once, as the link does."""
    asked = [seats.get(f"/{name}/_join") for name in ("alice", "nobody")]
    assert [one.status_code for one in asked] == [200, 200]
    assert asked[0].text.replace("alice", "nobody") == asked[1].text
    assert 'name="token"' in asked[0].text
    code = make_code(keep_key(seats.state), seats.space()).lower()
    joined = seats.post("/alice/_join", data={"token": code})
    assert joined.status_code == 200
    assert joined.get_json()["token"].startswith("msa.alice.")
    for again in (seats.post("/alice/_join", data={"token": code}), seats.post(seats.link())):
        assert again.status_code == 403


def test_codes_are_not_found_by_trying(seats: Class) -> None:
    """After ten wrong ones in a minute also a right one is refused; a link, which nobody finds, goes on."""
    other = {"environ_overrides": {"REMOTE_ADDR": OTHER}}
    statuses = [seats.post("/alice/_join", data={"token": "AAAA-AAAA"}, **other).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    code = make_code(keep_key(seats.state), seats.space())
    assert seats.post("/alice/_join", data={"token": code}, **other).status_code == 429
    assert seats.post(seats.link(), **other).status_code == 200


def test_the_cookie_outlives_an_extended_space(seats: Class) -> None:
    """Whether the token in it is still good, the proxy decides."""
    seats.change(expires=datetime.now(UTC) + timedelta(hours=1))
    cookie = seats.post(seats.link()).headers["Set-Cookie"]
    ends = parsedate_to_datetime(re.search("Expires=([^;]+)", cookie)[1])  # type: ignore[index]
    assert ends > datetime.now(UTC) + timedelta(days=29)


def test_a_code_with_a_typing_error_is_asked_for_again(seats: Class) -> None:
    """By the page that says so."""
    page = seats.post("/alice/_join", data={"token": "AAAA-AAAA"}, headers={**PAGE, "Origin": "http://localhost"})
    assert page.status_code == 401
    assert 'href="/alice/_join"' in page.text


@pytest.mark.parametrize("name", ["x" * 200, "%C3%A4", "%F0%9F%98%80", "..", "%2e%2e", "alice%00", "alice.test"])
@pytest.mark.parametrize("tail", ["/_join", "/_join?token=AAAA-AAAA", "/test/", "/test/_aws/", "/"])
def test_what_no_space_can_be_called_is_unknown(seats: Class, name: str, tail: str) -> None:
    """In one document, whoever asks and for what."""
    for headers in (PAGE, JSON):
        found = seats.get(f"/{name}{tail}", headers=headers)
        assert (found.status_code, found.get_json(force=True)["type"]) == (
            404,
            "urn:multistack:problem:unknown-environment",
        )
