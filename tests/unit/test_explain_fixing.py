"""What the multi-stack template has for what the single-stack one had."""

from __future__ import annotations

import contextlib
import copy
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cfn_yaml import parse
from emulator.errors import ConfigError
from emulator.explain.explaining import explain
from emulator.explain.fixing import Fixed, fix
from emulator.explain.source import Source, read_source
from emulator.explain.survey import survey
from emulator.explain.words import Words
from emulator.references import check_references
from emulator.shape import check_shape
from tests.conftest import SAMPLE

_SINGLE = read_source(SAMPLE / "single-stack.yaml", "single-stack.yaml").template
FUNCTION = """
  F:
    Type: AWS::Lambda::Function
    Properties: {Handler: a.b}
  TestAlias:
    Type: AWS::Lambda::Alias
    Properties: {Name: test, FunctionName: !Ref F, FunctionVersion: $LATEST}
  ProdAlias:
    Type: AWS::Lambda::Alias
    Properties: {Name: prod, FunctionName: !Ref F, FunctionVersion: !GetAtt V.Version}
  V:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: !Ref F}
"""
API = """
  A: {Type: AWS::ApiGateway::RestApi}
  D: {Type: AWS::ApiGateway::Deployment, Properties: {RestApiId: !Ref A}}
  S1:
    Type: AWS::ApiGateway::Stage
    Properties: {RestApiId: !Ref A, StageName: test, DeploymentId: !Ref D, Variables: {alias: test, colour: red}}
  S2:
    Type: AWS::ApiGateway::Stage
    Properties: {RestApiId: !Ref A, StageName: prod, DeploymentId: !Ref D, Variables: {alias: prod, colour: blue}}
"""


def fixed(text: str) -> Fixed:
    """A template of these resources; what comes out is whole, and fixed already."""
    template: dict[str, Any] = parse(textwrap.dedent(text) if "Resources:" in text else "Resources:" + text)
    made = fix(survey(template, Words.of()))
    assert [one.pattern for one in explain(Source("t", made.template), Words.of()).findings if one.risks] == []
    assert fix(survey(made.template, Words.of())).template == made.template
    check_references(made.template)
    return made


def properties(made: Fixed, logical_id: str) -> Mapping[str, Any]:
    """Of a resource that must be there."""
    return dict(made.template["Resources"][logical_id]["Properties"])


def test_the_sample_has_one_of_each() -> None:
    """One table, one stage, one permission, no alias, no version; what all shared stays."""
    before = _SINGLE
    made = fix(survey(before, Words.of()), code="src")
    resources = made.template["Resources"]
    assert before["Resources"].keys() - resources.keys() == {
        f"{name}{kind}" for name in ("Test", "Staging", "Prod") for kind in ("Table", "Stage", "Permission", "Alias")
    } | {"FirstVersion"}
    assert resources.keys() - before["Resources"].keys() == {"Table", "Stage", "Permission"}
    assert made.template["Parameters"].keys() == {"Release", "MultistackEnvironment"}
    assert properties(made, "Stage")["Variables"] == {"table": {"Ref": "Table"}}
    assert properties(made, "Function")["Code"] == "src"
    assert made.config == {}
    assert made.notes == ()


@pytest.mark.parametrize(
    "uri",
    [
        '!Join ["", [!Sub "arn:x:functions/${F.Arn}:", "${stageVariables.alias}/invocations"]]',
        '!Join ["", ["arn:x:functions/", !GetAtt F.Arn, ":${stageVariables.alias}/invocations"]]',
        '!Sub "arn:x:functions/${F.Arn}:${!stageVariables.alias}/invocations"',
        '!Sub ["arn:x:functions/${Name}:${!stageVariables.alias}/invocations", {Name: !GetAtt F.Arn}]',
        '!Sub "arn:x:functions/${ProdAlias}/invocations"',
        '!Sub "arn:x:functions/${F.Arn}:prod/invocations"',
    ],
    ids=["join and sub", "join", "sub", "sub with a map", "one alias", "a literal alias"],
)
def test_uris_name_the_function_itself(uri: str) -> None:
    """However a template puts the text together, no alias is left in it."""
    method = f"\n  M: {{Type: AWS::ApiGateway::Method, Properties: {{RestApiId: !Ref A, Uri: {uri}}}}}\n"
    made = fixed(FUNCTION + API + method)
    assert properties(made, "M")["Uri"] == {"Fn::Sub": "arn:x:functions/${F.Arn}/invocations"}
    # A variable that nothing uses may be read by code.
    assert {"V", "TestAlias", "ProdAlias"} & made.template["Resources"].keys() == set()


@pytest.mark.parametrize("name", ["orders", "${Named}", "${F}"])
def test_a_function_by_its_arn_loses_its_alias(name: str) -> None:
    """A name that is written out, or a parameter's, keeps its place; what chose the alias goes."""
    arn = f"arn:aws:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{name}"
    uri = f"{{RestApiId: !Ref A, Uri: !Sub '{arn}:${{!stageVariables.alias}}/invocations'}}"
    parameters = "Parameters: {Named: {Type: String}}\nResources:"
    made = fixed(f"{parameters}{FUNCTION}{API}\n  M: {{Type: AWS::ApiGateway::Method, Properties: {uri}}}\n")
    assert properties(made, "M")["Uri"] == {"Fn::Sub": f"{arn}/invocations"}


def test_a_stage_variable_becomes_its_value() -> None:
    """What a variable stood for is a parameter, with the value of each environment as its config."""
    host = '{RestApiId: !Ref A, Uri: "https://${stageVariables.colour}.example.com/${stageVariables.size}"}'
    made = fixed(API + f"\n  M: {{Type: AWS::ApiGateway::Method, Properties: {host}}}\n")
    assert properties(made, "M")["Uri"] == {"Fn::Sub": "https://${Colour}.example.com/${Size}"}
    assert made.config == {"test": {"Colour": "red"}, "prod": {"Colour": "blue"}}
    assert made.template["Parameters"]["Size"] == {"Type": "String"}
    assert "no stage of the template has the variable size" in made.notes[0]


def test_the_stage_is_called_like_the_environment() -> None:
    """URLs, ARNs and usage plans that named a stage name that of the environment now."""
    made = fixed(
        f"Resources:{API}"
        """
  Plan:
    Type: AWS::ApiGateway::UsagePlan
    Properties: {ApiStages: [{ApiId: !Ref A, Stage: test}, {ApiId: !Ref A, Stage: prod}]}
Outputs:
  Url: {Value: !Sub "https://${A}.execute-api.${AWS::Region}.amazonaws.com/prod/orders"}
  TestUrl: {Value: !Sub "https://${A}.example.com/test"}
  ProdUrl: {Value: !Sub "https://${A}.example.com/prod"}
"""
    )
    assert properties(made, "Stage")["StageName"] == {"Ref": "MultistackEnvironment"}
    assert properties(made, "Plan")["ApiStages"] == [{"ApiId": {"Ref": "A"}, "Stage": {"Ref": "MultistackEnvironment"}}]
    assert made.template["Outputs"] == {
        "Url": {
            "Value": {
                "Fn::Sub": "https://${A}.execute-api.${AWS::Region}.amazonaws.com/${MultistackEnvironment}/orders"
            }
        },
        "Url2": {"Value": {"Fn::Sub": "https://${A}.example.com/${MultistackEnvironment}"}},
    }


TWINS = """
Parameters:
  TestUrl: {Type: String, Default: a}
  ProdUrl: {Type: String, Default: b}
Resources:
  TestQueue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: orders-test, DelaySeconds: 1, Tags: [{Key: env, Value: test}]}
  ProdQueue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: orders-prod, DelaySeconds: 9, Tags: [{Key: env, Value: prod}], FifoQueue: true}
  Topic:
    Type: AWS::SNS::Topic
    DependsOn: [TestQueue, ProdQueue]
    Properties: {TopicName: !Sub "${TestQueue.QueueName}-${TestUrl}"}
  Queue: {Type: AWS::SNS::Topic}
"""


def test_twins_become_one() -> None:
    """The same stays, the environment's name is put in, the rest is a parameter, or told."""
    made = fixed(TWINS)
    assert properties(made, "QueueQueue") == {
        "QueueName": {"Fn::Sub": "orders-${MultistackEnvironment}"},
        "DelaySeconds": {"Ref": "DelaySeconds"},
        "Tags": [{"Key": "env", "Value": {"Ref": "MultistackEnvironment"}}],
        "FifoQueue": True,
    }
    assert made.template["Parameters"]["DelaySeconds"] == {"Type": "Number"}
    assert made.template["Parameters"]["Url"] == {"Type": "String"}
    assert made.config == {"test": {"Url": "a", "DelaySeconds": 1}, "prod": {"Url": "b", "DelaySeconds": 9}}
    assert made.notes == ("QueueQueue.Properties.FifoQueue differs, and prod's was taken: test: nothing; prod: true",)


def test_references_lead_to_what_took_the_place() -> None:
    """Ref, GetAtt, Sub and DependsOn, of resources and of parameters."""
    topic = fixed(TWINS).template["Resources"]["Topic"]
    assert set(topic["DependsOn"]) == {"QueueQueue"}
    assert topic["Properties"] == {"TopicName": {"Fn::Sub": "${QueueQueue.QueueName}-${Url}"}}


def test_an_alias_of_a_function_elsewhere_stays() -> None:
    """Where the function is not the template's, nothing could take the alias' place."""
    text = "Resources: {P: {Type: AWS::Lambda::Alias, Properties: {Name: prod, FunctionName: orders}}}"
    template: dict[str, Any] = parse(text)
    assert fix(survey(template, Words.of())).template == template


def test_sam_publishes_one_alias_everywhere() -> None:
    """``AutoPublishAlias`` is ``live``, and references to SAM's own alias follow."""
    made = fixed(
        """
        Transform: AWS::Serverless-2016-10-31
        Globals: {Function: {AutoPublishAlias: prod}}
        Resources:
          F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}
          T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref FAliasprod}}
          FAliaslive: {Type: AWS::SNS::Topic}
        """
    )
    assert made.template["Globals"] == {"Function": {"AutoPublishAlias": "live"}}
    assert properties(made, "T") == {"DisplayName": {"Ref": "FAliaslive"}}


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ()):
        yield from _places(value, (*path, key))


_ODD = [
    None,
    0,
    "prod",
    "${stageVariables.alias}",
    ":prod",
    "${",
    {"Ref": 1},
    {"Ref": "Api"},
    {"Fn::Sub": ["a"]},
    {"Fn::Sub": ["${x}${Api}/test", {"x": {"Ref": "Api"}}]},
    {"Fn::Join": 1},
    {"Fn::Join": [{"Ref": "x"}, ["a", "${stageVariables.b}"]]},
    {"Fn::GetAtt": []},
    {"Fn::GetAtt": ["A", {"Ref": "b"}]},
    {"Fn::If": ["c", {"a": 1}, {"b": 2}]},
    [],
    {},
    [1, "a"],
]


@given(st.data())
def test_no_template_is_too_odd(data: st.DataObject) -> None:
    """Whatever stands in a template where something else should: it is explained and fixed all the same, or refused."""
    template = copy.deepcopy(_SINGLE)
    for _ in range(data.draw(st.integers(1, 4))):
        *above, last = data.draw(st.sampled_from(list(_places(template))))
        node: Any = template
        for step in above:
            node = node[step]
        node[last] = copy.deepcopy(data.draw(st.sampled_from(_ODD)))
    with contextlib.suppress(ConfigError):
        check_shape(template, Path("t"))
        explain(Source("t", template), Words.of())
        fix(survey(template, Words.of()), code="src")


def test_the_multi_stack_sample_stays_as_it_is() -> None:
    """There is nothing to mend in it."""
    template = read_source(SAMPLE / "template.yaml", "template.yaml").template
    assert fix(survey(template, Words.of())).template == template
