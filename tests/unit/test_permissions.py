"""Which permissions a newer template gives beyond an older one."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.permissions import widening


def role(*statements: dict[str, Any], managed: list[Any] | None = None) -> dict[str, Any]:
    """A template with one role."""
    policies = [
        {"PolicyName": f"p{number}", "PolicyDocument": {"Statement": one}} for number, one in enumerate(statements)
    ]
    return {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies, "ManagedPolicyArns": managed or []}}
        }
    }


def allow(action: Any, resource: Any = "t", **more: Any) -> dict[str, Any]:
    """A statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


DENY = {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}


@pytest.mark.parametrize(
    ("old", "new", "gained"),
    [
        pytest.param(role(allow("a:R")), role(allow("a:R")), [], id="same"),
        pytest.param(role(allow("a:R"), allow("b:R")), role(allow(["b:R", "a:R"])), [], id="written otherwise"),
        pytest.param(role(allow("a:R")), role(allow(["a:R", "a:W"])), ["Role may a:W on t"], id="action"),
        pytest.param(role(allow("a:R")), role(allow("a:R", ["t", "u"])), ["Role may a:R on u"], id="resource"),
        pytest.param(role(allow("a:*", "*")), role(allow("a:R", "u")), [], id="covered by a wildcard"),
        pytest.param(role(allow("A:get*")), role(allow("a:GetItem")), [], id="case of actions"),
        pytest.param(role(allow("a:R")), role(allow("a:*")), ["Role may a:* on t"], id="wildcard"),
        pytest.param(
            role(allow("a:R", Condition={"Bool": {"x": "true"}})),
            role(allow("a:R")),
            ["Role may a:R on t"],
            id="condition gone",
        ),
        pytest.param(
            role(allow("a:R")), role(allow("a:R", Condition={"Bool": {"x": "true"}})), [], id="condition added"
        ),
        pytest.param(
            role(allow("a:R"), DENY),
            role(allow("a:R")),
            ["no longer: Role may not s3:DeleteBucket on *"],
            id="denial gone",
        ),
        pytest.param(role(allow("a:R")), role(allow("a:R"), DENY), [], id="denial added"),
        pytest.param(
            role(allow("a:R")),
            role({"Effect": "Allow", "NotAction": ["b:X"], "Resource": "*"}),
            ["Role may all but b:X on *"],
            id="all but",
        ),
        pytest.param(
            role(),
            role(managed=["arn:aws:iam::aws:policy/AdministratorAccess"]),
            ["Role may all of arn:aws:iam::aws:policy/AdministratorAccess on *"],
            id="managed policy",
        ),
        pytest.param(
            role(allow("a:R", {"Fn::GetAtt": ["Table", "Arn"]})),
            role(allow("a:R", {"Fn::Sub": "${Other.Arn}/*"})),
            ["Role may a:R on ${Other.Arn}/*"],
            id="references",
        ),
    ],
)
def test_widening_is_what_is_gained_and_what_is_no_longer_denied(
    old: dict[str, Any], new: dict[str, Any], gained: list[str]
) -> None:
    """A line each, as a person reads it."""
    assert widening(old, new) == gained


def test_policies_of_resources_count_too() -> None:
    """Whoever may call a function or read a queue is somebody."""
    new = {
        "Resources": {
            "Call": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "F"}, "Principal": "*"},
            },
            "Queue": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {
                    "PolicyDocument": {
                        "Statement": {**allow("sqs:ReceiveMessage", "*"), "Principal": {"AWS": "222222222222"}}
                    }
                },
            },
        }
    }
    assert widening({}, new) == [
        "${F} may lambda:InvokeFunction on * by *",
        'Queue may sqs:ReceiveMessage on * by {"AWS": "222222222222"}',
    ]


@pytest.mark.parametrize("policy", [None, [], {}, "text", {"Statement": "text"}, {"PolicyDocument": 7}], ids=str)
def test_what_is_no_policy_shows_as_what_it_is(policy: object) -> None:
    """It must not end in a traceback, nor hide what it may give."""
    resource = {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": policy}}
    assert len(widening({}, {"Resources": {"P": resource}})) == (1 if policy else 0)


NOTHING = {"Ref": "AWS::NoValue"}


@pytest.mark.parametrize(
    "statement",
    [
        {"Fn::If": ["C", allow("a:*", "*"), NOTHING]},
        {"Fn::If": ["C", NOTHING, [allow("a:*", "*")]]},
        {"Fn::If": ["C", NOTHING, {"Fn::If": ["D", allow("a:*", "*"), NOTHING]}]},
    ],
    ids=["then", "else", "nested"],
)
def test_both_ways_of_a_condition_count(statement: dict[str, Any]) -> None:
    """Which of them holds is not for a gate to guess."""
    assert widening(role(), role([statement])) == ["Role may a:* on *"]
    assert widening(role(), role(statement)) == ["Role may a:* on *"]


def test_parameters_are_read_by_their_values() -> None:
    """A wider value of config is a wider permission."""
    template = role(allow("a:R", {"Ref": "Res"}), allow("b:R", {"Fn::Sub": "arn:${Res}:${AWS::Region}"}))
    same = {"old_parameters": {"Res": "x"}, "new_parameters": {"Res": "x"}}
    wider = {"old_parameters": {"Res": "x"}, "new_parameters": {"Res": "*"}}
    assert widening(template, template, **same) == []
    assert widening(template, template, **wider) == ["Role may a:R on *", "Role may b:R on arn:*:${AWS::Region}"]


def test_who_holds_a_policy_and_whose_role_a_function_has_count() -> None:
    """The same policy for one more role is a permission of that role."""

    def template(roles: list[str], function_role: str) -> dict[str, Any]:
        policy = {"PolicyDocument": {"Statement": allow("a:R")}, "Roles": roles}
        return {
            "Resources": {
                "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy},
                "F": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": [function_role, "Arn"]}}},
            }
        }

    assert widening(template(["A"], "A"), template(["A", "B"], "Admin")) == [
        "B may all of Policy on *",
        "F may all of ${Admin.Arn} on *",
    ]
