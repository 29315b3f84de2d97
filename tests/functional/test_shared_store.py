"""Two machines, one store: commands as people run them, with a real PostgreSQL."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.model import StoreSettings
from emulator.store.ledger import SharedLedger
from emulator.store.published import Published
from emulator.store.session import Session
from emulator.store.store import Scope, Store
from tests.conftest import ProjectFolder, http
from tests.functional.tiny import tiny_project, write_service
from tests.postgres import Postgres


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:
    """The store of all tests here."""
    return postgres.database()


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[ProjectFolder]:
    """A project that is up, whose ledger is in the store."""
    with tiny_project(tmp_path_factory.mktemp("ann")) as bare:
        project = replace(bare, environ={"MULTISTACK_STORE": url})
        write_service(project)
        project.run("up")
        yield project


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """As another machine has it."""
    made = Store(StoreSettings(url=url))
    yield made
    made.close()


def test_the_ledger_is_in_the_store(ann: ProjectFolder, postgres: Postgres, url: str) -> None:
    """And nowhere else; the proxy's pages and commands show it as they always did."""
    assert not (ann.folder / ".multistack/history.sqlite").exists()
    (deployment,) = json.loads(ann.run("history", "--json").stdout)
    assert (deployment["environment"], deployment["outcome"]) == ("test", "succeeded")
    assert postgres.query("SELECT project, space FROM multistack.scopes", url=url) == ["tiny|"]
    row = ann.status()["test"]
    assert row["release"] == deployment["release"]["id"]
    assert http("GET", row["url"]).body == b"one"
    (shown,) = http("GET", row["url"].removesuffix("test/") + "_multistack/api/environments").json()["environments"]
    assert shown["release"] == row["release"]
    assert (
        json.loads(postgres.query("SELECT content FROM multistack.routes", url=url)[0])[0]["release"] == row["release"]
    )


# Waits in a smoke test until the store is away, and lets it come back no sooner than somebody waits for it.
SMOKE = "touch started; while [ ! -e go ]; do sleep 0.05; done"


def test_a_command_that_runs_waits_for_the_store(ann: ProjectFolder, stoppable_postgres: Postgres) -> None:
    """What it found out while the store was away is on record when it is back, and requests go on meanwhile."""
    url = ann.status()["test"]["url"]
    verifying = ann.start("verify", "test", env={"MULTISTACK_VERIFY_COMMAND": SMOKE})
    wait_for(lambda: has_begun(ann, verifying))
    stoppable_postgres.stop()
    assert http("GET", url).body == b"one"
    (ann.folder / "go").touch()
    assert verifying.stderr is not None
    told = next(line for line in verifying.stderr if "waiting for the store" in line)
    assert "up to 60 s" in told
    stoppable_postgres.start()
    verifying.communicate(timeout=120)
    assert verifying.returncode == 0
    (*_, last) = json.loads(ann.run("history", "--json").stdout)
    assert [gate["result"] for gate in last["gates"]] == ["passed"]


def test_a_command_that_runs_gives_up_on_a_store_that_stays_away(
    ann: ProjectFolder, stoppable_postgres: Postgres
) -> None:
    """After the time that is set, with the code that says so; the next command goes on as if nothing was."""
    for name in ("started", "go"):
        (ann.folder / name).unlink(missing_ok=True)
    environ = {"MULTISTACK_VERIFY_COMMAND": SMOKE, "MULTISTACK_STORE_TIMEOUT": "1"}
    verifying = ann.start("verify", "test", env=environ)
    wait_for(lambda: has_begun(ann, verifying))
    stoppable_postgres.stop()
    (ann.folder / "go").touch()
    _, said = verifying.communicate(timeout=120)
    assert verifying.returncode == 3, said
    assert "can't be reached after 1 s" in said
    stoppable_postgres.start()
    ann.run("up")
    assert ann.status()["test"]["status"] == "ready"


def has_begun(project: ProjectFolder, command: subprocess.Popen[str]) -> bool:
    """Whether the smoke test runs; one that never will is no reason to wait."""
    if command.poll() is not None:
        pytest.fail(f"it ended with {command.returncode}: {command.communicate()}")
    return (project.folder / "started").exists()


def wait_for(is_so: Callable[[], bool]) -> None:
    """Until something is so."""
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_requests_are_found_in_the_store(ann: ProjectFolder) -> None:
    """What passed any proxy, by the same command and filters; without a store there is nothing to share."""
    http("GET", f"{ann.status()['test']['url']}somewhere")
    until = time.monotonic() + 60
    while not (found := json.loads(ann.run("requests", "list", "--shared", "--path", "somewhere", "--json").stdout)):
        assert time.monotonic() < until, "the request is not in the store"
    shown = ann.run("requests", "show", "--shared", "--no-logs", str(found[-1]["id"])).stdout
    assert "somewhere" in shown
    refused = ann.run("requests", "list", "--shared", env={"MULTISTACK_STORE": ""}, check=False)
    assert (refused.returncode, "this project has no store" in refused.stderr) == (2, True)


def test_status_goes_on_without_the_store(ann: ProjectFolder) -> None:
    """What runs is seen, releases are those that this machine knows of; what changes something fails before it does."""
    away = {"MULTISTACK_STORE": "postgresql://ann:geheim77@127.0.0.1:1/store"}
    done = ann.run("status", "--json", env=away)
    assert json.loads(done.stdout)[0]["release"] == ann.status()["test"]["release"]
    (line,) = [line for line in done.stderr.splitlines() if "store" in line]
    assert "the store postgresql://ann@127.0.0.1:1/store can't be reached" in line
    for command in (["deploy"], ["history"], ["hold", "test"], ["space", "create", "alice"]):
        failed = ann.run(*command, check=False, env=away)
        assert failed.returncode == 3, failed.stderr
        assert "can't be reached" in failed.stderr
        assert "geheim77" not in failed.stderr + failed.stdout
    assert len(json.loads(ann.run("history", "--json").stdout)) == 1
    assert json.loads(ann.run("space", "list", "--json").stdout) == []


def test_a_second_machine_shares_the_ledger(ann: ProjectFolder, tmp_path: Path) -> None:
    """It reads the same history, and what it says is on record for both."""
    bea = replace(ann, folder=tmp_path / "bea")
    bea.folder.mkdir()
    for name in ("multistack.toml", "template.yaml"):
        shutil.copy(ann.folder / name, bea.folder / name)
    mine, hers = (json.loads(one.run("history", "--json").stdout) for one in (ann, bea))
    assert mine == hers
    bea.run("hold", "test", "--reason", "exam")
    assert "exam" in ann.run("hold").stdout
    bea.run("hold", "test", "--lift")
    assert "exam" not in ann.run("hold").stdout
    assert not (bea.folder / ".multistack/history.sqlite").exists()


def test_two_operators_on_two_machines_take_turns(ann: ProjectFolder, store: Store) -> None:
    """Whoever comes second waits and is told for whom, or fails with --no-wait and has changed nothing."""
    elsewhere = SharedLedger(store, Scope(project="tiny"), Session(store))
    with elsewhere.alone("deploy", emit=lambda _event: None, wait=False):
        refused = ann.run("deploy", "test", "--no-wait", check=False)
        assert refused.returncode == 3
        assert "another command changes this project: multistack deploy by" in refused.stderr
        waiting = ann.start("deploy", "test")
        assert waiting.stderr is not None
        said = ""
        while "waiting for another command" not in (said := waiting.stderr.readline()):
            assert said, "it ended without waiting"
    assert waiting.communicate(timeout=120)[0] is not None
    assert waiting.returncode == 0


def test_spaces_are_published_as_they_change(ann: ProjectFolder, store: Store) -> None:
    """With their routes and the key of the tokens; the ledger of each is its own, and nothing of it is left."""
    published = Published(store, "tiny")
    ann.run("space", "create", "alice")
    (alice,) = published.spaces().values()
    assert (alice.name, alice.is_complete, alice.is_joined) == ("alice", True, False)
    key = (ann.folder / ".multistack/spaces.key").read_text().strip()
    assert (published.key() or b"").hex() == key
    route = (published.routes("alice") or {})["test"]
    assert route.url is not None
    assert route.release == ann.status()["test"]["release"]
    assert not list((ann.folder / ".multistack/spaces").rglob("history.sqlite"))
    assert published.use_join(alice)
    (listed,) = json.loads(ann.run("space", "list", "--json").stdout)
    assert listed["is_joined"]
    (own,) = json.loads(ann.run("--space", "alice", "history", "--json").stdout)
    assert own["environment"] == "test"
    assert own["id"] not in [one["id"] for one in json.loads(ann.run("history", "--json").stdout)]
    ann.run("space", "destroy", "alice")
    assert published.spaces() == {}
    assert published.routes("alice") is None
