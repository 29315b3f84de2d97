"""What the functions of a template come to, without a LocalStack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from localstack.services.cloudformation.engine.validations import ValidationError
from multistack_localstack.cloudformation.engine import parameters
from multistack_localstack.cloudformation.engine.intrinsics import Evaluation, Place
from multistack_localstack.cloudformation.engine.values import Cause, Unknown

PLACE = Place(account_id="111111111111", region="eu-west-1", stack_name="orders", stack_id="arn:stack")


class Resources:
    """A function and a table that are there, and a topic that will be."""

    def reference(self, logical_id: str) -> Any:
        return Unknown((Cause("Topic"),)) if logical_id == "Topic" else {"Function": "f", "Table": "t"}[logical_id]

    def attribute(self, logical_id: str, name: str) -> Any:
        return Unknown((Cause(logical_id, name),)) if logical_id == "Topic" else f"{logical_id}.{name}!"

    def exported(self, name: str) -> Any:
        return f"exported {name}"

    def zones(self, region: str) -> list[str]:
        return [f"{region}a", f"{region}b"]


def evaluate(value: Any, *, given: Mapping[str, Any] | None = None, **sections: Any) -> Any:
    declared = sections.get("Parameters", {})
    values = [{"ParameterKey": key, "ParameterValue": text} for key, text in (given or {}).items()]
    resolved = parameters.resolve(declared, values, before={}, read=lambda name: f"stored {name}")
    return Evaluation(sections, resolved, place=PLACE, lookup=Resources()).resolve(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"Ref": "AWS::Region"}, "eu-west-1", id="pseudo parameter"),
        pytest.param({"Fn::Sub": "${AWS::StackName}-${Function}"}, "orders-f", id="sub"),
        pytest.param({"Fn::Sub": "${Table.Arn}"}, "Table.Arn!", id="sub of an attribute"),
        pytest.param({"Fn::Sub": "a:${!stageVariables.x}/${Function}"}, "a:${stageVariables.x}/f", id="literal in sub"),
        pytest.param({"Fn::Sub": ["${A}${Function}", {"A": {"Ref": "Table"}}]}, "tf", id="sub with values"),
        pytest.param({"Fn::Sub": "007"}, "007", id="digits stay text"),
        pytest.param({"Fn::Sub": "1.10"}, "1.10", id="a version stays text"),
        pytest.param({"Fn::Join": ["-", ["a", 1, True]]}, "a-1-true", id="join of scalars"),
        pytest.param({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, "b", id="select of split"),
        pytest.param({"Fn::Select": ["0", {"Fn::GetAZs": ""}]}, "eu-west-1a", id="zones"),
        pytest.param({"Fn::ImportValue": {"Fn::Sub": "${AWS::Region}-x"}}, "exported eu-west-1-x", id="import"),
        pytest.param({"Fn::Base64": "a"}, "YQ==", id="base64"),
        pytest.param({"Fn::Cidr": ["10.0.0.0/24", 2, 6]}, ["10.0.0.0/26", "10.0.0.64/26"], id="cidr"),
        pytest.param({"Fn::Length": ["a", "b"]}, 2, id="length"),
        pytest.param({"Fn::ToJsonString": {"a": [1]}}, '{"a":[1]}', id="json"),
        pytest.param({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}]}, {"b": []}, id="no value"),
        pytest.param({"Condition": {"a": "b"}}, {"Condition": {"a": "b"}}, id="condition of a policy"),
    ],
)
def test_a_function_gives_what_its_page_says(value: Any, expected: Any) -> None:
    """Each function gives what its page in the template reference says."""
    assert evaluate(value) == expected


def test_a_value_that_depends_on_a_new_resource_is_unknown() -> None:
    """What refers to a resource that isn't there yet is unknown, and says why."""
    found = evaluate({"Fn::Join": ["", ["a", {"Ref": "Topic"}, {"Fn::GetAtt": ["Topic", "Name"]}]]})
    assert found == Unknown((Cause("Topic"), Cause("Topic", "Name")))


def test_conditions_choose() -> None:
    """`Fn::If` takes the value for the condition, and doesn't look at the other one."""
    sections = {
        "Parameters": {"Stage": {"Type": "String"}},
        "Conditions": {
            "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "IsOther": {"Fn::Not": [{"Condition": "IsProd"}]},
            "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "IsOther"}]},
        },
    }
    value = {"Fn::If": ["IsProd", "p", {"Fn::If": ["Both", {"Ref": "Nowhere"}, "o"]}]}
    assert evaluate(value, given={"Stage": "prod"}, **sections) == "p"
    assert evaluate(value, given={"Stage": "test"}, **sections) == "o"


def test_a_map_is_looked_up_by_text() -> None:
    """A key that YAML reads as a number is found by its text; a missing one takes the default value."""
    sections = {"Mappings": {"Accounts": {111111111111: {"name": "test"}}}}
    assert evaluate({"Fn::FindInMap": ["Accounts", {"Ref": "AWS::AccountId"}, "name"]}, **sections) == "test"
    assert evaluate({"Fn::FindInMap": ["Accounts", "2", "name", {"DefaultValue": "none"}]}, **sections) == "none"
    with pytest.raises(ValidationError, match="Unable to get mapping for Accounts::2::name"):
        evaluate({"Fn::FindInMap": ["Accounts", "2", "name"]}, **sections)


def test_parameters_keep_their_text() -> None:
    """A number is the text that was given, and a list its parts."""
    declared = {"Percent": {"Type": "Number"}, "Names": {"Type": "CommaDelimitedList"}}
    sections = {"Parameters": {**declared, "Stored": {"Type": "AWS::SSM::Parameter::Value<String>"}}}
    given = {"Percent": "10.50", "Names": "a, b", "Stored": "/x"}
    value = [{"Fn::Sub": "${Percent}"}, {"Ref": "Names"}, {"Ref": "Stored"}]
    assert evaluate(value, given=given, **sections) == ["10.50", ["a", "b"], "stored /x"]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"Fn::Join": "x"}, id="join of a text"),
        pytest.param({"Fn::Select": [5, ["a"]]}, id="select of nothing"),
        pytest.param({"Fn::Nothing": 1}, id="unknown function"),
        pytest.param({"Fn::GetAtt": "Function"}, id="attribute without a name"),
        pytest.param({"Fn::If": ["Nowhere", 1, 2]}, id="unknown condition"),
        pytest.param({"Ref": "AWS::Nothing"}, id="unknown pseudo parameter"),
    ],
)
def test_a_function_used_wrongly_is_refused(value: Any) -> None:
    """Wrong arguments are an error of the template, not of LocalStack."""
    with pytest.raises(ValidationError):
        evaluate(value)


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        pytest.param({"Type": "String", "AllowedValues": ["a"]}, "b", "AllowedValues", id="not allowed"),
        pytest.param({"Type": "String", "AllowedPattern": "[a-z]+"}, "B", "pattern", id="pattern"),
        pytest.param({"Type": "Number"}, "x", "must be a number", id="no number"),
        pytest.param({"Type": "Number", "MaxValue": 5}, "6", "not greater than 5", id="too large"),
        pytest.param({"Type": "String", "MinLength": "2"}, "x", "at least 2", id="too short"),
        pytest.param({"Type": "String", "MaxLength": 0, "ConstraintDescription": "why"}, "x", "why", id="said"),
    ],
)
def test_a_value_outside_its_bounds_is_refused(declared: Mapping[str, Any], given: str, message: str) -> None:
    """A parameter's value must satisfy what its declaration says."""
    with pytest.raises(ValidationError, match=message):
        evaluate({}, given={"P": given}, Parameters={"P": declared})


def test_parameters_must_fit_the_template() -> None:
    """A missing value is refused, and so is one that belongs to no parameter."""
    with pytest.raises(ValidationError, match="must have values"):
        evaluate({}, Parameters={"P": {"Type": "String"}})
    with pytest.raises(ValidationError, match="do not exist in the template"):
        evaluate({}, given={"P": "x"}, Parameters={})
