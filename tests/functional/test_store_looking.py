"""What can be seen of a real PostgreSQL, and what becomes of those who ask for one that says nothing."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.doctor import Verdict
from emulator.doctor.shared_store import examine_store
from emulator.errors import MultistackError, StoreAway
from emulator.model import DriverName, Environment, Project, StoreSettings
from emulator.store.looking import look
from emulator.store.store import Store
from emulator.store.tables import FORMAT
from tests.postgres import Postgres


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty one."""
    made = Store(StoreSettings(url=store_url), patience=0)
    yield made
    made.close()


def test_a_store_is_looked_at_without_a_trace(store: Store, postgres: Postgres, tmp_path: Path) -> None:
    """Before its first use, after it, and when a newer version made it."""
    url = store.settings.url
    first = look(store)
    assert (first.format, first.denied, first.is_standby, first.user) == (0, [], False, "postgres")
    assert postgres.query("SELECT 1 FROM pg_namespace WHERE nspname = 'multistack'", url=url) == []
    with store.transaction():
        pass
    assert look(store).format == FORMAT
    postgres.query("UPDATE multistack.format SET version = 99", url=url)
    environment = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1")
    project = Project(
        file=tmp_path / "multistack.toml",
        service="shop",
        template=tmp_path / "template.yaml",
        environments=(environment,),
        store=store.settings,
    )
    found = {check.name: check.verdict for check in examine_store(project)}
    assert found == {
        "store": Verdict.OK,
        "store rights": Verdict.OK,
        "store schema": Verdict.PROBLEM,
        "store clock": Verdict.OK,
    }


def test_a_server_that_is_too_old_is_told_as_such(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not know what it is asked to do; an older one can't be had here, so it is asked for what none knows."""
    monkeypatch.setattr("emulator.store.store._NOTICE", "SET tcp_nothing = 1;")
    with pytest.raises(MultistackError, match="unrecognized configuration parameter") as caught:
        look(store)
    assert caught.value.hint == "multistack needs PostgreSQL 12 or newer"


def test_rights_that_are_missing_are_named(store: Store, postgres: Postgres) -> None:
    """To make tables, to see them, to write to one of them."""
    url, user = store.settings.url, f"guest_of_{store.settings.url.rpartition('/')[2]}"
    postgres.query(f"CREATE ROLE {user} LOGIN", url=url)
    guest = Store(StoreSettings(url=url.replace("postgres@", f"{user}@")), patience=0)
    assert (look(guest).denied, look(guest).format) == (["make the schema multistack"], 0)
    with store.transaction():
        pass
    assert (look(guest).denied, look(guest).format) == (["use the schema multistack"], None)
    postgres.query(f"GRANT USAGE ON SCHEMA multistack TO {user}", url=url)
    postgres.query(f"GRANT ALL ON ALL TABLES IN SCHEMA multistack TO {user}", url=url)
    postgres.query(f"REVOKE INSERT ON multistack.joins FROM {user}", url=url)
    needed = ["take numbers from turn_number", "write joins"]
    assert (look(guest).denied, look(guest).format) == (needed, FORMAT)
    for right, table in (("UPDATE", "turns"), ("DELETE", "spaces"), ("SELECT", "all_deployments")):
        postgres.query(f"REVOKE {right} ON multistack.{table} FROM {user}", url=url)
    denied = ["read all_deployments", "write turns", "take numbers from turn_number", "write spaces", "write joins"]
    assert look(guest).denied == denied
    guest.close()


def test_an_upgrade_needs_an_owner(store: Store, postgres: Postgres) -> None:
    """Whoever may write to all tables may not change what they are like."""
    url, user = store.settings.url, f"guest_of_{store.settings.url.rpartition('/')[2]}"
    with store.transaction():
        pass
    postgres.query(f"UPDATE multistack.format SET version = {FORMAT - 1}; CREATE ROLE {user} LOGIN", url=url)
    postgres.query(f"GRANT ALL ON SCHEMA multistack TO {user}", url=url)
    for kind in ("TABLES", "SEQUENCES"):
        postgres.query(f"GRANT ALL ON ALL {kind} IN SCHEMA multistack TO {user}", url=url)
    guest = Store(StoreSettings(url=url.replace("postgres@", f"{user}@")), patience=0)
    assert look(guest).denied == [f"bring the schema multistack to format {FORMAT}"]
    assert look(store).denied == []
    guest.close()


def test_a_database_that_is_only_read_is_told_of(store: Store, postgres: Postgres) -> None:
    """Every right is of no use there."""
    name = store.settings.url.rpartition("/")[2]
    postgres.query(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert look(store).denied == ["change anything (default_transaction_read_only is on)"]


def test_a_schema_may_be_made_beforehand(store: Store, postgres: Postgres) -> None:
    """For a user who may make none; it is looked at and used as one that isn't there yet."""
    url, user = store.settings.url, f"guest_of_{store.settings.url.rpartition('/')[2]}"
    postgres.query(f"CREATE ROLE {user} LOGIN; CREATE SCHEMA multistack", url=url)
    postgres.query(f"GRANT USAGE ON SCHEMA multistack TO {user}", url=url)
    guest = Store(StoreSettings(url=url.replace("postgres@", f"{user}@")), patience=0)
    assert (look(guest).denied, look(guest).format) == (["make tables in the schema multistack"], 0)
    postgres.query(f"GRANT CREATE ON SCHEMA multistack TO {user}", url=url)
    assert (look(guest).denied, look(guest).format) == ([], 0)
    with guest.transaction():
        pass
    assert (look(guest).denied, look(guest).format) == ([], FORMAT)
    guest.close()


def test_a_store_that_says_nothing_is_waited_for_once() -> None:
    """As where packets get lost: whoever asks next is answered by what the first one found."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ann@127.0.0.1:{silent.getsockname()[1]}/shop"
        clock = itertools.chain([0.0], itertools.repeat(2.0))
        store = Store(StoreSettings(url=url), patience=0, now=lambda: next(clock))
        for _ in range(5):
            with pytest.raises(StoreAway, match="can't be reached"), store.transaction():
                pass
        silent.settimeout(60)
        silent.accept()[0].close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()
        store.close()


def test_a_store_that_refuses_after_a_while_is_waited_for_once() -> None:
    """As where a gateway has to find out that nobody is there: whatever took long is known for a while."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        clock = itertools.chain([0.0], itertools.repeat(2.0))
        url = f"postgresql://ann@127.0.0.1:{server.getsockname()[1]}/shop"
        store = Store(StoreSettings(url=url), patience=0, now=lambda: next(clock))
        with pytest.raises(StoreAway, match="refused"), store.transaction():
            pass
        server.listen()
        with pytest.raises(StoreAway, match="refused"), store.transaction():
            pass
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
        store.close()


def test_a_new_password_in_a_file_is_read(store: Store, postgres: Postgres, tmp_path: Path) -> None:
    """By whatever runs on: each further connection reads the file anew."""
    url, user = store.settings.url, f"rotating_in_{store.settings.url.rpartition('/')[2]}"
    postgres.query(f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD 'one'", url=url)
    rules = postgres.folder / "data/pg_hba.conf"
    rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    postgres.query("SELECT pg_reload_conf()", url=url)
    file = tmp_path / "pgpass"

    def write(password: str) -> None:
        file.write_text(f"*:*:*:{user}:{password}\n")
        file.chmod(0o600)

    write("wrong")
    address = f"{url.replace('postgres@', f'{user}@')}?passfile={file}"
    time = iter(range(0, 1000, 60))
    running = Store(StoreSettings(url=address), patience=0, now=lambda: float(next(time)))
    with pytest.raises(StoreAway, match="password authentication failed"), running.transaction():
        pass
    write("one")
    with running.transaction():
        pass
    postgres.query(f"ALTER ROLE {user} PASSWORD 'two'", url=url)
    postgres.query(f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = '{user}'", url=url)
    with pytest.raises(StoreAway, match="password authentication failed"), running.transaction():
        pass
    write("two")
    with running.transaction():
        pass
    running.close()
