"""One template for all stages of a service, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.errors import ConfigError
from emulator.frameworks.stages import STAGE, merge, of_stage

_NAMES = st.sampled_from(["Aa", "Bb", "Cc", "Ref"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_NAMES, inner, max_size=3)
        | st.fixed_dictionaries({"Fn::Sub": inner})
        | st.builds(lambda one, other: {"Fn::If": ["Own", one, other]}, inner, inner)
    ),
    max_leaves=8,
)
_CONDITION = st.fixed_dictionaries({}, optional={"Condition": st.just("Own")})
_RESOURCE = st.builds(
    lambda properties, more: {"Type": "AWS::SQS::Queue", "Properties": properties, **more},
    st.dictionaries(_NAMES, _VALUES, max_size=3),
    _CONDITION,
)
_TEMPLATE = st.fixed_dictionaries(
    {
        "Resources": st.dictionaries(_NAMES, _RESOURCE, min_size=1, max_size=3),
        "Outputs": st.dictionaries(_NAMES, st.builds(lambda one: {"Value": one}, _VALUES), max_size=2),
        "Conditions": st.just({"Own": {"Fn::Equals": ["a", "b"]}}),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_TEMPLATE, min_size=1, max_size=3))
def test_each_stage_gets_back_its_own_template(templates: list[dict[str, Any]]) -> None:
    """What a framework's tool made for a stage is what that stage is deployed with, whatever the others are."""
    stages = {f"stage{number}": one for number, one in enumerate(templates)}
    merged = merge(stages)
    for stage, template in stages.items():
        chosen = of_stage(merged, {STAGE: stage})
        assert {section: chosen[section] for section in template} == template


def _queue(**properties: object) -> dict[str, Any]:
    return {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": properties}}}


def test_only_what_differs_depends_on_the_stage() -> None:
    """The template of an artifact can be read: what is the same stands there once, as it is."""
    merged = merge({"test": _queue(DelaySeconds=0, Tags=[]), "prod": _queue(DelaySeconds=9, Tags=[])})
    assert merged["Resources"]["Jobs"]["Properties"] == {
        "DelaySeconds": {"Fn::If": ["MultistackStageIs0", 0, 9]},
        "Tags": [],
    }
    assert merged["Conditions"]["MultistackStageIs1"] == {"Fn::Equals": [{"Ref": STAGE}, "prod"]}


def test_templates_that_are_the_same_need_no_stage() -> None:
    """An artifact of a service that knows no stages fits every environment, those of tomorrow too."""
    merged = merge({"test": _queue(), "prod": _queue()})
    assert of_stage(merged, {STAGE: "feature"}) == {**_queue(), "Parameters": merged["Parameters"]}


def test_a_stage_that_the_artifact_was_built_without_is_refused() -> None:
    """Nothing is deployed with the config of another stage."""
    merged = merge({"test": _queue(DelaySeconds=0), "prod": _queue(DelaySeconds=9)})
    with pytest.raises(ConfigError, match=r"built for test, prod, and stage qa is none of these"):
        of_stage(merged, {STAGE: "qa"})


def test_a_resource_of_two_types_is_refused() -> None:
    """One logical id is one resource: CloudFormation can't turn a queue into a topic."""
    topic = {"Resources": {"Jobs": {"Type": "AWS::SNS::Topic"}}}
    with pytest.raises(ConfigError, match="Jobs is AWS::SQS::Queue in one stage and AWS::SNS::Topic in another"):
        merge({"test": _queue(), "prod": topic})
