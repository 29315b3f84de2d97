"""What is refused of a template, in which order resources come, and what decides about each; without a LocalStack."""

from __future__ import annotations

from typing import Any

import pytest
from localstack.services.cloudformation.engine.validations import ValidationError
from multistack_localstack.cloudformation.engine.coercion import coerced
from multistack_localstack.cloudformation.engine.decisions import Verdict, decide
from multistack_localstack.cloudformation.engine.records import Record, record_of
from multistack_localstack.cloudformation.engine.resource_types import is_known, rules_for
from multistack_localstack.cloudformation.engine.template import check, in_order, needs_of

QUEUE = {"Type": "AWS::SQS::Queue"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param({}, "At least one Resources member", id="empty"),
        pytest.param({"Resources": []}, r"\[/Resources\] must be an object", id="list"),
        pytest.param({"Resources": {"A": "x"}}, r"\[/Resources/A\] must be an object", id="no object"),
        pytest.param({"Resources": {"A": {}}}, "must contain a Type", id="no type"),
        pytest.param({"Resources": {"A-b": QUEUE}}, "non alphanumeric", id="name"),
        pytest.param({"Resources": {"A": {"Type": "AWS::No::Such"}}}, r"types: \[AWS::No::Such\]", id="unknown type"),
        pytest.param({"Resources": {"A": {**QUEUE, "DeletionPolicy": "Keep"}}}, "DeletionPolicy Keep", id="policy"),
        pytest.param({"Resources": {"A": {**QUEUE, "DependsOn": "B"}}}, r"dependencies \[B\]", id="depends on nothing"),
        pytest.param(
            {"Resources": {"A": {**QUEUE, "Properties": {"QueueName": {"Fn::Sub": "${B.Arn}"}}}}},
            r"dependencies \[B\] in the Resources",
            id="sub of nothing",
        ),
        pytest.param(
            {"Resources": {"A": QUEUE}, "Outputs": {"O": {"Value": {"Ref": "B"}}}},
            r"dependencies \[B\] in the Outputs",
            id="output of nothing",
        ),
        pytest.param({"Resources": {"A": {**QUEUE, "Condition": "C"}}}, "condition dependency C", id="no condition"),
        pytest.param(
            {"Resources": {"A": {**QUEUE, "DependsOn": "B"}, "B": {**QUEUE, "DependsOn": "A"}}},
            r"Circular dependency between resources: \[A, B\]",
            id="circle",
        ),
    ],
)
def test_a_wrong_template_is_refused(template: Any, message: str) -> None:
    """What can't be deployed is refused before anything is made, in AWS's words."""
    with pytest.raises(ValidationError, match=message):
        check(template, is_known=is_known)


def test_a_literal_is_no_reference() -> None:
    """`${!x}` and the own names of a `Fn::Sub` need no resource."""
    text = ["${!stageVariables.x}${Own}", {"Own": "1"}]
    check({"Resources": {"A": {**QUEUE, "Properties": {"QueueName": {"Fn::Sub": text}}}}}, is_known=is_known)


def test_resources_come_in_the_templates_order_but_for_their_needs() -> None:
    """A resource comes after what it needs, and otherwise where the template has it."""
    resources = {
        "A": {**QUEUE, "DependsOn": ["C"]},
        "B": QUEUE,
        "C": {**QUEUE, "Properties": {"x": {"Fn::GetAtt": ["D", "Arn"]}}},
        "D": QUEUE,
    }
    assert in_order(resources, needs_of(resources)) == ["B", "D", "C", "A"]


def _record(kind: str, desired: dict[str, Any], **changed: Any) -> Record:
    return Record(logical_id="R", kind=kind, physical_id="r", model=desired, desired=desired, **changed)


@pytest.mark.parametrize(
    ("kind", "before", "after", "verdict"),
    [
        pytest.param("AWS::SQS::Queue", {"VisibilityTimeout": 3}, {"VisibilityTimeout": "3"}, Verdict.KEEP, id="text"),
        pytest.param("AWS::SQS::Queue", {"VisibilityTimeout": 3}, {"VisibilityTimeout": 4}, Verdict.UPDATE, id="value"),
        pytest.param("AWS::SQS::Queue", {"VisibilityTimeout": 3}, {}, Verdict.UPDATE, id="dropped"),
        pytest.param("AWS::SQS::Queue", {"QueueName": "a"}, {"QueueName": "b"}, Verdict.REPLACE, id="name"),
        pytest.param("AWS::DynamoDB::Table", {"KeySchema": [1]}, {"KeySchema": [2]}, Verdict.REPLACE, id="key"),
        pytest.param("AWS::Lambda::Version", {"Description": "a"}, {"Description": "b"}, Verdict.REPLACE, id="version"),
        pytest.param("AWS::Lambda::Function", {"Code": 1}, {"Code": 2}, Verdict.UPDATE, id="code"),
        pytest.param(
            "AWS::Lambda::Alias", {"FunctionVersion": "1"}, {"FunctionVersion": "2"}, Verdict.UPDATE, id="alias"
        ),
        pytest.param(
            "AWS::ApiGateway::Stage", {"DeploymentId": "1"}, {"DeploymentId": "2"}, Verdict.UPDATE, id="stage"
        ),
        pytest.param("AWS::IAM::Role", {"Path": "/"}, {"Path": "/x/"}, Verdict.REPLACE, id="path"),
    ],
)
def test_a_change_updates_or_replaces(kind: str, before: Any, after: Any, verdict: Verdict) -> None:
    """A changed property updates a resource in place or replaces it, as its type's page says."""
    assert decide(_record(kind, before), after, policies={}, metadata=None).verdict is verdict


def test_a_resource_of_unknown_state_is_put_again() -> None:
    """A resource whose update broke off is updated although its properties are those asked for."""
    record = _record("AWS::SQS::Queue", {"QueueName": "a"}, is_dirty=True)
    assert decide(record, {"QueueName": "a"}, policies={}, metadata=None).verdict is Verdict.UPDATE


def test_a_policy_alone_is_a_change() -> None:
    """A changed DeletionPolicy is kept, or a removal would go by the old one."""
    found = decide(_record("AWS::SQS::Queue", {}), {}, policies={"DeletionPolicy": "Retain"}, metadata=None)
    assert (found.verdict, found.attributes) == (Verdict.UPDATE, ("DeletionPolicy",))


def test_values_become_what_the_schema_says() -> None:
    """Numbers, truths and texts take the type that the schema names, however deep."""
    schema = {
        "properties": {
            "Count": {"type": "integer"},
            "On": {"type": "boolean"},
            "Text": {"type": "string"},
            "List": {"type": "array", "items": {"$ref": "#/definitions/One"}},
            "Map": {"type": "object", "patternProperties": {".*": {"type": "string"}}},
        },
        "definitions": {"One": {"properties": {"Rate": {"type": "number"}}}},
    }
    given = {"Count": "3", "On": "true", "Text": 1, "List": [{"Rate": "0.5"}], "Map": {"a": True}, "Other": "3"}
    expected = {"Count": 3, "On": True, "Text": "1", "List": [{"Rate": 0.5}], "Map": {"a": "true"}, "Other": "3"}
    assert coerced(given, schema) == expected


def test_a_record_survives_being_kept() -> None:
    """What a stack keeps as plain dictionaries gives the same record again."""
    record = _record(
        "AWS::SQS::Queue", {"QueueName": "a"}, needs=("B",), policies={"DeletionPolicy": "Retain"}, made="1"
    )
    assert record_of(record.kept()) == record


def test_a_name_is_what_tells_a_resource_from_others() -> None:
    """The property that names a resource is known, where its type has one."""
    kinds = (
        "DynamoDB::Table",
        "SQS::Queue",
        "SNS::Topic",
        "Lambda::Function",
        "Lambda::Version",
        "SecretsManager::Secret",
    )
    names = ["TableName", "QueueName", "TopicName", "FunctionName", "", "Name"]
    assert [rules_for(f"AWS::{kind}").name for kind in kinds] == names
