"""CloudFormation's YAML."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.cfn_yaml import as_text, parse


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        pytest.param("a: !Ref B", {"a": {"Ref": "B"}}, id="ref"),
        pytest.param("a: !GetAtt B.C.D", {"a": {"Fn::GetAtt": ["B", "C.D"]}}, id="attribute"),
        pytest.param("a: !Sub ['${x}', {x: !Ref B}]", {"a": {"Fn::Sub": ["${x}", {"x": {"Ref": "B"}}]}}, id="nested"),
        pytest.param("a: 2012-10-17", {"a": "2012-10-17"}, id="date"),
        pytest.param("a: b\r\nc: d\r\n", {"a": "b", "c": "d"}, id="windows line endings"),
        pytest.param("\ufeffa: b", {"a": "b"}, id="byte order mark"),
        pytest.param('{"a": [1, null]}', {"a": [1, None]}, id="JSON"),
        pytest.param('{\n\t"a": {\n\t\t"b": 1e3\n\t}\n}', {"a": {"b": 1000.0}}, id="JSON with tabs"),
        pytest.param('\ufeff{\t"a": 1}', {"a": 1}, id="JSON with tab and byte order mark"),
        pytest.param("{a: b}", {"a": "b"}, id="YAML in braces"),
        pytest.param("x: &x {a: 1}\ny: {<<: *x, a: 2}", {"x": {"a": 1}, "y": {"a": 2}}, id="merge"),
        pytest.param("", None, id="empty"),
    ],
)
def test_parses(text: str, parsed: Any) -> None:
    """What AWS's own tools make of it."""
    assert parse(text) == parsed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: b\na: c", r"a stands twice \(line 2, column 1\)", id="duplicate key"),
        pytest.param("r: !If\n  a: 1\n  a: 2", "a stands twice", id="duplicate key below a tag"),
        pytest.param('{\t"a": 1, "a": 2}', "a stands twice", id="duplicate key in JSON"),
        pytest.param('{"a": NaN}', "NaN has no place", id="no number"),
        pytest.param("a:\n\tb: c", r"\(line 2, column 1\)", id="tab"),
        pytest.param("a: [", "expected", id="unfinished"),
        pytest.param("? [a]\n: b", "unhashable", id="list as key"),
        pytest.param("a: !!python/object/apply:os.system [ls]", "could not determine a constructor", id="code"),
        pytest.param("a: &a [*a]", "Circular", id="endless"),
        pytest.param("[" * 5000, "nested too deeply|exceeded maximum nesting depth", id="deep"),
        pytest.param("a: \x00", "(special|control) characters", id="NUL"),
        pytest.param("a: !!set {b}", "set has no place", id="set"),
    ],
)
def test_refuses_with_one_line(text: str, said: str) -> None:
    """PyYAML's several lines become one, which says where."""
    with pytest.raises(ValueError, match=said) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_only_what_a_template_knows_becomes_text() -> None:
    """An object of ours in a template would be a bug."""
    with pytest.raises(TypeError, match="object has no place"):
        as_text(object())
