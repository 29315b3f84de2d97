"""Names of environments, and those made from branches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.environment_names import name_of_branch, name_problem


@pytest.mark.parametrize(
    ("branch", "name"),
    [
        pytest.param("login", "login", id="plain"),
        pytest.param("feature/login", "feature-login", id="slash"),
        pytest.param("Feature/LOGIN_Page", "feature-login-page", id="capitals"),
        pytest.param("fix/página-número", "fix-pagina-numero", id="accents"),
        pytest.param("123-urgent", "branch-123-urgent", id="digit first"),
        pytest.param("--a..b--", "a-b", id="edges"),
        pytest.param("a" * 30, "a" * 30, id="just fits"),
    ],
)
def test_a_branch_gives_its_own_letters(branch: str, name: str) -> None:
    """As long as they make a name, nothing is added."""
    assert name_of_branch(branch, taken=()) == name


@pytest.mark.parametrize(
    ("branch", "start"),
    [
        pytest.param("a" * 31, "a" * 23, id="too long"),
        pytest.param("feature/" + "x" * 192, "feature-xxxxxxxxxxxxxxx", id="200 characters"),
        pytest.param("日本語", "branch", id="no letter of ASCII"),
        pytest.param("fix-日", "fix", id="a letter lost"),
        pytest.param("prod", "prod", id="declared"),
        pytest.param("all", "all", id="reserved"),
        pytest.param("localhost", "localhost", id="reserved, too"),
        pytest.param("", "branch", id="nothing"),
    ],
)
def test_where_letters_are_lost_or_taken_a_hash_tells(branch: str, start: str) -> None:
    """The name stays readable, and is the same again for the same branch."""
    name = name_of_branch(branch, taken={"prod"})
    if branch:
        assert name.startswith(f"{start}-")
        assert len(name) == len(start) + 7
    assert name_problem(name) is None
    assert name == name_of_branch(branch, taken={"prod"})


def test_two_long_branches_have_two_names() -> None:
    """Cut after the same letters they would be one environment."""
    common = "feature/a-very-long-story-about-"
    assert name_of_branch(f"{common}cats", taken=()) != name_of_branch(f"{common}dogs", taken=())


@given(st.text(max_size=250))
def test_every_branch_has_a_valid_name(branch: str) -> None:
    """Whatever git allows, and more."""
    assert name_problem(name_of_branch(branch, taken={"test"})) is None
