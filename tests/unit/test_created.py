"""The list of created environments."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.config import load_project
from emulator.created import CREATED_FILE, Created, is_expired, read_created, write_created
from emulator.errors import ConfigError, MultistackError
from emulator.model import Creation, Project

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LOGIN = Creation(like="test", at=NOON, expires=NOON + timedelta(hours=2), branch="feature/login", digest="ab" * 32)
PLAIN = Creation(like="test", at=NOON)
FILE = """
service = "orders"
region = "eu-west-1"
[environments.test]
account_id = "111111111111"
port = 4700
lambda_concurrency = 5
protected = true
config = {Size = "s", Colour = "red"}
seed = ["seeds"]
[environments.prod]
"""

Load = Callable[..., Project]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """The project with what is on the list."""
    (tmp_path / "multistack.toml").write_text(FILE)
    (tmp_path / "template.yaml").write_text("Resources: {}\n")

    def loaded(environ: dict[str, str] | None = None, **flags: object) -> Project:
        overrides = {key.replace("__", "."): value for key, value in flags.items()}
        return load_project(file=None, environ=environ or {}, cwd=tmp_path, overrides=overrides)

    return loaded


def put(root: Path, created: Created) -> None:
    """Write the list of the project in *root*."""
    write_created(root / ".multistack", created)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """With its order, and all that may be absent."""
    created = Created(environments={"b": LOGIN, "a": PLAIN}, ended={"old": 7})
    write_created(tmp_path / "state", created)
    found = read_created(tmp_path / "state")
    assert found == created
    assert list(found.environments) == ["b", "a"]


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    """And none is made by looking."""
    assert read_created(tmp_path / "state") == Created()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"format": 1, "envir', id="cut"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="nothing in it"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(b'{"format": "1x", "environments": {}, "ended": {}}', id="no format"),
        pytest.param(b'{"format": 1, "environments": {"a": {}}, "ended": {}}', id="a row without anything"),
    ],
)
def test_a_damaged_list_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    """Rather no command than one that forgets what runs."""
    (tmp_path / CREATED_FILE).write_bytes(content)
    with pytest.raises(MultistackError, match="is damaged") as caught:
        read_created(tmp_path)
    assert str(tmp_path / CREATED_FILE) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("at", "2026-11-26T12:00:00"),
        ("at", "soon"),
        ("digest", "../../etc"),
        ("like", None),
        ("more", 1),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, key: str, value: object) -> None:
    """A time without a zone is one, too."""
    write_created(tmp_path, Created(environments={"login": LOGIN}))
    content = json.loads((tmp_path / CREATED_FILE).read_bytes())
    content["environments"]["login"][key] = value
    (tmp_path / CREATED_FILE).write_text(json.dumps(content))
    with pytest.raises(MultistackError, match=f"environments.login.{key}"):
        read_created(tmp_path)


def test_an_impossible_name_is_damage(tmp_path: Path) -> None:
    """It becomes a folder's."""
    write_created(tmp_path, Created(environments={"../up": LOGIN}))
    with pytest.raises(MultistackError, match=r"is damaged: environment name"):
        read_created(tmp_path)


def test_a_newer_list_is_refused(tmp_path: Path) -> None:
    """An older multistack would drop what it does not know."""
    (tmp_path / CREATED_FILE).write_text('{"format": 2, "what": "ever"}')
    with pytest.raises(MultistackError, match="has format 2, newer"):
        read_created(tmp_path)


def test_time_is_over_at_its_end() -> None:
    """Not before, and never for one without an end."""
    assert [is_expired(LOGIN, NOON + timedelta(hours=hours)) for hours in (1.99, 2, 3)] == [False, True, True]
    assert not is_expired(PLAIN, NOON + timedelta(days=10_000))


def test_rows_of_an_earlier_one_are_remembered() -> None:
    """When it comes and when it goes; the number only rises with the ledger's."""
    created = Created().adding("a", PLAIN, last=3).adding("b", PLAIN)
    assert created.ended == {"a": 3}
    assert created.without("a", last=9).ended == {"a": 9}
    assert created.without("a").ended == {"a": 3}
    assert list(created.without("a").environments) == ["b"]


def test_a_created_environment_is_like_its_model(load: Load, tmp_path: Path) -> None:
    """But for what no two can share, and protection; it comes after the declared ones and is no step of promotion."""
    put(tmp_path, Created(environments={"login": LOGIN}))
    project = load()
    test, prod, login = project.environments
    assert (login.name, login.created) == ("login", LOGIN)
    assert (login.config, login.region, login.lambda_concurrency) == (test.config, "eu-west-1", 5)
    assert login.seeds == test.seeds == (Path("seeds"),)
    assert (login.port, login.protected) == (None, False)
    assert login.account_id not in (test.account_id, prod.account_id)
    assert project.promotion_order == (test, prod)


def test_variables_of_its_model_hold_for_it_and_its_own_win(load: Load, tmp_path: Path) -> None:
    """Like a declared one it has its variables and flags, whose config keys match in any case."""
    put(tmp_path, Created(environments={"a-login": LOGIN}))
    environ = {
        "MULTISTACK_CONFIG_TEST_SIZE": "m",
        "MULTISTACK_CONFIG_A_LOGIN_COLOUR": "blue",
        "MULTISTACK_ENVIRONMENT_A_LOGIN_PORT": "4801",
    }
    project = load(environ, **{"environments__a-login__protected": "true"})
    login = project.environments[-1]
    assert login.config == {"Size": "m", "Colour": "blue"}
    assert (login.port, login.protected) == (4801, True)
    assert project.environments[0].config == {"Size": "m", "Colour": "red"}


def test_its_wrong_variable_is_an_error_of_its_own(load: Load, tmp_path: Path) -> None:
    """Named by the variable, once."""
    put(tmp_path, Created(environments={"login": LOGIN}))
    with pytest.raises(ConfigError, match="MULTISTACK_ENVIRONMENT_LOGIN_PORT: ") as caught:
        load({"MULTISTACK_ENVIRONMENT_LOGIN_PORT": "many"})
    assert caught.value.details == ()


def test_a_fixed_port_of_its_own_may_not_clash(load: Load, tmp_path: Path) -> None:
    """As between declared ones."""
    put(tmp_path, Created(environments={"login": LOGIN}))
    with pytest.raises(ConfigError, match="is 4700, the port of test"):
        load({"MULTISTACK_ENVIRONMENT_LOGIN_PORT": "4700"})


def test_variables_of_one_that_will_be_created_are_no_error(load: Load, tmp_path: Path) -> None:
    """``create`` reads the project before it is on the list."""
    environ = {"MULTISTACK_ENVIRONMENT_LOGIN_PORT": "4801", "MULTISTACK_CONFIG_LOGIN_SIZE": "m"}
    with pytest.raises(ConfigError, match="unknown variable"):
        load(environ)
    project = load_project(file=None, environ=environ, cwd=tmp_path, expected=["login"])
    assert [environment.name for environment in project.environments] == ["test", "prod"]


def test_without_its_model_it_is_none_of_the_project(load: Load, tmp_path: Path) -> None:
    """No other command suffers from that; it can still be listed and destroyed."""
    put(tmp_path, Created(environments={"login": Creation(like="gone", at=NOON)}))
    assert [environment.name for environment in load().environments] == ["test", "prod"]


def test_the_project_file_takes_a_name_over(load: Load, tmp_path: Path) -> None:
    """Somebody who likes an environment writes it into the file: it never expires from then on."""
    put(tmp_path, Created(environments={"prod": LOGIN}))
    project = load()
    assert [(environment.name, environment.created) for environment in project.environments] == [
        ("test", None),
        ("prod", None),
    ]


def test_every_command_is_stopped_by_a_damaged_list(load: Load, tmp_path: Path) -> None:
    """Before it does anything."""
    put(tmp_path, Created())
    (tmp_path / ".multistack" / CREATED_FILE).write_text("{")
    with pytest.raises(MultistackError, match="is damaged"):
        load()
