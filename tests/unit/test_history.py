"""The ledger."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.errors import MultistackError
from emulator.history import History
from emulator.ledger import SCHEMA_VERSION
from emulator.model import Api, Cause, Gate, GateResult, Kind, Outcome, Phase, Release

RELEASE = Release(id="r1", digest="d1", config_hash="c1", config={"Size": "s"})
OTHER = Release(id="r2", digest="d2", config_hash="c2", config={})
API = Api(logical_id="Rest", path="/rest", stage="live")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger will be."""
    return tmp_path / "state/history.sqlite"


@pytest.fixture
def history(path: Path) -> History:
    """An empty ledger."""
    return History(path)


def test_a_new_ledger_is_empty(history: History) -> None:
    """The file is made when first asked for."""
    assert history.current("test") is None
    assert history.deployments("test") == []


def test_a_succeeded_deployment_is_current(history: History) -> None:
    """With all that a later repair needs."""
    history.end(history.begin("test", RELEASE), Outcome.SUCCEEDED, apis=[API], skipped=["Foo (X)"])
    current = history.current("test")
    assert current is not None
    assert current.release == RELEASE
    assert (current.outcome, current.apis, current.skipped) == (Outcome.SUCCEEDED, (API,), ("Foo (X)",))
    assert current.at.tzinfo is not None
    assert history.current("prod") is None


@pytest.mark.parametrize("outcome", [None, Outcome.FAILED, Outcome.INTERRUPTED], ids=str)
def test_only_success_replaces_the_current_release(history: History, outcome: Outcome | None) -> None:
    """Whatever else becomes of the next one, the old release stays the recorded one."""
    history.end(history.begin("test", RELEASE), Outcome.SUCCEEDED)
    following = history.begin("test", OTHER, cause=Cause(kind=Kind.PROMOTE, by="ada", promoted_from="dev"))
    if outcome:
        history.end(following, outcome, detail="why")
    current = history.current("test")
    assert current is not None
    assert current.release == RELEASE
    last = history.deployments("test")[-1]
    assert (last.release, last.outcome, last.cause.promoted_from) == (OTHER, outcome, "dev")


@pytest.mark.parametrize("table", ["deployments", "outcomes"])
@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM {}", "UPDATE {} SET at = 'never'", "INSERT OR REPLACE INTO {0} SELECT * FROM {0}"],
    ids=["delete", "update", "replace"],
)
def test_the_ledger_is_append_only(history: History, path: Path, table: str, statement: str) -> None:
    """Not even with SQL in hand is a row changed or removed."""
    history.end(history.begin("test", RELEASE), Outcome.SUCCEEDED)
    refused = pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only")
    with closing(sqlite3.connect(path)) as connection, refused:
        connection.execute(statement.format(table))
    assert history.current("test") is not None


def test_a_deployment_ends_once(history: History) -> None:
    """A second outcome is refused."""
    deployment = history.begin("test", RELEASE)
    history.end(deployment, Outcome.FAILED)
    with pytest.raises(MultistackError, match="outcomes is append-only"):
        history.end(deployment, Outcome.SUCCEEDED)


def test_a_deployment_whose_process_is_gone_was_interrupted(history: History, path: Path) -> None:
    """Found once, and given its outcome; one of a living process is left alone."""
    history.begin("test", RELEASE)
    assert history.close_interrupted() == []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO deployments (environment, release, digest, config_hash, config, at, pid, process_started)"
            " SELECT 'prod', release, digest, config_hash, config, at, pid, process_started - 9 FROM deployments"
        )
    assert [lost.environment for lost in history.close_interrupted()] == ["prod"]
    assert history.close_interrupted() == []
    assert history.deployments("prod")[0].outcome is Outcome.INTERRUPTED
    assert history.deployments("test")[0].outcome is None


def test_the_source_of_a_release_is_on_record(history: History) -> None:
    """A release that came back with a snapshot says so."""
    history.end(history.begin("test", RELEASE, cause=Cause(source="snapshot before")), Outcome.SUCCEEDED)
    history.begin("test", OTHER)
    assert [deployment.cause.source for deployment in history.deployments("test")] == ["snapshot before", None]


# As multistack wrote it before releases could come from a snapshot.
FORMAT_1 = """
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, release TEXT NOT NULL, digest TEXT NOT NULL,
    config_hash TEXT NOT NULL, config TEXT NOT NULL, promoted_from TEXT, at TEXT NOT NULL, pid INTEGER NOT NULL,
    process_started REAL NOT NULL
);
CREATE TABLE outcomes (
    deployment INTEGER PRIMARY KEY REFERENCES deployments (id), outcome TEXT NOT NULL, at TEXT NOT NULL,
    detail TEXT NOT NULL, apis TEXT NOT NULL, skipped TEXT NOT NULL
);
CREATE TRIGGER deployments_no_UPDATE BEFORE UPDATE ON deployments
BEGIN SELECT RAISE(ABORT, 'deployments is append-only'); END;
INSERT INTO deployments VALUES (1, 'test', 'r1', 'd1', 'c1', '{"Size": "s"}', NULL, '2026-01-01T00:00:00+00:00', 1, 1);
INSERT INTO outcomes VALUES (1, 'succeeded', '2026-01-01T00:00:01+00:00', '', '[]', '[]');
PRAGMA user_version = 1;
"""


def test_a_ledger_of_format_1_is_brought_forward(history: History, path: Path) -> None:
    """Its deployments are all there; threads that meet it at once bring it forward once."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMAT_1)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: History(path).current("test"), range(16)))
    assert all(one is not None and one.release == RELEASE and one.cause == Cause() for one in found)
    history.end(history.begin("test", OTHER, cause=Cause(source="snapshot s")), Outcome.SUCCEEDED)
    assert [deployment.release for deployment in history.deployments("test")] == [RELEASE, OTHER]


# What format 2 added; nothing else had changed.
FORMAT_2 = FORMAT_1.replace("PRAGMA user_version = 1", "PRAGMA user_version = 2").replace(
    "INSERT INTO outcomes", "ALTER TABLE deployments ADD COLUMN source TEXT;\nINSERT INTO outcomes"
)


def test_a_ledger_of_format_2_is_brought_forward(history: History, path: Path) -> None:
    """It gets gates, approvals and holds, and what it knew is a deployment by nobody in particular."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMAT_2)
    current = history.current("test")
    assert current is not None
    assert (current.release, current.cause, current.gates, current.is_verified) == (RELEASE, Cause(), (), False)
    history.add_gates(current.id, [GATE])
    assert [deployment.is_verified for deployment in history.deployments("test")] == [True]


GATE = Gate(name="smoke tests", phase=Phase.AFTER, result=GateResult.PASSED)


def test_gates_causes_and_secrets_are_on_record(history: History) -> None:
    """As they were given; a verification that failed after one that passed counts."""
    release = Release(id="r3", digest="d3", config_hash="c3", config={}, secrets={"Token": "hash"})
    before = Gate(name="soak", phase=Phase.BEFORE, result=GateResult.OVERRIDDEN, detail="why")
    cause = Cause(kind=Kind.ROLLBACK, by="ada", reason="broken")
    deployment = history.begin("prod", release, cause=cause, template_hash="t", gates=[before])
    history.end(deployment, Outcome.SUCCEEDED)
    history.add_gates(deployment, [GATE])
    (found,) = history.deployments("prod")
    assert (found.release, found.cause, found.template_hash) == (release, cause, "t")
    assert [(gate.name, gate.result, gate.detail) for gate in found.gates] == [
        ("soak", GateResult.OVERRIDDEN, "why"),
        ("smoke tests", GateResult.PASSED, ""),
    ]
    assert found.is_verified
    history.add_gates(deployment, [replace(GATE, result=GateResult.FAILED)])
    assert not history.deployments("prod")[0].is_verified


def test_the_last_deployments_of_all_environments_are_found(history: History) -> None:
    """In the order in which they were begun, each with its own gates."""
    for number, name in enumerate(("test", "prod", "test", "prod")):
        history.begin(name, RELEASE, gates=[replace(GATE, detail=str(number))])
    found = history.deployments(last=3)
    assert [(one.environment, one.gates[0].detail) for one in found] == [("prod", "1"), ("test", "2"), ("prod", "3")]
    assert all(one.is_running for one in found)


def test_a_truncated_ledger_is_told(history: History, path: Path) -> None:
    """It is left as it is, and the hint says how to go on."""
    for _ in range(200):
        history.end(history.begin("test", RELEASE), Outcome.SUCCEEDED)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(content)
    with pytest.raises(MultistackError, match=r"malformed|not a database") as caught:
        history.deployments("test")
    assert caught.value.hint == "move the file away to start a new ledger"
    assert path.read_bytes() == content


def test_a_newer_ledger_is_refused(history: History, path: Path) -> None:
    """An older multistack neither reads nor changes it."""
    history.begin("test", RELEASE)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(MultistackError, match=f"has format {SCHEMA_VERSION + 1}, newer") as caught:
        history.current("test")
    assert caught.value.hint == "use the multistack that wrote it"


def test_a_file_that_is_no_ledger_is_refused(history: History, path: Path) -> None:
    """It is left as it is."""
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(MultistackError, match="is not a database") as caught:
        history.begin("test", RELEASE)
    assert caught.value.hint == "move the file away to start a new ledger"
    assert path.read_bytes().startswith(b"not a database")


def test_a_folder_in_the_way_is_refused(history: History, path: Path) -> None:
    """The hint is about the disk, not about the ledger's content."""
    path.mkdir(parents=True)
    with pytest.raises(MultistackError, match="unable to open database file") as caught:
        history.current("test")
    assert caught.value.hint == "check the owner, the permissions and the disk of its folder"


def test_threads_may_use_a_ledger_first_at_once(path: Path) -> None:
    """Exactly one makes it; no row is lost."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: History(path).begin(f"e{number}", RELEASE), range(32)))
    assert sorted(made) == list(range(1, 33))
    assert all(History(path).deployments(f"e{number}") for number in range(32))


def test_a_ledger_that_can_not_be_made_is_told(path: Path) -> None:
    """Only that somebody else made it meanwhile is no error."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE deployments (id INTEGER)")
    with pytest.raises(MultistackError, match="table deployments already exists"):
        History(path).current("test")


def test_the_last_deployment_is_found_however_it_ended(history: History) -> None:
    """It need not be the current one."""
    assert history.last("test") is None
    history.end(history.begin("test", RELEASE), Outcome.SUCCEEDED)
    history.end(history.begin("test", OTHER), Outcome.INTERRUPTED)
    history.begin("prod", RELEASE)
    last = history.last("test")
    assert last is not None
    assert (last.release, last.outcome) == (OTHER, Outcome.INTERRUPTED)


def test_rows_of_an_earlier_environment_of_that_name_are_no_past(path: Path, history: History) -> None:
    """They stay on record; what is created anew has no release and no cut deployment yet."""
    last = history.begin("login", RELEASE)
    history.end(last, Outcome.SUCCEEDED)
    anew = History(path, ended={"login": last})
    assert (anew.current("login"), anew.last("login")) == (None, None)
    assert [one.id for one in anew.deployments("login")] == [last]
    history.end(history.begin("login", OTHER), Outcome.SUCCEEDED)
    current = anew.current("login")
    assert current is not None
    assert current.release == OTHER


def test_a_canary_runs_beside_the_current_release_until_one_succeeds(history: History) -> None:
    """A deployment that failed meanwhile, as a promotion of it may, ends nothing."""
    assert history.canary("test") is None
    history.end(history.begin("test", RELEASE), Outcome.SUCCEEDED)
    history.end(history.begin("test", OTHER), Outcome.CANARY)
    history.end(history.begin("test", OTHER), Outcome.FAILED)
    canary, current = history.canary("test"), history.current("test")
    assert canary is not None
    assert current is not None
    assert (canary.release, current.release) == (OTHER, RELEASE)
    history.end(history.begin("test", OTHER), Outcome.SUCCEEDED)
    assert history.canary("test") is None
