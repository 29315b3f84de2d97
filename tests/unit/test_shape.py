"""The shape that a template must have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import ConfigError
from emulator.shape import check_shape

QUEUE = {"Type": "AWS::SQS::Queue"}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        pytest.param(None, "has no resources", id="nothing"),
        pytest.param([], "has no resources", id="a list"),
        pytest.param({}, "has no resources", id="no section"),
        pytest.param({"Resources": {}}, "has no resources", id="empty section"),
        pytest.param({"Resources": None}, "has no resources", id="null section"),
        pytest.param({"Resources": [QUEUE]}, "Resources is not a mapping", id="resources"),
        pytest.param({"Resources": {"A": "b"}}, "resource A is not a mapping", id="resource"),
        pytest.param({"Resources": {"A": {}}}, "resource A has no Type", id="no type"),
        pytest.param({"Resources": {"A": {"Type": 1}}}, "resource A has no Type", id="type"),
        pytest.param({"Resources": {"A-b": QUEUE}}, "'A-b' is no logical id", id="logical id"),
        pytest.param({"Resources": {"A": {**QUEUE, "Properties": None}}}, "Properties of resource A", id="properties"),
        pytest.param({"Resources": {"A": {**QUEUE, "DependsOn": {}}}}, "DependsOn of resource A", id="depends on"),
        pytest.param({"Resources": {"A": QUEUE}, "Globals": {"Function": 1}}, "Function of Globals", id="globals"),
        pytest.param({"Resources": {"A": QUEUE}, "Parameters": {"P": "String"}}, "parameter P", id="parameter"),
        pytest.param({"Resources": {"A": QUEUE}, "Parameters": {"P": {}}}, "parameter P has no Type", id="no P type"),
        pytest.param({"Resources": {"A": QUEUE}, "Outputs": {"O": {}}}, "output O has no Value", id="output"),
        pytest.param({"Resources": {"A": {**QUEUE, "Metadata": 3}}}, "Metadata of resource A", id="metadata"),
        pytest.param({"Resources": {"A": {**QUEUE, "Condition": [1]}}}, "Condition of resource A", id="condition"),
        pytest.param(
            {"Resources": {"A": QUEUE}, "Outputs": {"O": {"Value": 1, "Export": "e"}}},
            "Export of output O",
            id="export",
        ),
        pytest.param(
            {"Resources": {"A": QUEUE}, "Outputs": {"O": {"Value": 1, "Condition": {}}}},
            "Condition of output O",
            id="output's condition",
        ),
        pytest.param({"Resources": {"A": QUEUE}, "Mappings": "m"}, "Mappings is not a mapping", id="mappings"),
        pytest.param({"Resources": {"Fn::ForEach::A": []}}, "uses Fn::ForEach", id="loop"),
    ],
)
def test_a_badly_formed_template_is_refused(template: Any, said: str) -> None:
    """The error names the file and the place in it."""
    with pytest.raises(ConfigError, match=f"t.yaml.*{said}"):
        check_shape(template, Path("t.yaml"))


LOOPED = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"}}}


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        pytest.param(["Name", ["a"]], "is not [identifier, collection, {key: value}]", id="no fragment"),
        pytest.param({"Name": ["a"]}, "is not [identifier, collection", id="no list"),
        pytest.param([["Name"], ["a"], {"${Name}Queue": LOOPED}], "is not [identifier", id="identifier"),
        pytest.param(["Name", "a,b", {"${Name}Queue": LOOPED}], "neither a list nor refers to one", id="collection"),
        pytest.param(["Name", {}, {"${Name}Queue": LOOPED}], "neither a list nor refers to one", id="nothing to do"),
        pytest.param(["Name", ["a"], {"Queue": LOOPED}], "Queue of Fn::ForEach::Queues would be the same", id="key"),
        pytest.param(["Name", ["a"], {"${Name}-Queue": LOOPED}], "'${Name}-Queue' is no logical id", id="logical id"),
        pytest.param(["Name", ["a"], {"${Name}Queue": {}}], "resource ${Name}Queue has no Type", id="resource"),
        pytest.param(
            ["Name", ["a"], {"Fn::ForEach::In": ["Other", ["b"], {"Q${Name}": LOOPED}]}],
            "Q${Name} of Fn::ForEach::In would be the same",
            id="loop in a loop",
        ),
    ],
)
def test_a_bad_loop_is_refused_in_one_line(loop: Any, said: str) -> None:
    """With its name; the transform that it needs is asked for first."""
    template = {"Resources": {"Fn::ForEach::Queues": loop}}
    with pytest.raises(ConfigError, match="requires the transform AWS::LanguageExtensions"):
        check_shape(template, Path("t.yaml"), loops=True)
    with pytest.raises(ConfigError, match=f"t.yaml.*{re.escape(said)}"):
        check_shape({**template, "Transform": "AWS::LanguageExtensions"}, Path("t.yaml"), loops=True)


def test_a_well_formed_template_passes() -> None:
    """Every section at once."""
    check_shape(
        {
            "Resources": {"A": {**QUEUE, "Properties": {}, "DependsOn": ["B"]}, "B": {**QUEUE, "DependsOn": "A"}},
            "Parameters": {"P": {"Type": "String"}},
            "Outputs": {"O": {"Value": 1}},
            "Globals": {"Function": {}},
        },
        Path("t.yaml"),
    )
