"""The proxy's pages and API, without a server: what they know, and whom they refuse."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from emulator.created import Created, write_created
from emulator.dashboard import charts
from emulator.dashboard.api import PARAMETERS, answer
from emulator.dashboard.comparing import read_question, shown_body, shown_message
from emulator.dashboard.environments import note_of
from emulator.dashboard.jobs import Command
from emulator.dashboard.page_cache import PageCache
from emulator.dashboard.records import Records
from emulator.faults.fault import Effects, Fault
from emulator.history import History
from emulator.inspector.rates import Rate
from emulator.inspector.shown import to_dict
from emulator.model import Cause, Gate, GateResult, Kind, Outcome, Phase, Release
from emulator.permits import Permits
from emulator.proxy.app import Settings, create_app
from emulator.proxy.problems import Problem
from emulator.routes import publish_routes
from tests.unit.exchanges import make_exchange
from tests.unit.test_created import LOGIN
from tests.unit.test_proxy_app import make_route

HOST = {"Host": "localhost"}
API = "/_multistack/api"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    publish_routes(tmp_path / "routes.json", [make_route("test"), make_route("prod", protected=True)])
    command = Command(program=(sys.executable, "-c", "print('done')"), file=tmp_path / "multistack.toml", environ=dict)
    return create_app(Settings(routes=tmp_path / "routes.json", timeout=1.0, max_body=100, command=command))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def token(client: FlaskClient) -> str:
    return str(client.get(f"{API}/session").json["token"])


def release(number: int) -> Release:
    return Release(id=f"r{number}", digest=f"{number:064x}", config_hash="c" * 12, config={})


def deploy(history: History, name: str, number: int, kind: Kind = Kind.DEPLOY) -> int:
    started = history.begin(name, release(number), cause=Cause(kind=kind, by="me"))
    history.end(started, Outcome.SUCCEEDED)
    return started


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 202, id="a program"),
        pytest.param({"Origin": "http://localhost"}, 202, id="own origin"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 202, id="own site"),
        pytest.param({"Origin": "http://evil.example"}, 403, id="another origin"),
        pytest.param({"Origin": "null"}, 403, id="no origin"),
        pytest.param({"Origin": "http://localhost:81"}, 403, id="another port"),
        pytest.param({"Origin": "http://test.localhost"}, 403, id="an environment's own host"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="a neighbour"),
    ],
)
def test_only_this_origin_changes_anything(headers, status, client, token):
    """Whatever a foreign page sends along, with the right token too."""
    content = {"action": "hold", "environment": "test"}
    answer = client.post(f"{API}/jobs", json=content, headers={"X-Multistack-Token": token, **headers})
    assert answer.status_code == status


@pytest.mark.parametrize("given", [None, "", "wrong", "\xe4"])
@pytest.mark.parametrize("path", ["/jobs", "/plans", "/comparisons", "/jobs/1/cancel"])
def test_no_change_without_the_token(path, given, client):
    """A page that can't read this one doesn't know it."""
    headers = {} if given is None else {"X-Multistack-Token": given}
    assert client.post(f"{API}{path}", json={}, headers=headers).status_code == 403


def test_a_form_can_not_stand_for_json(client, token):
    """Forms of other sites need no permission to be sent, JSON does."""
    answer = client.post(f"{API}/jobs", data='{"action":"up"}', headers={"X-Multistack-Token": token})
    assert answer.status_code == 415


def test_foreign_pages_read_nothing(client):
    """The token least of all."""
    for path in ("/session", "/environments", "/requests", "/events"):
        assert client.get(f"{API}{path}", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_foreign_page_compares_nothing(client, token):
    """Not even by a link: it would ask all environments at once."""
    asked = "/_multistack/compare?go=1&target=/a"
    assert client.get(asked, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/_multistack/compare", data={"target": "/a"}).status_code == 403
    headers = {"Origin": "http://evil.example"}
    answer = client.post("/_multistack/compare", data={"target": "/a", "token": token}, headers=headers)
    assert answer.status_code == 403


def test_a_link_changes_nothing(client):
    """Whatever words it carries, and whoever follows it."""
    asked = "/_multistack/compare?go=1&method=DELETE&target=/orders/1&writes=on&protected=on"
    answer = client.get(asked, headers={"Sec-Fetch-Site": "none"})
    assert (answer.status_code, client.get(f"{API}/requests").json["requests"]) == (405, [])


@pytest.mark.parametrize(
    "query", [f"last={'0' * 30}1", f"last={'9' * 5000}", f"text={'x' * 60_000}"], ids=["zeros", "nines", "text"]
)
def test_a_parameter_has_a_longest_value(query, client):
    """What is too long for a number, or for a search, is refused and no error."""
    path = "requests" if query.startswith("text") else "history"
    assert client.get(f"{API}/{path}?{query}").status_code == 422


def test_half_a_surrogate_pair_is_no_error(client, token):
    """JSON can say it and UTF-8 can't: an answer with it is shown all the same, a question with it is refused."""
    kept = make_exchange(answer=b'{"a": "\\ud800"}', answer_headers=[("Content-Type", "application/json")])
    assert shown_message(to_dict(kept)["answer"]).encode() == b'{\n  "a": "?"\n}'
    entry = {"body": {"a": "\ud800"}, "body_encoding": "json", "body_length": 15}
    assert shown_body(entry).encode() == b'{\n  "a": "?"\n}'
    assert answer({"a": "\ud800"}).get_data() == b'{"a": "\\ud800"}\n'
    question = {"target": "/a", "method": "POST", "body": "\ud800", "writes": True}
    asked = client.post(f"{API}/comparisons", json=question, headers={"X-Multistack-Token": token})
    assert asked.status_code == 422


@pytest.mark.parametrize("path", ["/", "/_multistack/history", f"{API}/environments", "/_multistack/nothing"])
def test_every_answer_keeps_others_out(path, client):
    """Nothing from elsewhere is loaded, nothing inline runs, nobody frames it, nothing is kept."""
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers


def test_document_and_routes_agree(app, client):
    """What there is is described, and what is described is there."""
    told = client.get(f"{API}/openapi.json").json
    described = {(path, method.upper()) for path, item in told["paths"].items() for method in item}
    there = {
        (_as_documented(str(rule)), method)
        for rule in app.url_map.iter_rules()
        if str(rule).startswith(API)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == there


def _as_documented(rule: str) -> str:
    return rule.replace("<int:", "{").replace("<", "{").replace(">", "}")


def test_a_problem_is_a_page_for_people_and_json_for_programs(client):
    """Both say the same."""
    answer = client.get("/_multistack/requests/7", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "request 7 is not kept" in answer.text
    answer = client.get("/_multistack/requests/7")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_a_problem_leads_back_to_the_page_it_belongs_to(client):
    """Whoever followed a link to a request that is gone wants the list, not the start."""
    for path, title in [("/_multistack/requests/7", "Requests"), ("/_multistack/nothing", "Environments")]:
        page = client.get(path, headers={"Accept": "text/html"}).text
        assert f"Back to {title}</a>" in page


def test_a_wrong_filter_keeps_the_form(client):
    """The message is beside its field, and everything else that was typed is still there."""
    answer = client.get("/_multistack/requests?status=abc&path=/orders", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (422, "text/html")
    assert 'value="/orders"' in answer.text
    assert re.search('value="abc"[^>]*aria-invalid="true" aria-describedby="wrong"', answer.text)
    assert 'id="wrong" role="alert">' in answer.text
    other = client.get("/_multistack/requests?after=x", headers={"Accept": "text/html"})
    assert "after: it is the number of a request" in other.text


def test_parameters_that_are_not_known_are_refused(client):
    """A typing error is no silence, and a filter that there isn't filters nothing away."""
    for path in ("/requests?source=replay", "/environments?name=test", "/jobs?last=1", "/history?env=test"):
        assert client.get(f"{API}{path}").status_code == 422, path


def test_document_and_code_know_the_same_parameters(app, client):
    """What is described is taken."""
    paths = client.get(f"{API}/openapi.json").json["paths"]
    shared = client.get(f"{API}/openapi.json").json["components"]["parameters"]
    for path, item in paths.items():
        listed = [shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in _parameters(item)]
        described = {one["name"] for one in listed if one["in"] == "query"}
        rule = next(rule for rule in app.url_map.iter_rules() if _as_documented(str(rule)) == path)
        assert set(PARAMETERS.get(rule.endpoint, ())) == described, path


def _parameters(item: Any) -> list[Any]:
    return [parameter for operation in item.values() for parameter in operation.get("parameters", [])]


def test_logs_tell_why_there_are_none(client):
    """To programs as to people."""
    answer = client.get(f"{API}/logs")
    assert answer.json == {"lines": [], "problem": "done"}


def test_faults_tell_all_that_was_given():
    """Share and seed are needed to set the same one again."""
    fault = Fault(id=1, environment="test", share=0.25, seed=7, effects=Effects(error=503))
    note = note_of(fault)
    assert (note.share, note.seed, note.effect) == (0.25, 7, "error 503 for 25%")


def test_a_comparison_that_reads_has_an_address(client, token):
    """It can be reloaded, kept and passed on; what may write stays a form, and the token stays out of it."""
    data = {"token": token, "method": "GET", "target": "/a b/\u00e9\\?q=1", "environment": ["test"]}
    answer = client.post("/_multistack/compare", data=data)
    assert answer.status_code == 303
    place = urlsplit(answer.headers["Location"])
    asked = parse_qs(place.query)
    assert asked == {"go": ["1"], "method": ["GET"], "target": ["/a b/\u00e9\\?q=1"], "environment": ["test"]}
    page = client.get(answer.headers["Location"]).text
    assert "a target is path and query" not in page
    assert 'value="/a b/\u00e9\\?q=1"' in page
    everywhere = client.post("/_multistack/compare", data={**data, "environment": ["test", "prod"]})
    assert "environment" not in parse_qs(urlsplit(everywhere.headers["Location"]).query)
    assert client.post("/_multistack/compare", data={**data, "method": "POST"}).status_code == 200


def test_a_created_environment_is_told_from_the_others(tmp_path, client):
    """Nothing is promoted into it."""
    write_created(tmp_path, Created(environments={"prod": LOGIN}))
    test, prod = client.get(f"{API}/environments").json["environments"]
    assert (test["is_created"], prod["is_created"], prod["before"]) == (False, True, None)
    assert client.get("/").text.count("created environment") == 1


def test_a_verification_holds_after_a_rollback_to_its_release(tmp_path):
    """What was found good is served again; that of the release gone back over counts for nothing."""
    history = History(tmp_path / "history.sqlite")
    first, second = deploy(history, "prod", 1), deploy(history, "prod", 2)
    history.add_gates(first, [Gate(name="smoke", phase=Phase.AFTER, result=GateResult.PASSED, detail="")])
    history.add_gates(second, [Gate(name="smoke", phase=Phase.AFTER, result=GateResult.FAILED, detail="")])
    deploy(history, "prod", 1, Kind.ROLLBACK)
    verified = Records(tmp_path).of("prod").verified
    assert verified is not None
    assert verified.is_good


def test_history_shows_a_verification_that_failed(tmp_path, client):
    """A deployment that succeeded and was found bad is no green line."""
    history = History(tmp_path / "history.sqlite")
    gate = Gate(name="smoke", phase=Phase.AFTER, result=GateResult.FAILED, detail="it broke")
    history.add_gates(deploy(history, "test", 1), [gate])
    (entry,) = client.get(f"{API}/history").json["deployments"]
    assert (entry["outcome"], entry["is_verified"], entry["failed_gates"]) == ("succeeded", False, ["smoke"])
    page = client.get("/_multistack/history").text
    assert 'class="succeeded refuted"' in page
    assert "verification failed: smoke" in page


def test_home_tells_what_is_on_record(tmp_path, client):
    """Since when, verified or not, held and why, and where a rollback would go."""
    history = History(tmp_path / "history.sqlite")
    deploy(history, "test", 1)
    second = deploy(history, "test", 2)
    history.add_gates(second, [Gate(name="smoke", phase=Phase.AFTER, result=GateResult.FAILED, detail="it broke")])
    Permits(tmp_path / "history.sqlite").hold("prod", reason="a reason", by="somebody")

    page = client.get("/").text
    assert "smoke: it broke" in page
    assert "a reason" in page
    test, prod = client.get(f"{API}/environments").json["environments"]
    assert (test["config_hash"], test["verified"]["is_good"], test["before"]) == ("c" * 12, False, None)
    assert (prod["hold"]["by"], prod["before"]) == ("somebody", "test")


def test_a_ledger_that_can_not_be_read_is_told(tmp_path, client):
    """The rest of the page is there."""
    (tmp_path / "history.sqlite").write_text("this is no ledger, however long it is" * 100)
    page = client.get("/").text
    assert "can&#39;t be used" in page
    assert 'id="environment-test"' in page
    answer = client.get("/_multistack/history", headers={"Accept": "text/html"})
    assert (answer.status_code, "can&#39;t be used" in answer.text) == (500, True)


def test_reading_makes_no_ledger(tmp_path, client):
    """A page that is looked at leaves the state folder as it is."""
    before = sorted(tmp_path.iterdir())
    for path in ("/", "/_multistack/history", "/_multistack/requests", f"{API}/environments"):
        assert client.get(path).status_code == 200
    assert sorted(tmp_path.iterdir()) == before


def test_records_are_read_again_when_they_changed(tmp_path):
    """And only then: a page that is open costs nothing while nothing happens."""
    records, history = Records(tmp_path), History(tmp_path / "history.sqlite")
    assert records.of("test").release is None
    deploy(history, "test", 1)
    first = records.of("test")
    assert (first.release, first.earlier) == ("r1", None)
    assert records.of("test") is first
    deploy(history, "test", 2)
    again = records.of("test")
    assert again.release == "r2"
    assert again.earlier is not None
    assert again.earlier.release.id == "r1"


def test_records_of_a_former_namesake_are_not_this_ones(tmp_path):
    """An environment that was created again begins without a past."""
    history = History(tmp_path / "history.sqlite")
    last = deploy(history, "feature", 1)
    write_created(tmp_path, Created(ended={"feature": last}))
    assert Records(tmp_path).of("feature").release is None


def test_a_deployment_under_way_is_told(tmp_path):
    """Until its process is gone, without a row that says so."""
    history = History(tmp_path / "history.sqlite")
    started = history.begin("test", release(1), cause=Cause(kind=Kind.PROMOTE))
    records = Records(tmp_path)
    assert records.of("test").running == "promote"
    history.end(started, Outcome.FAILED, detail="it broke")
    assert (records.of("test").running, records.of("test").failed) == (None, "it broke")


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"target": 1},
        {"target": "a"},
        {"target": "/a b"},
        {"target": "/\xe4"},
        {"target": "/a\r\nX-Evil: 1"},
        {"target": "/", "method": "TRACE"},
        {"target": "/", "environments": ["a,b"]},
        {"target": "/", "environments": [1]},
        {"target": "/", "content_type": "a\r\nb: c"},
        {"target": "/", "headers": {}},
        {"target": "/", "baseline": ""},
    ],
)
def test_what_no_request_can_be_made_of_is_refused(content: Any) -> None:
    """No header is smuggled in, and nothing is guessed."""
    with pytest.raises(Problem) as caught:
        read_question(content)
    assert caught.value.status == 422


def test_a_page_is_made_again_when_its_state_changed():
    """Browsers that ask the same at the same moment share one; only the last few are remembered."""
    made: list[str] = []

    def make() -> str:
        made.append("page")
        return f"page {len(made)}"

    cache = PageCache()
    assert [cache.page(b"", state, make) for state in (1, 1, 2)] == ["page 1", "page 1", "page 2"]
    assert cache.page(b"status=404", 2, make) == "page 3"
    for number in range(20):
        cache.page(number, 0, make)
    assert cache.page(b"", 2, make) == "page 24"


def test_chart_pauses_where_nothing_was_measured():
    """A gap is no line along the ground."""
    one = Rate(start=0, seconds=10, requests=1, errors=0, p50=0.01, p95=0.02)
    none = replace(one, requests=0, p50=None, p95=None)
    found = charts.draw([one, one, none, one])
    assert found.top == 0.02
    assert [letter for letter in found.p50 if letter.isalpha()] == list("ML")
    assert [letter for letter in found.p50_dots if letter.isalpha()] == list("Mh")
    nothing = charts.draw([none])
    assert (nothing.p95, nothing.p95_dots, nothing.top) == ("", "", None)
    assert [charts.milliseconds(value) for value in (None, 0.0012, 0.25, 2)] == [
        "\N{EN DASH}",
        "1.2 ms",
        "250 ms",
        "2.0 s",
    ]
