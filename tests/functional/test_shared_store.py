"""Two machines, one store: commands as people run them, with a real PostgreSQL."""

from __future__ import annotations

import json
import os
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
from tests.functional.test_store_ledger import taking_over
from tests.functional.tiny import source, tiny_project, write, write_service
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
    with elsewhere.alone("deploy", emit=lambda _event: None, patience=0):
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


def test_what_stops_environments_waits_for_whoever_deploys_elsewhere(ann: ProjectFolder, store: Store) -> None:
    """Of the project and of a space: each under a lock of its own, and nothing is stopped before."""
    ann.run("space", "create", "alice")
    (alice,) = Published(store, "tiny").spaces().values()
    scopes = [Scope(project="tiny"), Scope(project="tiny", space="alice", since=alice.at.isoformat())]
    commands = (["down", "test"], ["space", "sleep", "alice"], ["space", "destroy", "alice"])
    for scope, command in zip([*scopes, scopes[1]], commands, strict=True):
        with SharedLedger(store, scope, Session(store)).alone("deploy", emit=lambda _event: None, patience=0):
            stopping = ann.start(*command)
            assert stopping.stderr is not None
            told = next((line for line in stopping.stderr if "waiting" in line), "it ended without waiting")
            assert "for another command: multistack deploy by" in told
            within = ["--space", "alice"] if scope.space else []
            if command[1] != "destroy":
                assert json.loads(ann.run(*within, "status", "--json").stdout)[0]["status"] == "ready"
        stopping.communicate(timeout=120)
        assert stopping.returncode == 0
    assert Published(store, "tiny").spaces() == {}
    assert ann.status()["test"]["status"] == "stopped"
    ann.run("up")


# In the place of git, which a build asks: waits there until it may go on.
WAITING_GIT = "#!/bin/sh\ntouch started; while [ ! -e go ]; do sleep 0.05; done; exit 1\n"


def test_an_operator_who_was_cut_off_changes_nothing(
    ann: ProjectFolder, store: Store, postgres: Postgres, url: str, tmp_path: Path
) -> None:
    """Another one may have deployed since: its command ends in one line, and the next one works."""
    for name in ("started", "go"):
        (ann.folder / name).unlink(missing_ok=True)
    (tmp_path / "git").write_text(WAITING_GIT)
    (tmp_path / "git").chmod(0o755)
    before, served = len(json.loads(ann.run("history", "--json").stdout)), ann.status()["test"]["url"]
    write(ann, "src/app.py", source("'two'"))
    deploying = ann.start("deploy", "test", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    wait_for(lambda: has_begun(ann, deploying))
    with taking_over(postgres, url, SharedLedger(store, Scope(project="tiny"), Session(store))):
        pass
    (ann.folder / "go").touch()
    _, said = deploying.communicate(timeout=120)
    assert deploying.returncode == 3, said
    assert said.count("error: ") == 1
    assert "another command began while this one was cut off from the store: multistack rollback by" in said
    assert http("GET", served).body == b"one"
    assert len(json.loads(ann.run("history", "--json").stdout)) == before
    ann.run("deploy", "test")
    assert http("GET", served).body == b"two"
    write(ann, "src/app.py", source("'one'"))
    ann.run("deploy", "test")


def test_down_goes_on_without_the_store(ann: ProjectFolder) -> None:
    """What runs here must be stoppable whatever became of a database; there is a warning."""
    ann.run("space", "create", "alice")
    done = ann.run("down", env={"MULTISTACK_STORE": "postgresql://ann@127.0.0.1:1/store"})
    assert "stopped test, alice, the proxy" in done.stdout
    assert "commands on other machines are not waited for" in done.stderr
    assert "warning: no request will wake it" in done.stderr
    ann.run("up")
    ann.run("space", "destroy", "alice")


def test_what_stops_goes_on_where_the_store_refuses(ann: ProjectFolder, postgres: Postgres, url: str) -> None:
    """As on a full disk: what runs is stopped, and that proxies elsewhere don't know is only told."""
    name = url.rpartition("/")[2]
    ann.run("space", "create", "alice")
    postgres.query(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        # As the proxy asks for it, who would have nobody wake what it has stopped.
        kept = ann.run("space", "sleep", "--wakeable", "alice", check=False)
        assert (kept.returncode, "can't be used" in kept.stderr) == (1, True)
        assert json.loads(ann.run("--space", "alice", "status", "--json").stdout)[0]["status"] == "ready"
        assert "sleeps" in ann.run("space", "sleep", "alice").stderr
        done = ann.run("down", "test")
        assert "stopped test" in done.stdout
        assert "warning: proxies elsewhere were not told: the store" in done.stderr
    finally:
        postgres.query(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    ann.run("up")
    ann.run("space", "destroy", "alice")


def test_down_stops_what_a_later_multistack_has_in_the_store(ann: ProjectFolder, postgres: Postgres, url: str) -> None:
    """What it serves can't be read then, nor told to the proxy."""
    postgres.query("UPDATE multistack.format SET version = version + 90", url=url)
    try:
        done = ann.run("down", "test")
        assert "stopped test" in done.stdout
        assert "warning: the proxy isn't told: the store" in done.stderr
    finally:
        postgres.query("UPDATE multistack.format SET version = version - 90", url=url)
    ann.run("up")


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
