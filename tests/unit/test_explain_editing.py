"""A template changed in its own text: what stays keeps its comments and its style."""

from __future__ import annotations

import string
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from emulator.cfn_yaml import parse
from emulator.explain import editing
from emulator.explain.editing import edited
from emulator.explain.explaining import rewrite
from emulator.explain.source import read_source
from emulator.explain.words import Words
from emulator.explain.yaml_text import block
from tests.conftest import SAMPLE

BEFORE = """\
# The head
Resources:
    First: # the first
        Type: AWS::SNS::Topic   # three spaces
        Properties: {DisplayName: "a"}

    # About the second.
    Second:
        Type: AWS::SNS::Topic
        Properties:
            DisplayName: >
                folded
                text
            Tags:
            -   Key: a
                Value: !Sub "${AWS::Region}"
            -   {Key: b, Value: c}
    Third: {Type: AWS::SNS::Topic} # the third

# The end
"""


def changed(path: str, value: Any) -> str:
    """BEFORE with one value changed, or removed where *value* is None."""
    old, new = parse(BEFORE), parse(BEFORE)
    *above, last = path.split(".")
    node = new
    for step in above:
        node = node[int(step) if step.isdigit() else step]
    if value is None:
        del node[last]
    else:
        node[last] = value
    text = edited(BEFORE, old, new, {})
    assert parse(text) == new
    return text


@pytest.mark.parametrize(
    ("path", "value", "before", "after"),
    [
        ("Resources.First.Type", "B", "AWS::SNS::Topic   # three", "B   # three"),
        ("Resources.First.Properties.DisplayName", {"Ref": "X"}, '{DisplayName: "a"}', "{DisplayName: !Ref X}"),
        ("Resources.Second.Properties.DisplayName", "x", ">\n                folded\n                text", "x"),
        ("Resources.Second.Properties.Tags.0.Value", {"Ref": "X"}, '!Sub "${AWS::Region}"', "!Ref X"),
        ("Resources.Second.Properties.Tags.1.Value", "d", "{Key: b, Value: c}", "{Key: b, Value: d}"),
        ("Resources.Third", None, "    Third: {Type: AWS::SNS::Topic} # the third\n\n", ""),
        (
            "Resources.Third.DependsOn",
            "First",
            "{Type: AWS::SNS::Topic}",
            "{Type: 'AWS::SNS::Topic', DependsOn: First}",
        ),
        ("Resources.First.DependsOn", "Third", '"a"}\n', '"a"}\n        DependsOn: Third\n'),
    ],
)
def test_only_the_place_changes(path: str, value: Any, before: str, after: str) -> None:
    """Everything around a change is as it was, byte for byte."""
    assert BEFORE.count(before) >= 1
    assert changed(path, value) == BEFORE.replace(before, after, 1)


def test_a_comment_goes_with_what_it_is_about() -> None:
    """Comments right above a resource are its own; others stay."""
    text = changed("Resources.Second", None)
    assert "About the second" not in text
    assert "# The head" in text
    assert "# The end" in text


def test_windows_line_ends_and_a_byte_order_mark_survive() -> None:
    """A file from Windows is changed where it must be."""
    text = "\ufeff" + BEFORE.replace("\n", "\r\n")
    new = parse(text)
    new["Resources"]["First"]["Type"] = "B"
    assert edited(text, parse(text), new, {}) == text.replace("AWS::SNS::Topic   #", "B   #", 1)


def test_the_sample_keeps_its_comments() -> None:
    """The diff of the sample shows what changes, and nothing that was only written otherwise."""
    path = SAMPLE / "single-stack.yaml"
    rewritten = rewrite(
        read_source(path, path.name), Words.of(), SAMPLE / "m.yaml", shown="m.yaml", code=SAMPLE / "src"
    )
    added = [line for line in rewritten.diff.splitlines() if line.startswith("+")]
    assert len(added) == 1 + 4 + 7 + 9
    assert "# Shared by all environments" in rewritten.text
    assert any("src/shared.py:20 reads a stage variable" in note for note in rewritten.notes)


_TEXTS = st.text(st.sampled_from(string.ascii_letters + " :#-'\"{}[]&*!|>%@\n\tü"), max_size=12)
_KEYS = st.text(string.ascii_lowercase, min_size=1, max_size=3)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS | st.builds(lambda name: {"Ref": name}, _KEYS),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_KEYS, below, max_size=4),
    max_leaves=12,
)
_TREES = st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=4)


@given(value=_TREES)
def test_what_is_written_reads_the_same(value: dict[str, Any]) -> None:
    """Any template is written so that it says what it said."""
    assert parse(block(value)) == value


@given(old=_TREES, new=_TREES, flow=st.sampled_from([False, None]))
def test_any_text_says_what_was_meant(old: dict[str, Any], new: dict[str, Any], flow: bool | None) -> None:
    """Whatever changes into whatever, and however it was written: in the end it is said."""
    text = yaml.safe_dump(old, default_flow_style=flow, sort_keys=False, allow_unicode=True)
    assert parse(edited(text, parse(text), new, {})) == new


@given(old=_TREES, new=_TREES)
def test_edits_are_right_without_the_way_out(old: dict[str, Any], new: dict[str, Any]) -> None:
    """The whole is not written anew for want of edits that work."""
    before, after = {"Resources": old}, {"Resources": new}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(editing, "block", lambda value, indent=0: _refuse_root(value, after, indent))
        assert parse(edited(block(before) + "\n", before, after, {})) == after


def _refuse_root(value: Any, root: Any, indent: int) -> str:
    if value is root:
        raise AssertionError("written anew")
    return block(value, indent=indent)
