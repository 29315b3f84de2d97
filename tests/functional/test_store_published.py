"""What a project publishes in a shared store, with a real PostgreSQL."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue

import psycopg
import pytest
from sqlalchemy import text

from emulator.errors import ConfigError, MultistackError, StoreAway
from emulator.model import Api, ProcessId, Quota, Route, Space, StoreSettings
from emulator.space_list import space_text
from emulator.store.changes import Change, What, follow
from emulator.store.origin import MARKS_FILE, Origin, here
from emulator.store.published import Published
from emulator.store.store import Store
from emulator.store.tables import MIGRATIONS
from tests.postgres import Postgres

AT = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
ALICE = Space(name="alice", number=1, at=AT, generation=17, quota=Quota(environments=3, requests=2.5))
BOB = Space(name="bob", number=2, at=AT, generation=2, is_asleep=True)
KEY = bytes(range(32))
ROUTE = Route(
    environment="test",
    account_id="900000100001",
    region="eu-west-1",
    driver="embedded",
    url="http://127.0.0.1:4566",
    process=ProcessId(pid=17, started=2.5),
    release="0123456789ab",
    digest="ab" * 32,
    apis=(Api(logical_id="Api", path="/x", stage="live"),),
    default_api="Api",
)
PATIENCE = 60.0


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store."""
    made = Store(StoreSettings(url=store_url), patience=0)
    yield made
    made.close()


@pytest.fixture
def published(store: Store, tmp_path: Path) -> Published:
    """What project ``shop`` publishes."""
    return of_folder(store, tmp_path)


def of_folder(store: Store, folder: Path) -> Published:
    """What ``shop`` publishes from the state folder *folder*; names of machines and folders say nothing."""
    folder.mkdir(exist_ok=True)
    return Published(store, "shop", origin=Origin(state=folder, shown="desk:/home/ann/shop", place="here"))


def test_spaces_come_back_as_they_were_written(store: Store, published: Published) -> None:
    """A proxy elsewhere knows of a space what the file beside the project says of it, and the key of the tokens."""
    assert published.spaces() == {}
    assert published.key() is None
    published.write_spaces({"bob": BOB, "alice": ALICE}, key=KEY)
    elsewhere = Published(store, "shop")
    assert list(elsewhere.spaces().items()) == [("bob", BOB), ("alice", ALICE)]
    assert elsewhere.key() == KEY
    published.write_spaces({"alice": ALICE}, key=KEY)
    assert list(elsewhere.spaces()) == ["alice"]
    assert Published(store, "library").spaces() == {}


def test_routes_come_back_as_they_were_written(store: Store, published: Published) -> None:
    """The project's own and those of each space; they go with their space."""
    own = replace(ROUTE, environment="prod", url=None, process=None, release=None)
    assert published.routes("") is None
    published.write_spaces({"alice": ALICE}, key=KEY)
    published.write_routes("", [own])
    published.write_routes("alice", [ROUTE, own])
    elsewhere = Published(store, "shop")
    assert elsewhere.routes("") == {"prod": own}
    assert list((elsewhere.routes("alice") or {}).values()) == [ROUTE, own]
    assert elsewhere.origin_of("alice") == ("desk:/home/ann/shop", "here")
    assert set(elsewhere.all_routes()) == {"", "alice"}
    published.write_spaces({}, key=KEY)
    assert set(elsewhere.all_routes()) == {""}


def test_join_token_is_used_once_whichever_proxy_is_asked(store: Store, published: Published) -> None:
    """Twelve at the same moment: one gets in. A new generation may be joined again, a stale one never."""
    published.write_spaces({"alice": ALICE, "bob": BOB}, key=KEY)
    barrier = threading.Barrier(12)

    def join(_number: int) -> bool:
        barrier.wait(PATIENCE)
        return Published(store, "shop").use_join(ALICE)

    with ThreadPoolExecutor(12) as pool:
        assert sorted(pool.map(join, range(12))) == [False] * 11 + [True]
    assert [space.is_joined for space in published.spaces().values()] == [True, False]
    again = replace(ALICE, generation=18)
    published.write_spaces({"alice": again, "bob": BOB}, key=KEY)
    assert not published.spaces()["alice"].is_joined
    assert not published.use_join(ALICE)
    assert published.use_join(again)


def test_spaces_of_another_folder_are_not_overwritten(store: Store, published: Published, tmp_path: Path) -> None:
    """Two would make spaces of the same number, and each would remove the other's; an empty list is free."""
    published.write_spaces({"alice": ALICE}, key=KEY)
    other = of_folder(store, tmp_path / "other")
    with pytest.raises(ConfigError, match="were written by desk:/home/ann/shop, not by this folder"):
        other.write_spaces({"bob": BOB}, key=bytes(32))
    assert list(published.spaces()) == ["alice"]
    assert published.key() == KEY
    published.write_spaces({}, key=KEY)
    other.write_spaces({"bob": BOB}, key=bytes(32))
    assert list(published.spaces()) == ["bob"]
    assert published.key() == bytes(32)


def test_a_folder_that_was_moved_keeps_its_spaces(store: Store, tmp_path: Path) -> None:
    """To wherever, and whatever its machine is called now."""
    of_folder(store, tmp_path / "one").write_spaces({"alice": ALICE}, key=KEY)
    (tmp_path / "one").rename(tmp_path / "two")
    moved = Origin(state=tmp_path / "two", shown="laptop:/home/bea/shop", place="there")
    Published(store, "shop", origin=moved).write_spaces({"alice": ALICE, "bob": BOB}, key=KEY)
    assert list(Published(store, "shop").spaces()) == ["alice", "bob"]


def test_of_a_folder_and_its_copy_one_goes_on(store: Store, tmp_path: Path) -> None:
    """Whichever writes first: the other one's list is old by then, and would remove what it doesn't know."""
    one = of_folder(store, tmp_path / "one")
    one.write_spaces({"alice": ALICE}, key=KEY)
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    copy = of_folder(store, tmp_path / "copy")
    copy.write_spaces({"alice": ALICE, "bob": BOB}, key=KEY)
    with pytest.raises(ConfigError, match="not by this folder"):
        one.write_spaces({"alice": ALICE}, key=KEY)
    assert list(copy.spaces()) == ["alice", "bob"]
    copy.write_spaces({"bob": BOB}, key=KEY)


def test_a_write_whose_answer_was_lost_is_known_as_the_own(store: Store, tmp_path: Path) -> None:
    """Whether it was made or not: the mark of both is kept before."""
    published = of_folder(store, tmp_path)
    published.write_spaces({"alice": ALICE}, key=KEY)
    before = (tmp_path / MARKS_FILE).read_text().split()[-1]
    of_folder(store, tmp_path).write_spaces({"alice": ALICE, "bob": BOB}, key=KEY)
    assert (tmp_path / MARKS_FILE).read_text().split()[0] == before
    # As if the store had undone the last one.
    with store.transaction() as connection:
        connection.execute(text("UPDATE owners SET mark = :mark"), {"mark": before})
    published.write_spaces({"bob": BOB}, key=KEY)
    assert list(published.spaces()) == ["bob"]


def test_rows_of_before_marks_belong_to_the_folder_they_name(store_url: str, tmp_path: Path) -> None:
    """It goes on with the spaces that it published in the first format, which others are still refused."""
    store = Store(StoreSettings(url=store_url), patience=0)
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA multistack; SET search_path TO multistack")
        connection.execute(MIGRATIONS[1].encode())
        connection.execute("INSERT INTO format VALUES (1)")
        connection.execute("INSERT INTO owners VALUES ('shop', 'desk:/home/ann/shop', '')")
        connection.execute("INSERT INTO routes VALUES ('shop', '', 'desk:/home/ann/shop', '[]')")
        connection.execute("INSERT INTO spaces VALUES ('shop', 'alice', 0, %s::text::jsonb)", (space_text(ALICE),))
    published = of_folder(store, tmp_path)
    assert list(published.spaces()) == ["alice"]
    assert published.origin_of("") == ("desk:/home/ann/shop", "")
    (tmp_path / "other").mkdir()
    other = Origin(state=tmp_path / "other", shown="lap:/home/bea/shop", place="here")
    with pytest.raises(ConfigError, match="were written by desk:/home/ann/shop, not by this folder"):
        Published(store, "shop", origin=other).write_spaces({"bob": BOB}, key=KEY)
    published.write_spaces({"bob": BOB}, key=KEY)
    assert list(published.spaces()) == ["bob"]
    with pytest.raises(ConfigError, match="not by this folder"):  # from now on the mark says it, and no name
        of_folder(store, tmp_path / "copy").write_spaces({}, key=KEY)
    with store.transaction() as connection:  # as the guide says
        connection.execute(text("DELETE FROM spaces WHERE project = 'shop'"))
    of_folder(store, tmp_path / "copy").write_spaces({"alice": ALICE}, key=KEY)
    store.close()


class Listening:
    """What :func:`follow` tells, read with a limit."""

    def __init__(self, store: Store, project: str) -> None:
        self.stop = threading.Event()
        self._told: Queue[Change] = Queue()
        self._thread = threading.Thread(target=self._run, args=(store, project), daemon=True)
        self._thread.start()

    def _run(self, store: Store, project: str) -> None:
        for change in follow(store, project, self.stop):
            self._told.put(change)

    def next(self) -> Change:
        """The next change."""
        return self._told.get(timeout=PATIENCE)

    def end(self) -> list[Change]:
        """What was told besides."""
        self.stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return list(self._told.queue)


def test_changes_are_told_as_they_happen(store: Store, published: Published, store_url: str, tmp_path: Path) -> None:
    """Only of the own project, and only what really changed."""
    watching = Store(StoreSettings(url=store_url), patience=0)
    listening = Listening(watching, "shop")
    assert listening.next() == Change(what=What.ALL)
    Published(store, "library", origin=here(tmp_path)).write_routes("", [ROUTE])
    Published(store, "shop").tell("routes", "../../elsewhere")  # which no space is called: it would be a folder
    Published(store, "shop").tell("wake", "alice/--listen")
    published.tell("wake", "alice/test")
    assert listening.next() == Change(what=What.WAKE, space="alice", environment="test")
    published.write_routes("", [ROUTE])
    assert listening.next() == Change(what=What.ROUTES)
    published.write_routes("", [ROUTE])
    published.write_routes("alice", [ROUTE])
    assert listening.next() == Change(what=What.ROUTES, space="alice")
    published.write_spaces({"alice": ALICE}, key=KEY)
    assert listening.next() == Change(what=What.SPACES)
    published.write_spaces({"alice": ALICE}, key=KEY)
    published.write_routes("", [])
    assert listening.next() == Change(what=What.ROUTES)
    published.write_spaces({"alice": ALICE}, key=bytes(32))
    assert listening.next() == Change(what=What.SPACES)
    published.use_join(ALICE)
    assert listening.next() == Change(what=What.SPACES)
    assert listening.end() == []
    watching.close()


def test_a_machine_that_vanishes_is_noticed_by_the_server(store: Store) -> None:
    """Else it would hold its locks as long as the server's system says: two hours."""
    with store.transaction() as connection:
        assert connection.exec_driver_sql("SHOW tcp_keepalives_idle").scalar_one() == "10"


def test_listener_comes_back_with_the_store(stoppable_postgres: Postgres, store: Store, published: Published) -> None:
    """While the store is away that is told once; when it is back everything may be new."""
    published.write_routes("", [ROUTE])
    listening = Listening(store, "shop")
    assert listening.next() == Change(what=What.ALL)
    stoppable_postgres.stop()
    away = listening.next()
    assert away.what is What.AWAY
    assert "can't be reached" in away.reason
    stoppable_postgres.start()
    assert listening.next() == Change(what=What.ALL)
    published.write_routes("", [])
    assert listening.next() == Change(what=What.ROUTES)
    assert listening.end() == []


def test_store_of_a_newer_version_is_refused(store: Store, published: Published, postgres: Postgres) -> None:
    """As with a file: what another version wrote isn't guessed at."""
    published.write_routes("", [ROUTE])
    postgres.query("UPDATE multistack.format SET version = 99", url=store.settings.url)
    later = Store(store.settings)
    with pytest.raises(MultistackError, match="has format 99, newer than this multistack knows"):
        Published(later, "shop").routes("")
    later.close()


def test_two_that_come_first_make_one_store(store_url: str) -> None:
    """Tables are made once, by whoever is faster."""
    stores = [Store(StoreSettings(url=store_url)) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda one: Published(one, "shop").spaces(), stores)) == [{}] * 6
    for one in stores:
        one.close()


def test_password_is_in_no_message() -> None:
    """Neither where the store is away, nor where the driver repeats what it was given."""
    url = "postgresql://ann:s3cret%21x@127.0.0.1:1/shop?connect_timeout=1"
    with pytest.raises(StoreAway) as caught:
        Published(Store(StoreSettings(url=url)), "shop").spaces()
    said = f"{caught.value.message} {caught.value.hint}"
    assert "postgresql://ann@127.0.0.1:1/shop" in said
    assert "s3cret" not in said
    assert "s3cret" not in repr(StoreSettings(url=url))
