"""Where a store is, as far as no server is needed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.errors import ConfigError, StoreAway
from emulator.history import History
from emulator.known import Known, known_of
from emulator.model import Api, DriverName, Environment, Project, Route, StoreSettings
from emulator.routes import publish_routes
from emulator.store.address import checked_url, has_password, shown_url, store_environ, store_in, without_password
from emulator.store.opening import ledger_of, open_store

PLAIN = "postgresql://ann@db.example/store"


@pytest.mark.parametrize("url", ["", PLAIN, "postgres://db/store", "postgresql:///store?host=/run/postgresql"])
def test_a_url_of_a_database_is_taken(url: str) -> None:
    """Also one on a socket; nothing means the files."""
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://db/store",
        "postgresql://db",
        "postgresql://db/",
        "db/store",
        "postgresql://db:none/store",
        "postgresql://d\n/s",
        "postgresql://ann:12/ab@db/store",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    """Before anything starts, not by a driver's words."""
    with pytest.raises(ValueError, match=r"."):
        checked_url(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (PLAIN, PLAIN),
        ("postgresql://ann:s3cret@db:5433/store", "postgresql://ann@db:5433/store"),
        ("postgresql://ann:s3%21cret@db/store?sslmode=require", "postgresql://ann@db/store"),
        ("postgresql:///store?host=/run/pg&password=s3cret", "postgresql:///run/pg/store"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    """Wherever it stands in it."""
    assert has_password(url) is ("s3" in url)
    assert shown_url(url) == shown


def test_a_password_is_taken_out_of_what_others_say() -> None:
    """As it is written, and as it is meant."""
    said = without_password("bad: s3!cret or s3%21cret", "postgresql://ann:s3%21cret@db/store")
    assert said == "bad: *** or ***"


def test_settings_pass_to_processes_of_ours_by_variables() -> None:
    """Others may look at arguments."""
    settings = StoreSettings(url="postgresql://ann:s3cret@db/store", timeout=2.5)
    assert store_in(store_environ(settings)) == settings
    assert store_in(store_environ(None)) is None
    assert store_in({"MULTISTACK_STORE": PLAIN}) == StoreSettings(url=PLAIN)


def test_a_project_without_a_store_loads_no_database_driver() -> None:
    """SQLAlchemy takes a third of a second, and few need it."""
    code = "import sys, emulator.opening; sys.exit('sqlalchemy' in sys.modules or 'psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_driver_that_is_not_installed_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it, for this interpreter."""
    monkeypatch.setitem(sys.modules, "emulator.store.store", None)
    with pytest.raises(ConfigError, match="the setting store needs the packages SQLAlchemy and psycopg") as caught:
        open_store(StoreSettings(url="postgresql://nobody@before/store"))
    assert caught.value.hint == f"{sys.executable} -m pip install 'multistack-emulator[postgresql]'"


def test_what_is_known_without_the_store_is_what_was_published_here(tmp_path: Path) -> None:
    """And that the store is away is told once, however many environments there are."""
    names = ["test", "prod", "new"]
    environments = tuple(
        Environment(name=name, driver=DriverName.EMBEDDED, account_id="1" * 12, region="eu-west-1") for name in names
    )
    project = Project(
        file=tmp_path / "multistack.toml",
        service="shop",
        template=tmp_path / "template.yaml",
        environments=environments,
        store=StoreSettings(url="postgresql://ann@127.0.0.1:1/store?connect_timeout=1"),
    )
    project.state.mkdir()
    api = Api(logical_id="Api", path="/x", stage="live")
    route = Route(
        environment="test",
        account_id="1" * 12,
        region="eu-west-1",
        driver="embedded",
        url=None,
        process=None,
        release="r1",
        digest="d1",
        apis=(api,),
        default_api="Api",
    )
    publish_routes(project.state / "routes.json", [route, replace(route, environment="prod", release=None)])
    said: list[str] = []
    history = History(ledger_of(project))
    with pytest.raises(StoreAway):
        history.current("test")
    known = known_of(history, project.state, names, emit=lambda event: said.append(event.detail))
    assert known == {
        "test": Known(release="r1", digest="d1", apis=(api,)),
        "prod": Known(digest="d1", apis=(api,)),
        "new": Known(),
    }
    (line,) = said
    assert line.startswith("the store postgresql://ann@127.0.0.1:1/store can't be reached: ")
