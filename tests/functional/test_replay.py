"""Record, replay and the gate, on the sample service: what a team runs before it promotes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ProjectFolder, copy_sample, http
from tests.functional.tiny import refused

ORDER = {"id": "tea-0001", "item": "tea", "qty": 2, "price": 10}
# The sample's own word about totals, without which a discount is a difference.
TOTALS = '[[compare.expected]]\njson_path = "$..total"\nreason = "the discount is config"\n'


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The sample in test and staging, with a corpus of one order's life."""
    root = tmp_path_factory.mktemp("replay")
    (root / "home").mkdir()
    project = ProjectFolder(copy_sample(root / "project"), root / "home")
    file = project.folder / "multistack.toml"
    text = file.read_text()
    assert TOTALS in text
    file.write_text(text.replace(TOTALS, ""))
    project.run("up", "test", "staging")
    project.run("record", "start", "orders")
    live_an_order(project.url("test"))
    project.run("record", "stop", "orders")
    yield project
    project.run("down")
    assert project.processes() == []


@pytest.fixture
def service(origin: ProjectFolder) -> Iterator[ProjectFolder]:
    """Its files and its release as they were, whatever a test does to them."""
    paths = [*origin.folder.glob("*.toml"), *(origin.folder / "src").glob("*.py"), *corpora(origin).glob("*.jsonl")]
    files = {path: path.read_bytes() for path in paths}
    yield origin
    for path in corpora(origin).glob("*.jsonl"):
        path.unlink()
    is_edited = any(path.suffix == ".py" and path.read_bytes() != content for path, content in files.items())
    for path, content in files.items():
        path.write_bytes(content)
    if is_edited:
        origin.run("deploy", "test")


def corpora(project: ProjectFolder) -> Path:
    """Where they are kept."""
    return project.folder / "corpora"


def live_an_order(url: str) -> None:
    """Placed, read and deleted, so that it can live again."""
    assert http("POST", f"{url}orders", ORDER).status == 201
    assert http("GET", f"{url}orders/tea-0001").status == 200
    assert http("GET", f"{url}orders/none").status == 404
    assert http("DELETE", f"{url}orders/tea-0001").status == 204


def replay(project: ProjectFolder, *args: str, code: int = 0) -> Any:
    """What ``replay --json`` finds."""
    done = project.run("replay", "orders", *args, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def differences(found: Any) -> dict[str, list[str]]:
    """Where each request's answer differs."""
    return {
        f"{one['method']} {one['target']}": [each["where"] for each in one["differences"]]
        for one in found["requests"]
        if one["verdict"] == "different"
    }


def edit(project: ProjectFolder, name: str, before: str, after: str) -> None:
    """Change a file of the project."""
    path = project.folder / name
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def rename_qty(service: ProjectFolder) -> None:
    """Release v5."""
    edit(
        service,
        "src/orders.py",
        "    qty: int\n    price: Decimal\n    total",
        "    quantity: int\n    price: Decimal\n    total",
    )
    edit(service, "src/orders.py", "str(order.qty)", "str(order.quantity)")
    edit(service, "src/orders.py", 'qty=int(item["qty"]["N"])', 'quantity=int(item["qty"]["N"])')
    edit(service, "src/app.py", "qty=draft.qty,", "quantity=draft.qty,")


def test_the_same_release_is_answered_as_it_was_recorded(service: ProjectFolder) -> None:
    """The worker may or may not have seen an order when it is read: that is no difference."""
    found = replay(service, "--against", "test", "--writes", "--fail-on-diff")
    assert found["counts"]["equal"] == 4
    assert found["is_equal"] is True


def test_v5_is_caught(service: ProjectFolder) -> None:
    """It renames a field: who reads it breaks, and nothing declares that as meant."""
    rename_qty(service)
    service.run("deploy", "test")
    found = replay(service, "--against", "test", "--writes", "--fail-on-diff", code=7)
    renamed = ["$.qty", "$.quantity"]
    assert differences(found) == {"POST /orders": renamed, "GET /orders/tea-0001": renamed}


def test_v2_passes_with_its_declared_difference(service: ProjectFolder) -> None:
    """It takes another discount; without the declaration that is a difference as any other."""
    edit(
        service,
        "src/orders.py",
        "draft.qty * draft.price * factor",
        "draft.qty * draft.price * factor * Decimal('0.9')",
    )
    service.run("deploy", "test")
    run = ("--against", "test", "--writes", "--fail-on-diff")
    totals = {"POST /orders": ["$.total"], "GET /orders/tea-0001": ["$.total"]}
    assert differences(replay(service, *run, code=7)) == totals
    declaration = '[[compare.expected]]\njson_path = "$.total"\nreason = "v2 adds a discount"\n'
    file = service.folder / "multistack.toml"
    file.write_text(file.read_text() + declaration)
    found = replay(service, *run)
    assert found["is_equal"] is True
    assert "json_path $.total" not in found["unused"]
    assert "expected: v2 adds a discount" in service.run("replay", "orders", *run).stdout


def test_a_corpus_tells_its_own_story(service: ProjectFolder) -> None:
    """What it holds can be listed, and read in a review; no header of a connection, no id of a request."""
    row = json.loads(service.run("record", "list", "--json").stdout)
    assert row == [{"corpus": "orders", "requests": 4, "writes": 2, "environment": "test", "state": "whole"}]
    lines = [json.loads(line) for line in (corpora(service) / "orders.jsonl").read_text().splitlines()]
    assert lines[0] == {"corpus": 1, "environment": "test"}
    assert lines[1]["request"]["body"]["item"] == "tea"
    assert lines[1]["answer"]["body"]["qty"] == 2
    names = {name.lower() for line in lines[1:] for part in line.values() for name, _ in part["headers"]}
    assert not names & {"host", "content-length", "date", "connection", "x-multistack-release"}
    assert ("Location", "/orders/tea-0001") in [tuple(pair) for pair in lines[1]["answer"]["headers"]]


def test_reads_alone_are_sent_without_a_word(service: ProjectFolder) -> None:
    """What they read is not there then, and that is told."""
    found = replay(service, "--against", "test")
    assert (found["counts"]["skipped"], found["counts"]["different"]) == (2, 1)
    said = service.run("replay", "orders", "--against", "test").stdout
    assert "it may change something: --writes sends it" in said
    assert re.search(r"GET /orders/tea-0001 +1 +status +200 +404\n", said)


def test_two_environments_side_by_side(service: ProjectFolder) -> None:
    """The baseline's own answers count; test's discount is another one than staging's."""
    found = replay(service, "--against", "staging", "--baseline", "test", "--writes", "--fail-on-diff", code=7)
    totals = {"POST /orders": ["$.total"], "GET /orders/tea-0001": ["$.total"]}
    assert differences(found) == totals
    assert found["baseline"] == "test"


def test_reports_say_the_same_in_each_format(service: ProjectFolder, tmp_path: Path) -> None:
    """The page has a chart, and nothing that runs or that is fetched."""
    paths = [tmp_path / f"report.{suffix}" for suffix in ("html", "md", "xml")]
    options = [word for path in paths for word in ("--report", str(path))]
    service.run("replay", "orders", "--against", "staging", "--writes", *options)
    page, markdown, junit = (path.read_text() for path in paths)
    for text in (page, markdown, junit):
        assert "$.total" in text
        assert "GET /orders/tea-0001" in text
    assert "<svg" in page
    assert "<script" not in page
    assert set(re.findall(r"(?:https?:)?//[^\s\"'<>)]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert 'tests="4"' in junit
    assert 'failures="2"' in junit


def test_ids_of_the_environment_are_carried(service: ProjectFolder) -> None:
    """Recorded with one id, replayed with another: no difference."""
    file = service.folder / "multistack.toml"
    with_carry = file.read_text()
    carry = '[[replay.carry]]\njson_path = "$.id"\nvariable = "order"\nrequest = "POST /orders"\n'
    assert carry in with_carry
    file.write_text(with_carry.replace(carry, ""))
    service.run("record", "start", "ids")
    url = service.url("test")
    made = http("POST", f"{url}orders", {"item": "tea", "qty": 2, "price": 10}).json()["id"]
    http("GET", f"{url}orders/{made}")
    http("DELETE", f"{url}orders/{made}")
    assert "ids: 3 requests" in service.run("record", "stop").stdout
    run = ("replay", "ids", "--against", "test", "--writes", "--fail-on-diff")
    assert service.run(*run, check=False).returncode == 7
    file.write_text(with_carry)
    service.run(*run)


def test_a_recording_has_no_secrets(service: ProjectFolder) -> None:
    """It is made for git."""
    service.run("record", "start", "secret")
    headers = {"Authorization": "Bearer t0ken", "Cookie": "session=t0ken", "Accept": "text/plain"}
    http("GET", service.url("test", "health?api_key=t0ken"), headers=headers)
    service.run("record", "stop", "secret")
    text = (corpora(service) / "secret.jsonl").read_text()
    assert "text/plain" in text
    assert "t0ken" not in text


def test_one_recording_at_a_time(service: ProjectFolder) -> None:
    """And never over a corpus that is there, unless one says so."""
    assert "orders.jsonl is there already" in refused(service, "record", "start", "orders", code=2)
    service.run("record", "start", "orders", "--append")
    assert "orders is being recorded already" in refused(service, "record", "start", "other", code=2)
    assert "other is not being recorded" in refused(service, "record", "stop", "other", code=2)
    assert "recording" in service.run("record", "list").stdout
    http("GET", service.url("test", "health"))
    assert "orders: 5 requests" in service.run("record", "stop", "orders").stdout
    assert "nothing is being recorded" in refused(service, "record", "stop", code=2)
    assert "was recorded in test" in refused(
        service, "record", "start", "orders", "--append", "--environment", "staging", code=2
    )
    service.run("record", "start", "orders", "--replace")
    assert "orders: 0 requests" in service.run("record", "stop").stdout
    assert "holds no requests" in refused(service, "replay", "orders", "--against", "test", code=2)


def test_a_har_file_becomes_a_corpus(service: ProjectFolder, tmp_path: Path) -> None:
    """A browser's, of the proxy; without what went elsewhere, and without secrets."""
    entries = [
        {
            "request": {
                "method": "GET",
                "url": url,
                "headers": [{"name": "Authorization", "value": "Bearer t0ken"}],
            },
            "response": {
                "status": 200,
                "headers": [{"name": "Content-Type", "value": "application/json"}],
                "content": {"text": '{"status": "ok"}'},
            },
            "time": 5,
        }
        for url in (service.url("test", "health"), "https://example.com/")
    ]
    (tmp_path / "a.har").write_text(json.dumps({"log": {"entries": entries}}))
    said = service.run("record", "import", "browser", str(tmp_path / "a.har")).stdout
    assert said == "browser: 1 requests in corpora/browser.jsonl; 1 went elsewhere, 0 have no answer or can't be sent\n"
    assert "t0ken" not in (corpora(service) / "browser.jsonl").read_text()
    found = json.loads(service.run("replay", "browser", "--against", "test", "--json").stdout)
    assert [one["status"] for one in found["requests"]] == [200]
    (tmp_path / "b.har").write_text("{")
    assert "is no HAR file" in refused(service, "record", "import", "b", str(tmp_path / "b.har"), code=2)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        pytest.param(["none", "--against", "test"], 2, "there is no corpus corpora/none.jsonl", id="no corpus"),
        pytest.param(["../x", "--against", "test"], 2, "is no name for a corpus", id="no name"),
        pytest.param(["orders", "--against", "nowhere"], 2, "has no environment nowhere", id="no environment"),
        pytest.param(["orders", "--against", "prod"], 3, "environment prod is stopped", id="stopped"),
        pytest.param(["orders", "--against", "test", "--rate", "fast"], 2, "--rate must be", id="no rate"),
        pytest.param(["orders", "--against", "test", "--report", "a.pdf"], 2, "--report must end with", id="no format"),
        pytest.param(["orders", "--against", "test", "--report", "x/a.md"], 2, "there is no folder x", id="no folder"),
    ],
)
def test_what_cannot_be_replayed_is_refused(service: ProjectFolder, args: list[str], code: int, said: str) -> None:
    """In one line, before anything is sent."""
    assert said in refused(service, "replay", *args, code=code)


def test_a_corpus_edited_by_hand_is_checked(service: ProjectFolder) -> None:
    """A broken line is named, in a replay and in the list."""
    path = corpora(service) / "orders.jsonl"
    path.write_text(path.read_text() + '{"request": {"method": "GET"}}\n')
    said = "corpora/orders.jsonl:6: required key request.target is missing"
    assert said in refused(service, "replay", "orders", "--against", "test", code=2)
    assert said in service.run("record", "list").stdout


def test_a_rate_is_kept(service: ProjectFolder) -> None:
    """Two requests at two per second take half a second."""
    found = replay(service, "--against", "test", "--rate", "2/s", "--concurrency", "2")
    assert 0.5 <= found["seconds"] < 3


GATE = '[verify]\nreplay = "orders"\nreplay_writes = true\n'


def use_as_gate(project: ProjectFolder) -> None:
    """The corpus alone verifies; what differs by design between test and staging is declared."""
    path = project.folder / "multistack.toml"
    text = re.sub(r"\[verify\]\n(.+\n)+", GATE, path.read_text())
    path.write_text(text + '[[compare.expected]]\nbetween = ["test", "staging"]\njson_path = "$.total"\n')


def test_a_replay_is_a_gate(service: ProjectFolder) -> None:
    """What renames a field gets no further than test, and that stands in the ledger."""
    use_as_gate(service)
    assert "replay orders: 4 answers as recorded" in service.run("verify", "test").stderr
    rename_qty(service)
    service.run("deploy", "test")
    said = refused(service, "promote", "staging", code=6)
    assert "2 of 4 answers differ from what was recorded" in said
    assert "GET /orders/tea-0001: $.qty: 2 -> null" in said
    last = json.loads(service.run("history", "test", "--last", "1", "--json").stdout)[0]
    assert [(gate["name"], gate["result"]) for gate in last["gates"]] == [("replay orders", "failed")]


def test_a_gate_without_its_corpus_stops_before_anything_is_deployed(service: ProjectFolder) -> None:
    """Else it would be found in the middle of a promotion."""
    use_as_gate(service)
    (corpora(service) / "orders.jsonl").unlink()
    assert "there is no corpus" in refused(service, "verify", "test", code=2)


def test_a_gate_that_compares_nothing_does_not_hold(service: ProjectFolder) -> None:
    """A corpus of writes proves nothing where they are not sent."""
    use_as_gate(service)
    path = service.folder / "multistack.toml"
    path.write_text(path.read_text().replace("replay_writes = true\n", ""))
    corpus = corpora(service) / "orders.jsonl"
    lines = corpus.read_text().splitlines(keepends=True)
    corpus.write_text("".join(lines[:2]))
    done = service.run("verify", "test", check=False)
    assert (done.returncode, "no answer was compared, 1 requests skipped" in done.stderr) == (6, True)


def test_a_protected_environment_needs_a_second_word(service: ProjectFolder) -> None:
    """To be written into; reading is free."""
    service.run("up", "prod")
    said = refused(service, "replay", "orders", "--against", "prod", "--writes", code=2)
    assert "environment prod is protected" in said
    assert replay(service, "--against", "prod")["counts"]["skipped"] == 2
    assert replay(service, "--against", "prod", "--writes", "--protected")["counts"]["skipped"] == 0
    service.run("down", "prod")


def test_a_fault_hits_a_replay_as_it_hits_clients(service: ProjectFolder) -> None:
    """So that one can see whether a gate notices; what was recorded meanwhile has the request, and no answer."""
    service.run("fault", "set", "test", "--error", "503")
    service.run("record", "start", "broken")
    assert http("GET", service.url("test", "health")).status == 503
    service.run("record", "stop")
    found = replay(service, "--against", "test", "--fail-on-diff", code=7)
    assert [one["status"] for one in found["requests"] if one["verdict"] == "different"] == [503, 503]
    service.run("fault", "clear")
    found = json.loads(service.run("replay", "broken", "--against", "test", "--json").stdout)
    assert found["counts"]["not compared"] == 1
