"""The spaces of a project on the proxy's home page, for whoever looks after them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.model import STATE_FOLDER
from emulator.routes import ROUTES_FILE, publish_routes
from emulator.space_list import home_of, write_spaces
from emulator.space_tokens import Purpose, make_token
from emulator.space_tokens import keep_key as key_of
from tests.unit.test_proxy_app import make_route
from tests.unit.test_space_joining import PAGE, Class, make_class

NONE = "\N{EN DASH}"


@pytest.fixture
def seats(tmp_path: Path) -> Class:
    """Alice, whose prod doesn't run, and bob."""
    return make_class(tmp_path / STATE_FOLDER)


def rows(seats: Class) -> list[list[str]]:
    """The cells of the table, without what marks them."""
    page = seats.get("/", headers=PAGE).text
    (part,) = re.findall(r'<div id="spaces" data-live>(.*?)\n</div>\n', page, re.DOTALL)
    found = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)]
    return [[re.sub(r"<[^>]*>", "", cell) for cell in row] for row in found]


def test_a_row_for_each_space(seats: Class) -> None:
    """What runs of it, who joined, when it was asked, and when it ends."""
    ends = datetime.now(UTC) + timedelta(hours=3, minutes=30)
    seats.change("alice", is_complete=True, expires=ends)
    seats.change("bob", is_complete=True, is_joined=True)
    publish_routes(home_of(seats.state, "bob") / STATE_FOLDER / ROUTES_FILE, [make_route("test")])
    token = make_token(key_of(seats.state), Purpose.ACCESS, seats.space("alice"), expires=None)
    asked = seats.get("/alice/prod/", headers={"X-Multistack-Token": token})
    assert asked.status_code == 503
    head, alice, bob = rows(seats)
    assert head == ["Space", "Status", "Environments", "Joined", "Last request", "Failed", "Ends in"]
    assert alice[:-1] == ["alice", "partial", "1 of 2, not prod", "no", "just now", NONE]
    assert alice[-1].startswith("3h ")
    assert bob == ["bob", "ready", "1 of 1", "yes", *[NONE] * 3]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({}, "unfinished", id="its creation goes on, or was cut"),
        pytest.param({"is_complete": True, "is_asleep": True}, "asleep", id="asleep"),
        pytest.param({"is_complete": True, "is_ending": True}, "ending", id="being removed"),
    ],
)
def test_what_is_not_to_run_is_not_down(seats: Class, fields: dict[str, bool], status: str) -> None:
    """Only what should run and doesn't is told by name."""
    seats.change("alice", **fields)
    assert rows(seats)[1][:3] == ["alice", status, "1 of 2"]


def test_without_spaces_there_is_no_table(seats: Class) -> None:
    """Most projects have none."""
    write_spaces(seats.state, {})
    assert rows(seats) == []
