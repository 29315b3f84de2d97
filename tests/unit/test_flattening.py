"""A nested stack becomes part of its parent."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.errors import DeployError
from emulator.flattening import flatten
from emulator.references import check_references

STACK = "AWS::CloudFormation::Stack"
TABLE = "AWS::DynamoDB::Table"


def outer(parameters: Any = None, **more: Any) -> dict[str, Any]:
    """A template with the nested stack ``Data`` and a function that uses it."""
    stack = {"Type": STACK, "Properties": {"Parameters": parameters or {}}, **more}
    function = {
        "Type": "F",
        "DependsOn": "Data",
        "Properties": {
            "Table": {"Fn::GetAtt": ["Data", "Outputs.Name"]},
            "Text": {"Fn::Sub": "${Data.Outputs.Name}/${Stage}/${!Literal}"},
            "Stack": {"Ref": "Data"},
        },
    }
    return {
        "Parameters": {"Stage": {"Type": "String"}},
        "Conditions": {"Wanted": {"Fn::Equals": [{"Ref": "Stage"}, "x"]}},
        "Resources": {"Data": stack, "Web": function, "Queue": {"Type": "Q"}},
    }


def inner(**more: Any) -> dict[str, Any]:
    """A template with a table, and its name as an output."""
    return {"Resources": {"Table": {"Type": TABLE}}, "Outputs": {"Name": {"Value": {"Ref": "Table"}}}, **more}


def test_resources_are_known_by_both_names() -> None:
    """What used an output uses the resource, and what waited for the stack waits for all of it."""
    result = flatten(outer(), {"Data": inner()})
    assert list(result["Resources"]) == ["Web", "Queue", "DataTable"]
    web = result["Resources"]["Web"]
    assert web["DependsOn"] == ["DataTable"]
    assert web["Properties"] == {
        "Table": {"Ref": "DataTable"},
        "Text": {"Fn::Sub": ["${DataOutputsName}/${Stage}/${!Literal}", {"DataOutputsName": {"Ref": "DataTable"}}]},
        "Stack": {"Ref": "AWS::StackId"},
    }
    check_references(result)


def test_constants_stay_parameters_and_the_rest_takes_their_place() -> None:
    """A constant is held to what its parameter allows; what is known only when deployed can't be."""
    child = inner(
        Parameters={"Size": {"Type": "Number", "MaxValue": 9}, "Url": {"Type": "String"}, "L": {"Type": "List<Number>"}}
    )
    child["Resources"]["Log"] = {"Type": "L"}
    child["Resources"]["Log"]["Properties"] = {
        "Size": {"Ref": "Size"},
        "Url": {"Ref": "Url"},
        "Text": {"Fn::Sub": "${Url}-${Size}-${Table.Arn}-${AWS::Region}-${AWS::StackName}"},
        "List": {"Ref": "L"},
        "Name": {"Ref": "AWS::StackName"},
    }
    given = {"Size": 3, "Url": {"Fn::GetAtt": "Queue.Url"}, "L": {"Ref": "Stage"}}
    result = flatten(outer(given), {"Data": child})
    assert result["Parameters"]["DataSize"] == {"Type": "Number", "MaxValue": 9, "Default": 3}
    assert result["Resources"]["DataLog"]["Properties"] == {
        "Size": {"Ref": "DataSize"},
        "Url": {"Fn::GetAtt": "Queue.Url"},
        "Text": {
            "Fn::Sub": [
                "${Url}-${DataSize}-${DataTable.Arn}-${AWS::Region}-${AWS::StackName}-Data",
                {"Url": {"Fn::GetAtt": "Queue.Url"}},
            ]
        },
        "List": {"Fn::Split": [",", {"Ref": "Stage"}]},
        "Name": {"Fn::Sub": "${AWS::StackName}-Data"},
    }
    check_references(result)


def test_conditions_of_both_have_to_hold() -> None:
    """A resource of a conditional stack is made when the stack would be, and its own condition holds."""
    child = inner(Conditions={"Own": {"Fn::Equals": ["a", "b"]}, "Not": {"Fn::Not": [{"Condition": "Own"}]}})
    child["Resources"]["Table"]["Condition"] = "Own"
    child["Resources"]["Log"] = {"Type": "L", "Properties": {"X": {"Fn::If": ["Not", 1, 2]}}}
    result = flatten(outer(Condition="Wanted"), {"Data": child})
    assert result["Resources"]["DataTable"]["Condition"] == "DataOwnWithin"
    assert result["Resources"]["DataLog"]["Condition"] == "Wanted"
    assert result["Resources"]["DataLog"]["Properties"] == {"X": {"Fn::If": ["DataNot", 1, 2]}}
    assert result["Conditions"]["DataNot"] == {"Fn::Not": [{"Condition": "DataOwn"}]}
    assert result["Conditions"]["DataOwnWithin"] == {"Fn::And": [{"Condition": "DataOwn"}, {"Condition": "Wanted"}]}


def test_order_and_mappings_survive() -> None:
    """What a stack waits for, all of it waits for."""
    child = inner(Mappings={"Sizes": {"a": {"b": 1}}})
    child["Resources"]["Table"]["Properties"] = {"S": {"Fn::FindInMap": ["Sizes", "a", "b"]}}
    child["Resources"]["Log"] = {"Type": "L", "DependsOn": "Table"}
    result = flatten(outer(DependsOn=["Queue"]), {"Data": child})
    assert result["Mappings"] == {"DataSizes": {"a": {"b": 1}}}
    assert result["Resources"]["DataTable"]["Properties"] == {"S": {"Fn::FindInMap": ["DataSizes", "a", "b"]}}
    assert result["Resources"]["DataLog"]["DependsOn"] == ["DataTable", "Queue"]
    assert result["Resources"]["DataTable"]["DependsOn"] == ["Queue"]


def test_stacks_pass_outputs_and_exports_on() -> None:
    """From one nested stack to another, by parameter or by name."""
    first = inner()
    first["Outputs"]["Name"]["Export"] = {"Name": "tables-name"}
    second = {
        "Parameters": {"Table": {"Type": "String"}},
        "Resources": {
            "F": {"Type": "F", "Properties": {"A": {"Ref": "Table"}, "B": {"Fn::ImportValue": "tables-name"}}}
        },
    }
    template = outer()
    template["Resources"]["Other"] = {
        "Type": STACK,
        "Properties": {"Parameters": {"Table": {"Fn::GetAtt": ["Data", "Outputs.Name"]}}},
    }
    result = flatten(template, {"Data": first, "Other": second})
    assert result["Resources"]["OtherF"]["Properties"] == {"A": {"Ref": "DataTable"}, "B": {"Ref": "DataTable"}}
    assert result["Outputs"] == {"DataName": {"Value": {"Ref": "DataTable"}, "Export": {"Name": "tables-name"}}}


def test_a_condition_may_hang_on_what_another_stack_passes_through() -> None:
    """As long as it is a parameter in the end."""
    first = inner(Parameters={"Kind": {"Type": "String"}}, Outputs={"Name": {"Value": {"Ref": "Kind"}}})
    second = inner(Parameters={"K": {"Type": "String"}}, Conditions={"C": {"Fn::Equals": [{"Ref": "K"}, "b"]}})
    template = outer({"Kind": "a"})
    passed = {"K": {"Fn::GetAtt": ["Data", "Outputs.Name"]}}
    template["Resources"]["Other"] = {"Type": STACK, "Properties": {"Parameters": passed}}
    result = flatten(template, {"Data": first, "Other": second})
    assert result["Conditions"]["OtherC"] == {"Fn::Equals": [{"Ref": "DataKind"}, "b"]}


@pytest.mark.parametrize(
    ("template", "child", "said"),
    [
        pytest.param(
            outer({"Nope": 1}), inner(), r"Data: Parameters: \[Nope\] do not exist in the template", id="unknown"
        ),
        pytest.param(
            outer(),
            inner(Parameters={"A": {"Type": "String"}}),
            r"Data: Parameters: \[A\] must have values",
            id="missing",
        ),
        pytest.param(outer(), inner(Outputs={}), "Web asks for the output Name of Data", id="no output"),
        pytest.param(
            outer({"A": {"Ref": "Queue"}}),
            inner(Parameters={"A": {"Type": "String"}}, Conditions={"C": {"Fn::Equals": [{"Ref": "A"}, "b"]}}),
            "the condition DataC depends on the resource Queue",
            id="condition",
        ),
        pytest.param(
            {"Resources": {**outer()["Resources"], "DataTable": {"Type": "T"}}},
            inner(),
            "DataTable of Resources stands twice",
            id="twice",
        ),
    ],
)
def test_what_does_not_fit_is_told(template: dict[str, Any], child: dict[str, Any], said: str) -> None:
    """As CloudFormation says it, where it does."""
    with pytest.raises(DeployError, match=said):
        flatten(template, {"Data": child})
