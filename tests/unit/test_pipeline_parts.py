"""Patterns, conditions, masks and files of variables: what plans and runs are made of."""

from __future__ import annotations

import pytest

from emulator.pipelines.contexts import Contexts
from emulator.pipelines.expressions import fill, is_true
from emulator.pipelines.globs import holds, matches
from emulator.pipelines.masks import Masks
from emulator.pipelines.variables import read_pairs

VALUES = {"github.ref_name": "main", "$BRANCH": "main", "$TAG": "v1.2", "failure()": "true", "env.A": "1"}


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("main", "main", True),
        ("main", "mainly", False),
        ("feature/*", "feature/a", True),
        ("feature/*", "feature/a/b", False),
        ("feature/**", "feature/a/b", True),
        ("**", "a/b", True),
        ("*", "a/b", False),
        ("**/x", "x", True),
        ("{a,b}-?", "b-1", True),
        ("a.b", "axb", False),
        ("a[1]+(", "a[1]+(", True),
    ],
)
def test_pattern_of_branches(pattern, name, expected):
    """A star stays between slashes, two don't."""
    assert matches(pattern, name) is expected


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("dist/**", "dist/a/b.txt", True),
        ("dist", "dist/a/b.txt", True),
        ("dist/", "dist/a", True),
        ("./dist/*.txt", "dist/a.txt", True),
        ("*.txt", "dist/a.txt", False),
        ("**/*.txt", "dist/a.txt", True),
        ("dist", "distant", False),
        (".", "a/b", True),
        (".multistack/**", ".multistack", True),
    ],
)
def test_pattern_of_files(pattern, path, expected):
    """A folder means everything in it."""
    assert holds(pattern, path) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("github.ref_name == 'main'", True),
        ("github.ref_name != 'main'", False),
        ("github.nothing == ''", True),
        ("!failure()", False),
        ("!(github.ref_name == 'x') && failure()", True),
        ("github.ref_name == 'x' || env.A", True),
        ("env.B || false", False),
        ("'it''s' == 'it''s'", True),
        ('$BRANCH == "main" && $TAG =~ /^v\\d/', True),
        ("$TAG !~ /^V/i", False),
        ("$NOTHING == null", True),
        ("$NOTHING", False),
        ("1 == 1 && 2 != 3", True),
    ],
)
def test_condition(expression, expected):
    """Comparisons bind before and, and before or."""
    assert is_true(expression, VALUES.get) is expected


@pytest.mark.parametrize("expression", ["", "a ==", "(a", "a b", "a = b", "contains(a, b)", "$A =~ 'x'", "$A =~ /(/"])
def test_condition_that_is_not_understood(expression):
    """It is refused as a whole, not taken for false."""
    with pytest.raises(ValueError, match=r"understood|closed|no pattern"):
        is_true(expression, VALUES.get)


def test_fields_are_filled():
    """What has no value is empty, as GitHub has it; shell variables are left to the shell."""
    assert fill("a ${{ env.A }} ${{env.B}} $HOME ${X}", VALUES.get) == "a 1  $HOME ${X}"


def test_an_action_after_a_failure_runs_only_if_it_asks_for_it():
    """always() and failure() ask; anything else means: and nothing failed."""
    contexts = Contexts(facts={"github.ref_name": "main"}, caller={}, outputs={})
    conditions = ["", "always()", "failure()", "success()", "github.ref_name == 'main'", "!success()"]
    assert [contexts.holds(one, has_failed=False) for one in conditions] == [True, True, False, True, True, False]
    assert [contexts.holds(one, has_failed=True) for one in conditions] == [False, True, True, False, False, True]


def test_secrets_are_masked():
    """The value of a variable that is secret by its name never shows, whole or one of its lines."""
    masks = Masks({"DB_PASSWORD": "hunter2", "KEY": "line one\nline two", "HOME": "/root", "MY_TOKEN": "abc"})
    assert masks("hunter2 line two /root abc") == "$DB_PASSWORD $KEY /root abc"
    assert Masks({"PLAIN": "secret"}, frozenset({"PLAIN"}))("a secret") == "a $PLAIN"
    assert Masks({"TOKEN_FILE": "/dev/null"})("> /dev/null") == "> /dev/null"
    assert Masks({})("x") == "x"


def test_of_two_secrets_the_longer_is_masked_first():
    """Else the rest of the longer one would show."""
    assert Masks({"A_TOKEN": "abcd", "B_TOKEN": "abcdefgh"})("abcdefgh") == "$B_TOKEN"


def test_files_of_variables():
    """Lines, empty values, values with =, and several lines up to a word."""
    assert read_pairs("a=1\n\nb=\nc=x=y\nd<<END\nl1\nl2\nEND\ne=2") == {
        "a": "1", "b": "", "c": "x=y", "d": "l1\nl2", "e": "2"
    }  # fmt: skip


@pytest.mark.parametrize("text", ["no pair", "a<<END\nx", "a b=1"])
def test_wrong_file_of_variables(text):
    """It is refused; the message repeats no value."""
    with pytest.raises(ValueError, match=r"missing|not NAME"):
        read_pairs(text)
