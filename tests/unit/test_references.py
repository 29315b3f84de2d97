"""What refers to what in a template."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from emulator.errors import DeployError
from emulator.references import check_names, check_references, dependencies, names_in, without

QUEUE = "AWS::SQS::Queue"


def queue(*needed: str, **properties: Any) -> dict[str, Any]:
    """A resource that needs those others."""
    return {"Type": QUEUE, "DependsOn": list(needed), "Properties": properties}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        pytest.param({"Ref": "A"}, {"A"}, id="ref"),
        pytest.param({"Fn::GetAtt": ["A", "Arn"]}, {"A"}, id="attribute"),
        pytest.param({"Fn::GetAtt": "A.Arn"}, {"A"}, id="attribute as text"),
        pytest.param({"Fn::Sub": "${A}-${B.Arn}-${!C}-${AWS::Region}"}, {"A", "B", "AWS::Region"}, id="sub"),
        pytest.param({"Fn::Sub": ["${x}${B}", {"x": {"Ref": "A"}}]}, {"A", "B"}, id="sub with variables"),
        pytest.param([{"a": [{"Ref": "A"}]}], {"A"}, id="nested"),
        pytest.param({"Ref": {"not": "text"}}, set(), id="no name"),
        pytest.param("Ref", set(), id="text"),
    ],
)
def test_names_are_found(value: Any, names: set[str]) -> None:
    """In every function that can name something."""
    assert {*names_in(value)} == names


def test_dependencies_are_references_and_depends_on() -> None:
    """Parameters are none."""
    template = {"Resources": {"A": queue(), "B": queue("A"), "C": queue(Name={"Fn::Sub": "${B}${Parameter}"})}}
    assert dependencies(template) == {"A": set(), "B": {"A"}, "C": {"B"}}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        pytest.param({"Resources": {"A": queue(Name={"Ref": "Nope"})}}, "A refers to Nope", id="ref"),
        pytest.param({"Resources": {"A": queue("Nope")}}, "A refers to Nope", id="depends on"),
        pytest.param(
            {"Resources": {"A": queue()}, "Outputs": {"O": {"Value": {"Ref": "X"}}}}, "O refers to X", id="out"
        ),
        pytest.param({"Resources": {"A": queue("B"), "B": queue("A")}}, "circle: ", id="circle"),
        pytest.param({"Resources": {"A": queue("A")}}, "circle: A -> A", id="itself"),
        pytest.param({"Resources": {"A": queue(N={"Fn::Nope": 1})}}, "A uses Fn::Nope", id="unknown function"),
        pytest.param({"Resources": {"A": queue(N={"Fn::Sub": ["a", "b"]})}}, "A has a wrong Fn::Sub", id="sub"),
        pytest.param({"Resources": {"A": queue(N={"Fn::Sub": ["a", {}, 1]})}}, "A has a wrong Fn::Sub", id="long sub"),
        pytest.param({"Resources": {"A": {**queue(), "Condition": "C"}}}, "A needs the condition C", id="condition"),
        pytest.param({"Resources": {"A": queue(N={"Fn::If": ["C", 1, 2]})}}, "A needs the condition C", id="if"),
    ],
)
def test_what_is_nowhere_defined_is_refused(template: dict[str, Any], said: str) -> None:
    """Emulators accept some of it in silence; CloudFormation doesn't."""
    with pytest.raises(DeployError, match=said):
        check_references(template)


def test_what_is_defined_passes() -> None:
    """Parameters, pseudo parameters, conditions and a policy's own ``Condition``."""
    check_references(
        {
            "Parameters": {"P": {"Type": "String"}},
            "Conditions": {"C": {"Fn::Equals": [{"Ref": "P"}, "x"]}},
            "Resources": {
                "A": {**queue(N={"Fn::If": ["C", {"Ref": "P"}, {"Ref": "AWS::NoValue"}]}), "Condition": "C"},
                "B": queue("A", Policy={"Statement": {"Condition": {"StringEquals": {}}}}),
            },
        }
    )


def test_unsupported_types_go_with_all_that_needs_them() -> None:
    """Each left-out resource has its reason; outputs that name one go too."""
    template = {
        "Resources": {"Foo": {"Type": "AWS::Foo::Bar"}, "B": queue("Foo"), "C": queue("B"), "Stays": queue()},
        "Outputs": {"Gone": {"Value": {"Ref": "C"}}, "Kept": {"Value": {"Ref": "Stays"}}},
    }
    smaller, left_out = without(template, ["Foo"])
    assert list(smaller["Resources"]) == ["Stays"]
    assert list(smaller["Outputs"]) == ["Kept"]
    assert left_out == ["Foo (AWS::Foo::Bar)", f"B ({QUEUE}, needs Foo)", f"C ({QUEUE}, needs B)"]
    assert len(template["Resources"]) == 4


def test_no_empty_outputs_are_left() -> None:
    """CloudFormation refuses an empty section."""
    template = {"Resources": {"Foo": {"Type": "X"}}, "Outputs": {"O": {"Value": {"Ref": "Foo"}}}}
    assert without(template, list(template["Resources"]))[0] == {"Resources": {}}


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        pytest.param("x", True, id="text"),
        pytest.param({"Fn::Sub": "${AWS::StackName}-x"}, True, id="the same expression"),
        pytest.param(None, False, id="none"),
    ],
)
def test_two_functions_of_one_name_are_refused(name: object, is_taken: bool) -> None:
    """As on AWS, where the second one can't be made; with conditions, perhaps only one of them is."""
    kind = "AWS::Lambda::Function"
    one = {"Type": kind, "Properties": {} if name is None else {"FunctionName": name}}
    check_names({"Resources": {"A": one, "B": {**one, "Condition": "C"}}})
    with pytest.raises(DeployError, match="already exists in stack: A and B") if is_taken else nullcontext():
        check_names({"Resources": {"A": one, "B": one}})
