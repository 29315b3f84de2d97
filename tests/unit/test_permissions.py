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


@pytest.mark.parametrize("policy", [None, "text", {"Statement": "text"}, {"PolicyDocument": 7}, []], ids=str)
def test_a_policy_that_is_none_gives_nothing(policy: object) -> None:
    """CloudFormation will refuse it; here it must not end in a traceback."""
    resource = {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": policy}}
    assert widening({}, {"Resources": {"P": resource}}) == []
