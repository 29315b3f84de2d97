"""The ledger in a store: what it does as a file does, and what several machines need of it."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from emulator.errors import MultistackError, NotReady, StoreAway
from emulator.events import Event
from emulator.history import History
from emulator.ledger import Ledger, LedgerFile
from emulator.model import Api, Cause, Gate, GateResult, Kind, Outcome, Phase, Release, StoreSettings
from emulator.permits import Permits
from emulator.store.ledger import SharedLedger
from emulator.store.session import CHANGING, Session
from emulator.store.store import Scope, Store
from tests.functional.cutting import line_within
from tests.postgres import Postgres

RELEASE = Release(id="r1", digest="d1", config_hash="c1", config={"Size": "s"}, secrets={"Key": "hash"})
OTHER = Release(id="r2", digest="d2", config_hash="c2", config={})
API = Api(logical_id="Rest", path="/rest", stage="live")
PATIENCE = 60.0


@pytest.fixture
def stores() -> Iterator[Callable[..., Store]]:
    """Makes stores that are closed."""
    made = []

    def make(url: str, *, timeout: float = PATIENCE) -> Store:
        made.append(Store(StoreSettings(url=url, timeout=timeout)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def store(store_url: str, stores: Callable[..., Store]) -> Store:
    """An empty one."""
    return stores(store_url)


@pytest.fixture(params=["file", "store"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """An empty ledger of each kind."""
    if request.param == "file":
        return LedgerFile(tmp_path / "history.sqlite")
    return ledger_of(request.getfixturevalue("store"))


def ledger_of(store: Store, space: str = "", *, since: str = "") -> SharedLedger:
    """The ledger of project shop as a process of its own has it."""
    return SharedLedger(store, Scope(project="shop", space=space, since=since), Session(store))


def test_deployments_are_on_record_wherever_the_ledger_is(ledger: Ledger) -> None:
    """The same history by the same statements, in a file and in a store."""
    history = History(ledger)
    assert (history.current("test"), history.last("test"), history.deployments()) == (None, None, [])
    gate = Gate(name="smoke", phase=Phase.BEFORE, result=GateResult.PASSED, detail="in 2 s")
    cause = Cause(kind=Kind.PROMOTE, by="ada", promoted_from="dev", reason="because")
    first = history.begin("test", RELEASE, cause=cause, template_hash="t", gates=[gate])
    running = history.last("test")
    assert running is not None
    assert running.is_running
    history.end(first, Outcome.SUCCEEDED, detail="half\0way", apis=[API], skipped=["Foo (X)"])
    history.add_gates(first, [Gate(name="load", phase=Phase.AFTER, result=GateResult.FAILED, detail="slow")])
    history.end(history.begin("test", OTHER), Outcome.FAILED, detail="no")
    history.end(history.begin("prod", OTHER), Outcome.CANARY)
    current = history.current("test")
    assert current is not None
    assert (current.id, current.release, current.cause, current.apis) == (first, RELEASE, cause, (API,))
    assert (current.skipped, current.template_hash, current.is_running) == (("Foo (X)",), "t", False)
    assert [(gate.name, gate.result) for gate in current.gates] == [
        ("smoke", GateResult.PASSED),
        ("load", GateResult.FAILED),
    ]
    assert [one.outcome for one in history.deployments("test")] == [Outcome.SUCCEEDED, Outcome.FAILED]
    assert [one.environment for one in history.deployments(last=2)] == ["test", "prod"]
    assert len(history.deployments()) == 3
    canary = history.canary("prod")
    assert canary is not None
    assert canary.release == OTHER
    assert History(ledger, ended={"test": first}).current("test") is None
    assert history.close_interrupted() == []


def test_approvals_and_holds_are_on_record_wherever_the_ledger_is(ledger: Ledger) -> None:
    """Who said what, for which environment, until it is taken back."""
    permits = Permits(ledger)
    expires = datetime.now(UTC) + timedelta(hours=1)
    permits.approve("prod", "d1", by="ada", expires=expires)
    assert [(one.digest, one.by, one.expires) for one in permits.approvals("prod")] == [("d1", "ada", expires)]
    assert (permits.approvals("test"), permits.held("prod")) == ([], None)
    permits.hold("prod", reason="exam", by="bob")
    held = permits.held("prod")
    assert held is not None
    assert (held.reason, held.by) == ("exam", "bob")
    permits.lift("prod", reason="over", by="bob")
    assert permits.held("prod") is None


def test_a_deployment_ends_once(ledger: Ledger) -> None:
    """A second outcome is refused, wherever the first is on record."""
    history = History(ledger)
    deployment = history.begin("test", RELEASE)
    history.end(deployment, Outcome.FAILED)
    with pytest.raises(MultistackError):
        history.end(deployment, Outcome.SUCCEEDED)
    assert [one.outcome for one in history.deployments()] == [Outcome.FAILED]


@pytest.mark.parametrize("table", ["deployments", "outcomes", "gates", "approvals", "holds"])
def test_a_store_is_append_only(store: Store, postgres: Postgres, table: str) -> None:
    """Not even with SQL in hand is a row changed or removed, nor by the view of one's own."""
    history, permits = History(ledger_of(store)), Permits(ledger_of(store))
    gate = Gate(name="smoke", phase=Phase.BEFORE, result=GateResult.PASSED, detail="")
    history.end(history.begin("test", RELEASE, gates=[gate]), Outcome.SUCCEEDED)
    permits.approve("prod", "d1", by="ada", expires=datetime.now(UTC))
    permits.hold("prod", reason="exam", by="bob")
    scope = "SET search_path TO multistack; SET multistack.scope = 1;"
    for statement in (
        f"DELETE FROM all_{table}",
        f"UPDATE all_{table} SET at = 'never'",
        f"TRUNCATE all_{table} CASCADE",
        f"DELETE FROM {table}",
        f"UPDATE {table} SET at = 'never'",
    ):
        said = postgres.refused(f"{scope} {statement}", url=store.settings.url)
        assert "is append-only" in said, statement
    assert postgres.query(f"SELECT count(*) FROM multistack.all_{table}", url=store.settings.url) == ["1"]


def test_spaces_have_ledgers_of_their_own(store: Store) -> None:
    """Neither the project nor another space sees one's rows, nor does a later space of the same name."""
    alice = ledger_of(store, "alice", since="2026-11-27T09:00:00+00:00")
    History(alice).end(History(alice).begin("test", RELEASE), Outcome.SUCCEEDED)
    Permits(alice).hold("test", reason="exam", by="bob")
    for other in (
        ledger_of(store),
        ledger_of(store, "bob", since="2026-11-27T09:00:00+00:00"),
        ledger_of(store, "alice", since="2026-11-28T09:00:00+00:00"),
        SharedLedger(store, Scope(project="library", space="alice"), Session(store)),
    ):
        assert History(other).deployments() == []
        assert History(other).close_interrupted() == []
        assert Permits(other).held("test") is None
    assert len(History(alice).deployments()) == 1


BEGIN = """
import sys
from emulator.history import History
from emulator.model import Release, StoreSettings
from emulator.store.opening import shared_ledger
history = History(shared_ledger(StoreSettings(url=sys.argv[1], timeout=0), "shop"))
print(history.begin("test", Release(id="r1", digest="d1", config_hash="c1", config={})), flush=True)
sys.stdin.read()
"""


def test_a_deployment_is_interrupted_when_its_process_elsewhere_is_gone(
    store_url: str, stores: Callable[..., Store]
) -> None:
    """While the session lives, on whichever machine, it runs; when it is killed, the next command says so once."""
    history = History(ledger_of(stores(store_url, timeout=0)))
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as elsewhere:
        number = int(line_within(elsewhere, PATIENCE))
        last = history.last("test")
        assert last is not None
        assert (last.id, last.is_running) == (number, True)
        assert history.close_interrupted() == []
        elsewhere.kill()
    until = time.monotonic() + PATIENCE
    while not (lost := history.close_interrupted()):
        assert time.monotonic() < until, "the store still takes it for running"
        time.sleep(0.05)
    assert [(one.id, one.environment) for one in lost] == [(number, "test")]
    assert history.close_interrupted() == []
    assert [one.outcome for one in history.deployments()] == [Outcome.INTERRUPTED]


def test_one_command_at_a_time_changes_a_project_on_all_machines(store: Store) -> None:
    """The second one waits and says for whom, or fails; another space is another matter."""
    events: list[Event] = []
    here, there = ledger_of(store), ledger_of(store)
    entered, told = threading.Event(), threading.Event()

    def note(event: Event) -> None:
        events.append(event)
        told.set()

    def second() -> None:
        with there.alone("promote prod", emit=note, patience=math.inf):
            entered.set()

    with here.alone("deploy", emit=note, patience=math.inf):
        refused = pytest.raises(NotReady, match=r"another command changes this project: multistack deploy by .*@")
        with refused, there.alone("promote prod", emit=note, patience=0):
            pass
        waiting = threading.Thread(target=second, daemon=True)
        waiting.start()
        assert told.wait(PATIENCE)
        assert not entered.is_set()
        with ledger_of(store, "alice").alone("deploy", emit=note, patience=0):
            pass
    assert entered.wait(PATIENCE)
    waiting.join(PATIENCE)
    assert [event.step for event in events] == ["waiting"]
    assert "for another command: multistack deploy by" in events[0].detail


def test_whoever_waits_for_so_long_says_for_whom_it_did(store: Store) -> None:
    """Another command may take hours; what comes next is told."""
    events: list[Event] = []
    with ledger_of(store).alone("deploy", emit=events.append, patience=0):
        refused = pytest.raises(NotReady, match=r"another command changes this project: multistack deploy by .*@")
        with refused as caught, ledger_of(store).alone("down", emit=events.append, patience=0.1):
            pass
    assert [event.step for event in events] == ["waiting"]
    assert "after 0.1 s" in (caught.value.hint or "")


def test_a_store_that_was_never_there_is_told_at_once(stores: Callable[..., Store]) -> None:
    """Nothing waits for what isn't there: the address may be wrong."""
    history = History(ledger_of(stores("postgresql://ann@127.0.0.1:1/shop")))
    with pytest.raises(StoreAway, match=r"the store postgresql://ann@127.0.0.1:1/shop can't be reached: .*refused"):
        history.begin("test", RELEASE)


def test_an_outcome_waits_for_a_store_that_is_away(
    stoppable_postgres: Postgres, store_url: str, stores: Callable[..., Store]
) -> None:
    """The deployment is done by then; nobody takes it for interrupted while the store starts again."""
    store = stores(store_url)
    told = threading.Event()
    store.tell = lambda _line: told.set()
    history = History(ledger_of(store))
    number = history.begin("test", RELEASE)
    stoppable_postgres.stop()
    ending = threading.Thread(target=history.end, args=(number, Outcome.SUCCEEDED), daemon=True)
    ending.start()
    assert told.wait(PATIENCE)
    stoppable_postgres.start()
    other = History(ledger_of(stores(store_url)))
    assert other.close_interrupted() == []
    ending.join(PATIENCE)
    assert [(one.id, one.outcome) for one in other.deployments()] == [(number, Outcome.SUCCEEDED)]


def test_an_outcome_fails_clearly_when_the_store_stays_away(
    stoppable_postgres: Postgres, store_url: str, stores: Callable[..., Store]
) -> None:
    """The next command finds it interrupted, as after a killed one, and repairs what is to be repaired."""
    store = stores(store_url, timeout=1)
    history = History(ledger_of(store))
    number = history.begin("test", RELEASE)
    stoppable_postgres.stop()
    with pytest.raises(StoreAway, match=r"can't be reached after 1 s"):
        history.end(number, Outcome.SUCCEEDED)
    stoppable_postgres.start()
    until = time.monotonic() + PATIENCE
    while not (lost := history.close_interrupted()):
        assert time.monotonic() < until, "the store still takes it for running"
        time.sleep(0.1)
    assert [one.id for one in lost] == [number]


# How many kinds of them are held in the database.
LOCKS = """
SELECT count(DISTINCT classid) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def test_locks_come_back_with_the_store(
    stoppable_postgres: Postgres, store_url: str, stores: Callable[..., Store]
) -> None:
    """A command goes on over a restart of the server, and the others still wait for it."""
    mine = SharedLedger(stores(store_url, timeout=0), Scope(project="shop"), Session(stores(store_url)))
    with mine.alone("deploy", emit=lambda _event: None, patience=0):
        number = History(mine).begin("test", RELEASE)
        stoppable_postgres.stop()
        stoppable_postgres.start()
        assert is_taken(ledger_of(stores(store_url)))  # although nobody may have the lock by now
        until = time.monotonic() + PATIENCE
        while stoppable_postgres.query(LOCKS, url=store_url) != ["2"]:
            assert time.monotonic() < until, "nobody took the locks again"
            time.sleep(0.05)
        other = ledger_of(stores(store_url, timeout=0))
        assert is_taken(other)
        last = History(other).last("test")
        assert last is not None
        assert last.is_running
        History(mine).end(number, Outcome.SUCCEEDED)
    assert not is_taken(ledger_of(stores(store_url)))


# Goes on with what its first argument says once it is told to.
CUT_OFF = """
import sys
from emulator.errors import MultistackError
from emulator.history import History
from emulator.model import Outcome, Release, StoreSettings
from emulator.store.opening import shared_ledger
ledger = shared_ledger(StoreSettings(url=sys.argv[2], timeout=float(sys.argv[3])), "shop")
history, release = History(ledger), Release(id="r1", digest="d1", config_hash="c1", config={})
with ledger.alone("deploy", emit=lambda _event: None, patience=0):
    number = history.begin("test", release) if sys.argv[1] != "begin" else 0
    print("changes", flush=True)
    sys.stdin.readline()
    steps = {
        "begin": lambda: history.begin("test", release),
        "change": ledger.check_turn,
        "end": lambda: history.end(number, Outcome.SUCCEEDED),
    }
    try:
        steps[sys.argv[1]]()
        print("went on", flush=True)
    except MultistackError as error:
        print(error.message, flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def operator(step: str, url: str, *, timeout: float = PATIENCE) -> Iterator[subprocess.Popen[str]]:
    """A process that changes the project by now."""
    command = [sys.executable, "-c", CUT_OFF, step, url, str(timeout)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert line_within(process, PATIENCE) == "changes"
            yield process
        finally:
            process.kill()


def told_to_go_on(process: subprocess.Popen[str]) -> str:
    """What came of its step."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return line_within(process, PATIENCE)


def cut_off(postgres: Postgres, url: str) -> bool:
    """End the session of whoever deploys, as the server does with one it hears nothing of; whether there was one."""
    found = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = current_database()"
    return "t" in postgres.query(f"{found} AND application_name LIKE 'multistack deploy by%'", url=url)


@contextlib.contextmanager
def taking_over(postgres: Postgres, url: str, ledger: SharedLedger) -> Iterator[None]:
    """Another operator begins; the one before may be faster to come back, and is cut off again."""
    until = time.monotonic() + PATIENCE
    while True:
        cut_off(postgres, url)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(ledger.alone("rollback", emit=lambda _event: None, patience=0))
            except NotReady:
                assert time.monotonic() < until
                continue
            yield
            return


@pytest.mark.parametrize("step", ["begin", "change", "end"])
@pytest.mark.parametrize("is_over", [False, True], ids=["still there", "gone again"])
def test_whoever_was_cut_off_stops_when_another_operator_began(
    postgres: Postgres, store: Store, step: str, is_over: bool
) -> None:
    """Before a deployment is on record, before it changes the environment, and before it counts as what is served."""
    url, other = store.settings.url, ledger_of(store)
    with operator(step, url) as first:
        with taking_over(postgres, url, other):
            said = "" if is_over else told_to_go_on(first)
        said = said or told_to_go_on(first)
    assert said.startswith("another command began while this one was cut off from the store: multistack rollback by")
    assert [one.outcome for one in History(other).deployments()] == [None] * (step != "begin")


def test_whoever_meets_its_own_old_session_waits_until_that_is_gone(postgres: Postgres, store: Store) -> None:
    """The server may take half a minute to notice that a connection broke, and nobody else began meanwhile."""
    url, number = store.settings.url, store.scope_number(Scope(project="shop"))
    with operator("change", url) as first, psycopg.connect(url, autocommit=True) as old:
        take = threading.Thread(target=old.execute, args=("SELECT pg_advisory_lock(%s, %s)", (CHANGING, number)))
        take.start()
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        until = time.monotonic() + PATIENCE
        while postgres.query(waits, url=url) != ["1"]:
            assert time.monotonic() < until, "nobody waits for the lock"
            time.sleep(0.05)
        cut_off(postgres, url)
        take.join(PATIENCE)
        goes = threading.Timer(2, old.close)
        goes.start()
        assert told_to_go_on(first) == "went on"
        goes.join(PATIENCE)


@pytest.mark.parametrize("step", ["begin", "change", "end"])
def test_whoever_is_unknown_to_the_store_stops(postgres: Postgres, store: Store, step: str) -> None:
    """As where a database of earlier was put back meanwhile: nobody can say who began since."""
    with operator(step, store.settings.url) as first:
        postgres.query("DELETE FROM multistack.turns", url=store.settings.url)
        said = told_to_go_on(first)
    assert said.startswith("another command began while this one was cut off from the store: multistack; this one ends")


def test_whoever_was_killed_may_be_expected_back_and_that_is_told(
    stoppable_postgres: Postgres, store_url: str, stores: Callable[..., Store]
) -> None:
    """Nobody knows that it won't come: whoever waits is told why."""
    with operator("begin", store_url) as killed:
        killed.kill()
    stoppable_postgres.stop()
    stoppable_postgres.start()
    with (
        pytest.raises(NotReady, match=r"multistack deploy by .*, which may come back now that the store was started"),
        ledger_of(stores(store_url)).alone("down", emit=lambda _event: None, patience=0),
    ):
        pass


def test_whoever_was_cut_off_goes_on_when_nobody_else_began(postgres: Postgres, store: Store) -> None:
    """With the lock, which is taken again before anything is changed."""
    url = store.settings.url
    with operator("change", url) as first:
        assert cut_off(postgres, url)
        assert told_to_go_on(first) == "went on"
        assert is_taken(ledger_of(store))


def test_nothing_is_changed_while_the_store_can_not_say_whose_turn_it_is(
    stoppable_postgres: Postgres, store: Store
) -> None:
    """It is waited for, and then that is told."""
    with operator("change", store.settings.url, timeout=1) as first:
        stoppable_postgres.stop()
        assert "can't be reached after 1 s" in told_to_go_on(first)


def is_taken(ledger: SharedLedger) -> bool:
    """Whether somebody changes the project."""
    try:
        with ledger.alone("look", emit=lambda _event: None, patience=0):
            return False
    except NotReady as error:
        return "another command" in error.message
