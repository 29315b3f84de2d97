"""The list of spaces."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import ConfigError, MultistackError
from emulator.model import DriverName, Quota, Space
from emulator.space_list import SPACES_FILE, changed, read_spaces, write_spaces
from emulator.spaces.opening import find_space

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
FULL = Space(
    name="alice",
    number=1,
    at=NOON,
    driver=DriverName.EMBEDDED,
    expires=NOON + timedelta(hours=4),
    idle=timedelta(minutes=20),
    quota=Quota(environments=4, memory=2**30, requests=0.5),
    generation=3,
    is_joined=True,
    is_asleep=True,
)
PLAIN = Space(name="bob", number=2, at=NOON)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """With its order, and all that may be absent."""
    spaces = {"bob": PLAIN, "alice": FULL}
    write_spaces(tmp_path, spaces)
    assert read_spaces(tmp_path) == spaces
    assert list(read_spaces(tmp_path)) == ["bob", "alice"]


def test_without_a_list_there_are_no_spaces(tmp_path: Path) -> None:
    """Most projects never have one."""
    assert read_spaces(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param("{", "no JSON", id="cut"),
        pytest.param('{"format": 1}', "spaces: Field required", id="half"),
        pytest.param('{"format": 2, "spaces": {}}', "format 2, newer than", id="newer"),
        pytest.param('{"format": 1, "spaces": {"a": {"number": 0}}}', "number", id="row"),
    ],
)
def test_a_damaged_list_is_refused(tmp_path: Path, content: str, why: str) -> None:
    """In one line; a list that is taken for an empty one would make its spaces unknown, and their accounts free."""
    (tmp_path / SPACES_FILE).write_text(content)
    with pytest.raises(MultistackError, match=why):
        read_spaces(tmp_path)


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """It is a folder below the state folder."""
    write_spaces(tmp_path, {"../elsewhere": PLAIN})
    with pytest.raises(MultistackError, match="is damaged: environment name"):
        read_spaces(tmp_path)


def test_one_is_changed_and_the_others_stay(tmp_path: Path) -> None:
    """With its place on the list."""
    spaces = changed({"alice": FULL, "bob": PLAIN}, "alice", is_asleep=False)
    assert list(spaces) == ["alice", "bob"]
    assert not spaces["alice"].is_asleep
    assert spaces["bob"] is PLAIN


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("seat-09", "`multistack space create seat-09` makes it", id="another of the series"),
        pytest.param("seat-4", "did you mean seat-04?", id="the same number"),
        pytest.param("saet-04", "did you mean seat-04?", id="a typing error"),
        pytest.param("seta-05", "did you mean seat-04?", id="a typing error, and another number"),
    ],
)
def test_a_wrong_name_is_guessed_but_no_other_number(name: str, hint: str) -> None:
    """Between seat-09 and seat-04 nothing is more alike than between any two seats."""
    spaces = {one: replace(PLAIN, name=one) for one in ("seat-04", "alice")}
    with pytest.raises(ConfigError) as caught:
        find_space(spaces, name)
    assert caught.value.hint == hint


@given(st.lists(st.integers(1, 999_999), min_size=2, max_size=2, unique=True), st.integers(0, 98), st.integers(0, 98))
def test_no_two_spaces_share_an_account(numbers: list[int], first: int, second: int) -> None:
    """Nor two environments of one; all are accounts as AWS has them."""
    one, other = (Space(name="a", number=number, at=NOON) for number in numbers)
    assert one.account_id(first) != other.account_id(second)
    assert one.account_id(first) != one.account_id(first + 1)
    assert len(one.account_id(first)) == 12
    assert one.account_id(first).isdigit()
