"""Which single-stack patterns are found in templates as people write them, and which are none."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from emulator.cfn_yaml import parse
from emulator.explain.explaining import explain
from emulator.explain.finding import PATTERNS
from emulator.explain.source import Source, read_source
from emulator.explain.words import Words
from emulator.lab.experiments import EXPERIMENTS
from tests.conftest import SAMPLE

MISTAKES = {one.id for one in EXPERIMENTS if not one.is_control}
FUNCTION = "\n  F: {Type: AWS::Lambda::Function, Properties: {Handler: a.b, Role: !GetAtt R.Arn}}"
ROLE = "\n  R: {Type: AWS::IAM::Role, Properties: {}}"
API = "\n  A: {Type: AWS::ApiGateway::RestApi}"
URI = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F.Arn}:${!stageVariables.alias}/invocations"


def found(resources: str, *, rest: str = "") -> dict[str, tuple[str, ...]]:
    """Pattern to the experiments that it risks, in a template of these resources."""
    template: dict[str, Any] = parse(textwrap.dedent(rest) + "\nResources:" + resources)
    return {one.pattern: one.risks for one in explain(Source("t.yaml", template), Words.of()).findings}


def alias(name: str, function: str = "F", version: str = '"1"') -> str:
    """A resource."""
    properties = f"{{Name: {name}, FunctionName: !Ref {function}, FunctionVersion: {version}}}"
    return f"\n  Alias{name}: {{Type: AWS::Lambda::Alias, Properties: {properties}}}"


def stage(name: str, more: str = "") -> str:
    """A resource."""
    return f"\n  S{name}: {{Type: AWS::ApiGateway::Stage, Properties: {{RestApiId: !Ref A, StageName: {name}{more}}}}}"


def test_the_sample_of_a_single_stack_risks_what_the_lab_shows() -> None:
    """All experiments that its template allows are named; X04, X06, X08 and X14 need what it has not."""
    explained = explain(read_source(SAMPLE / "single-stack.yaml", "single-stack.yaml"), Words.of())
    assert explained.environments == ("test", "staging", "prod")
    risks = {risk for finding in explained.findings for risk in finding.risks}
    assert MISTAKES - risks == {"X04", "X06", "X08", "X14"}


def test_the_multi_stack_sample_has_nothing() -> None:
    """What gives each environment a copy of everything is left alone."""
    assert explain(read_source(SAMPLE / "template.yaml", "template.yaml"), Words.of()).findings == ()


def test_every_experiment_is_risked_by_some_pattern() -> None:
    """No experiment of the lab is without a pattern, and no pattern names one that is none."""
    assert {risk for pattern in PATTERNS.values() for risk in pattern.risks} == MISTAKES


@pytest.mark.parametrize(
    ("resources", "pattern", "risk"),
    [
        pytest.param(API + stage("test") + stage("prod"), "shared-api", "X13", id="stages"),
        pytest.param(FUNCTION + ROLE + alias("prod"), "alias-per-environment", "X01", id="one alias"),
        pytest.param(FUNCTION + ROLE + alias("prod", version="$LATEST"), "alias-on-latest", "X04", id="latest"),
        pytest.param(
            API + stage("test", ", Variables: {t: a}") + stage("prod", ", Variables: {t: b}"),
            "config-in-stage-variables",
            "X03",
            id="stage variables",
        ),
        pytest.param(
            FUNCTION + ROLE + f'\n  M: {{Type: AWS::ApiGateway::Method, Properties: {{Uri: !Sub "{URI}"}}}}',
            "stage-variable-in-uri",
            "X17",
            id="sub",
        ),
        pytest.param(
            '\n  M: {Type: AWS::ApiGatewayV2::Integration, Properties: {IntegrationUri: "https://${stageVariables.h}/"}}',
            "stage-variable-in-uri",
            "X02",
            id="host",
        ),
        pytest.param(
            "\n  F: {Type: AWS::Serverless::Function, Properties: {AutoPublishAlias: prod}}",
            "auto-publish-alias-per-environment",
            "X06",
            id="published alias",
        ),
        pytest.param(
            "\n  TestQueue: {Type: AWS::SQS::Queue}\n  ProdQueue: {Type: AWS::SQS::Queue}",
            "shared-stack",
            "X19",
            id="twins",
        ),
        pytest.param(FUNCTION + ROLE + alias("test") + alias("prod"), "shared-function", "X07", id="function"),
        pytest.param(FUNCTION + ROLE + alias("test") + alias("prod"), "shared-role", "X11", id="role"),
        pytest.param(
            "\n  F: {Type: AWS::Lambda::Function, Properties: {ReservedConcurrentExecutions: 5}}"
            + alias("test")
            + alias("prod"),
            "shared-function",
            "X08",
            id="reservation",
        ),
        pytest.param(
            "\n  F: {Type: AWS::Lambda::Function, Properties: {Environment: {Variables: {T: !Ref T}}}}"
            "\n  T: {Type: AWS::DynamoDB::Table}" + alias("test") + alias("prod"),
            "shared-table",
            "X14",
            id="table",
        ),
        pytest.param(
            "\n  F: {Type: AWS::Lambda::Function, Properties: {Environment: {Variables: {T: !Ref T}}}}"
            + alias("test")
            + alias("prod"),
            "config-frozen-in-versions",
            "X05",
            id="variables",
        ),
    ],
)
def test_patterns_are_found(resources: str, pattern: str, risk: str) -> None:
    """Each names the experiments that hold for this very template."""
    assert risk in found(resources)[pattern]


def test_an_alias_by_parameter_is_one_per_environment() -> None:
    """``AutoPublishAlias: !Ref Stage`` deletes the other alias with every deployment that says another stage."""
    resources = "\n  F: {Type: AWS::Serverless::Function, Properties: {AutoPublishAlias: !Ref Stage}}"
    assert list(found(resources, rest="Parameters: {Stage: {Type: String}}")) == ["auto-publish-alias-per-environment"]


@pytest.mark.parametrize(
    "resources",
    [
        pytest.param(FUNCTION + ROLE + alias("live"), id="alias live"),
        pytest.param(API + stage("v1") + stage("v2"), id="versions of an API"),
        pytest.param(
            "\n  F: {Type: AWS::Serverless::Function, Properties: {AutoPublishAlias: live}}", id="published live"
        ),
        pytest.param(
            "\n  TestTable: {Type: AWS::DynamoDB::Table}\n  ProdQueue: {Type: AWS::SQS::Queue}", id="no twins"
        ),
        pytest.param('\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: "say $stageVariables.x"}}', id="text"),
    ],
)
def test_good_practice_is_no_finding(resources: str) -> None:
    """An alias called ``live`` is not an environment, and neither is a version of an API."""
    assert found(resources) == {}


def test_one_stage_called_prod_risks_nothing() -> None:
    """SAM's examples have it; it is told, and does not count."""
    resources = "\n  A: {Type: AWS::Serverless::Api, Properties: {StageName: Prod}}"
    assert found(resources) == {"stage-named-like-environment": ()}
