"""Values that nobody may see."""

from __future__ import annotations

import json

import pytest

from emulator.inventory.hiding import Hiding, is_hidden, visible


def test_a_hidden_value_is_the_same_only_for_the_same_salt() -> None:
    """Without the salt nobody can try passwords against it."""
    assert Hiding("a").hide("password") == Hiding("a").hide("password")
    assert Hiding("a").hide("password") != Hiding("b").hide("password")
    assert "password" not in Hiding("a").hide("password")


def test_a_secret_is_hidden_wherever_else_it_stands() -> None:
    """A connection string with the password in it is as secret as the password, which may be a part of a secret."""
    hiding = Hiding("salt")
    hiding.hide(json.dumps({"user": "app", "password": "correct horse"}))
    tree = {"Variables": {"URL": "postgres://app:correct horse@db", "OTHER": "app"}, "List": ["correct horse", 1]}
    found = hiding.everywhere(tree)
    assert is_hidden(found["Variables"]["URL"])
    assert is_hidden(found["List"][0])
    assert (found["Variables"]["OTHER"], found["List"][1]) == ("app", 1)


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("DB_PASSWORD", "x", True),
        ("ApiKey", "x", True),
        ("GITHUB_TOKEN", "x", True),
        ("RECEIPT_KEY", "x", False),
        ("SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:1:secret:x", False),
        ("PASSWORD_PATH", "/orders/password", False),
        ("TABLE", "orders", False),
    ],
)
def test_variables_are_hidden_by_name(name: str, value: str, hidden: bool) -> None:
    """Unless they only say where the secret is."""
    assert is_hidden(Hiding("salt").variables({name: value})[name]) == hidden


def test_what_is_shown_says_only_that_something_is_hidden() -> None:
    """Not even the hash: it would tell two equal secrets."""
    assert visible({"a": [Hiding("salt").hide("password"), "b"]}) == {"a": ["(hidden)", "b"]}
