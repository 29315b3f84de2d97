"""Templates on the way back from drift."""

from __future__ import annotations

from typing import Any

from emulator.disturbance import AGAIN, as_found, without
from emulator.inventory.hiding import Hiding

TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Web": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Timeout": 10,
                "Environment": {"Variables": {"A": "1"}},
                "Code": {"S3Bucket": "b", "S3Key": "code/x.zip"},
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": []}},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"KeySchema": []}},
    },
    "Outputs": {"Name": {"Value": {"Ref": "Web"}}, "Data": {"Value": {"Ref": "Table"}}},
}


def test_what_drifted_stands_as_it_was_found() -> None:
    """So that CloudFormation sees a difference to the template of the release, and writes it."""
    found = as_found(TEMPLATE, {"Web": {"Timeout": 20, "Description": "by hand", "Permissions": {"any": {}}}})
    properties = found["Resources"]["Web"]["Properties"]
    assert (properties["Timeout"], properties["Description"]) == (20, "by hand")
    assert "Permissions" not in properties
    assert found["Resources"]["Role"] == TEMPLATE["Resources"]["Role"]
    assert TEMPLATE["Resources"]["Web"]["Properties"]["Timeout"] == 10


def test_what_is_no_longer_there_is_left_out() -> None:
    """Then the release's template adds it."""
    assert "Environment" not in as_found(TEMPLATE, {"Web": {"Environment": None}})["Resources"]["Web"]["Properties"]


def test_other_code_is_given_another_key() -> None:
    """The bytes are the same; to CloudFormation it is other code."""
    found = as_found(TEMPLATE, {"Web": {"CodeSha256": "x"}})
    assert found["Resources"]["Web"]["Properties"]["Code"]["S3Key"] == f"{AGAIN}code/x.zip"


def test_policies_of_a_role_are_a_list_again() -> None:
    """An inventory has them by name."""
    found = as_found(TEMPLATE, {"Role": {"Policies": {"quick-fix": {"Statement": []}}}})
    assert found["Resources"]["Role"]["Properties"]["Policies"] == [
        {"PolicyName": "quick-fix", "PolicyDocument": {"Statement": []}}
    ]


def test_a_hidden_value_is_never_written() -> None:
    """A hash in the place of a password would break what works."""
    hidden = {"Variables": {"PASSWORD": Hiding("salt").hide("password")}}
    found = as_found(TEMPLATE, {"Web": {"Environment": hidden}})
    assert found["Resources"]["Web"]["Properties"]["Environment"] == {"Variables": {"A": "1"}}


def test_what_is_made_anew_takes_along_what_needs_it() -> None:
    """A function can't stand without its role; an output can't name what is not there."""
    template, gone = without(TEMPLATE, ["Role"])
    assert gone == {"Role", "Web"}
    assert list(template["Resources"]) == ["Table"]
    assert list(template["Outputs"]) == ["Data"]
