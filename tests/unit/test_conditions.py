"""What of a template is made is known before CloudFormation is asked, where its conditions are plain."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.conditions import as_made
from emulator.model import DriverName, Environment

ENVIRONMENT = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1")
TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Stage": {"Type": "String", "Default": "test"},
        "Zones": {"Type": "CommaDelimitedList", "Default": ["a", "b"]},
        "Kept": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/kept"},
        "On": {"Type": "String", "Default": True},
    },
    "Mappings": {"By": {"test": {"Alarms": False, "Size": 1}, "prod": {"Alarms": True, "Size": 2}}},
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "IsKept": {"Fn::Equals": [{"Ref": "Kept"}, "yes"]},
        "Loops": {"Fn::Not": [{"Condition": "Loops"}]},
    },
}
IS_PROD, IS_KEPT = {"Condition": "IsProd"}, {"Condition": "IsKept"}


def is_made(condition: Any, **parameters: str) -> bool:
    """Whether a resource with this condition stays."""
    conditions = {**TEMPLATE["Conditions"], "Own": condition}
    resources = {"One": {"Type": "T", "Condition": "Own"}, "Other": {"Type": "T"}}
    made = as_made({**TEMPLATE, "Conditions": conditions, "Resources": resources}, parameters, ENVIRONMENT, "tiny-test")
    assert "Other" in made["Resources"]
    return "One" in made["Resources"]


@pytest.mark.parametrize(
    ("condition", "in_test", "in_prod"),
    [
        pytest.param(IS_PROD, False, True, id="value"),
        pytest.param({"Fn::Not": [IS_PROD]}, True, False, id="not"),
        pytest.param({"Fn::And": [IS_PROD, {"Fn::Equals": ["a", "a"]}]}, False, True, id="and"),
        pytest.param({"Fn::Or": [IS_PROD, {"Fn::Equals": ["a", "b"]}]}, False, True, id="or"),
        pytest.param(
            {"Fn::Equals": [{"Fn::FindInMap": ["By", {"Ref": "Stage"}, "Alarms"]}, "true"]}, False, True, id="mapping"
        ),
        pytest.param(
            {"Fn::Equals": [{"Fn::FindInMap": ["By", {"Ref": "Stage"}, "Size"]}, 2]}, False, True, id="number"
        ),
        pytest.param({"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}, False, False, id="region"),
        pytest.param({"Fn::Equals": [{"Ref": "AWS::StackName"}, "tiny-test"]}, True, True, id="stack"),
        pytest.param({"Fn::Equals": [{"Fn::Join": [",", ["a", "b"]]}, {"Ref": "Zones"}]}, True, True, id="list"),
        pytest.param({"Fn::Equals": [{"Ref": "On"}, "true"]}, True, True, id="boolean default"),
        pytest.param({"Fn::And": [IS_PROD, IS_KEPT]}, False, True, id="one of both is false"),
        pytest.param({"Fn::Or": [IS_PROD, IS_KEPT]}, True, True, id="one of both is unknown"),
        pytest.param(IS_KEPT, True, True, id="parameter in a store"),
        pytest.param({"Fn::Equals": [{"Fn::ImportValue": "a"}, "b"]}, True, True, id="what others decide"),
        pytest.param({"Condition": "Loops"}, True, True, id="depends on itself"),
        pytest.param({"Condition": "Missing"}, True, True, id="not there"),
        pytest.param({"Fn::Equals": "a"}, True, True, id="wrong shape"),
    ],
)
def test_what_a_false_condition_leaves_out_is_known(condition: Any, in_test: bool, in_prod: bool) -> None:
    """By the values of an environment; what can't be told stays."""
    assert is_made(condition) is in_test
    assert is_made(condition, Stage="prod") is in_prod
