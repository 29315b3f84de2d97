"""Loops of a template: what they come to in one environment, and which code their turns run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.errors import ConfigError, DeployError
from emulator.expansion import expand
from emulator.including import read_whole
from emulator.loops import Loop, inserted, turns
from emulator.model import Artifact
from emulator.template import LocalCode, Template, inline_definitions, local_code, point_at_code

TEMPLATE = """
Transform: AWS::LanguageExtensions
Parameters:
  Services: {Type: CommaDelimitedList, Default: "orders,users"}
Conditions:
  Fn::ForEach::Wanted:
    - Queue
    - [Fast, Slow]
    - Has${Queue}: !Equals [!Ref AWS::Region, eu-west-1]
Resources:
  Fn::ForEach::Queues:
    - Queue
    - [Fast, Slow]
    - ${Queue}Queue:
        Type: AWS::SQS::Queue
        Condition: !Sub Has${Queue}
        Properties:
          Fn::ForEach::Names: [Key, [QueueName], {"${Key}": !Ref Queue}]
          Tags: [{Key: count, Value: {"Fn::Length": !Ref Services}}]
  Fn::ForEach::Functions:
    - Service
    - !Ref Services
    - "&{Service}Function":
        Type: AWS::Lambda::Function
        Properties:
          Code: !Sub ./services/${Service}
          Handler: !Sub ${Service}.handler
          Role: !Ref AWS::NoValue
          Runtime: python3.12
Outputs:
  Fn::ForEach::Urls:
    - Queue
    - [Fast, Slow]
    - ${Queue}Url: {Value: !Ref {"Fn::Sub": "${Queue}Queue"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A template with loops, and the code of three services."""
    for name in ("orders", "users", "to-be"):
        (tmp_path / "services" / name).mkdir(parents=True)
        (tmp_path / "services" / name / f"{name}.py").write_text("def handler(event, context): pass\n")
    (tmp_path / "services" / "notes.txt").write_text("no code")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


def built(folder: Path) -> tuple[Artifact, list[LocalCode]]:
    """The artifact of the template in *folder*, whose keys are the paths of the code."""
    template = read_whole(folder / "template.yaml")
    sources = list(local_code(template, folder))
    keys = {one.logical_id: str(one.path.relative_to(folder)) for one in sources}
    template = point_at_code(inline_definitions(template, folder), keys, bucket="b", sources=sources)
    return Artifact(digest="0" * 64, template=template, code=()), sources


def expanded(folder: Path, **parameters: str) -> Template:
    """What CloudFormation is given."""
    artifact, _ = built(folder)
    return expand(artifact, parameters, region="eu-west-1", state=folder / "state")


def test_loops_are_written_out_for_an_environment(folder: Path) -> None:
    """In all sections and in properties; by the environment's list, with the code of each turn."""
    found = expanded(folder, Services="users,to-be")
    assert list(found["Resources"]) == ["FastQueue", "SlowQueue", "usersFunction", "tobeFunction"]
    assert found["Resources"]["FastQueue"] == {
        "Type": "AWS::SQS::Queue",
        "Condition": "HasFast",
        "Properties": {"QueueName": "Fast", "Tags": [{"Key": "count", "Value": 2}]},
    }
    assert found["Resources"]["tobeFunction"]["Properties"]["Code"] == {"S3Bucket": "b", "S3Key": "services/to-be"}
    assert found["Resources"]["tobeFunction"]["Properties"]["Handler"] == "to-be.handler"
    assert list(found["Conditions"]) == ["HasFast", "HasSlow"]
    assert found["Outputs"] == {"FastUrl": {"Value": {"Ref": "FastQueue"}}, "SlowUrl": {"Value": {"Ref": "SlowQueue"}}}
    assert found.keys() & {"Transform", "Mappings"} == set()


def test_a_loop_chosen_by_a_flag_takes_yaml_s_booleans(folder: Path) -> None:
    """A default ``true`` is the text by which a mapping has it."""
    (folder / "template.yaml").write_text("""
Transform: AWS::LanguageExtensions
Parameters: {Many: {Type: String, Default: true}}
Mappings: {By: {"true": {Names: [A, B]}, "false": {Names: [A]}}}
Resources:
  Fn::ForEach::Queues:
    - Name
    - !FindInMap [By, !Ref Many, Names]
    - Queue${Name}: {Type: AWS::SQS::Queue}
""")
    assert list(expanded(folder)["Resources"]) == ["QueueA", "QueueB"]
    assert list(expanded(folder, Many="false")["Resources"]) == ["QueueA"]


def test_a_parameter_s_loop_has_all_code_that_is_there(folder: Path) -> None:
    """An artifact is one for all environments, whose lists differ; a list in the template says it all."""
    _, sources = built(folder)
    assert [(one.logical_id, one.path.name, one.handler) for one in sources] == [
        ("notestxtFunction", "notes.txt", "notes.txt.handler"),
        ("ordersFunction", "orders", "orders.handler"),
        ("tobeFunction", "to-be", "to-be.handler"),
        ("usersFunction", "users", "users.handler"),
    ]
    text = TEMPLATE.replace('- !Ref Services\n    - "&', '- [users]\n    - "&')
    (folder / "template.yaml").write_text(text)
    assert [one.logical_id for one in built(folder)[1]] == ["usersFunction"]


def test_a_turn_without_code_is_refused(folder: Path) -> None:
    """When an environment's list comes to it."""
    with pytest.raises(DeployError, match=r"the loop comes to goneFunction, whose code ./services/gone the artifact"):
        expanded(folder, Services="gone")


def test_a_loop_over_nothing_like_it_is_refused(folder: Path) -> None:
    """Before anything is built."""
    (folder / "template.yaml").write_text(TEMPLATE.replace("./services/", "./functions/"))
    with pytest.raises(
        ConfigError, match=r"the code of &{Service}Function is missing: nothing in .* is like ./functions"
    ):
        built(folder)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(
            ('!Ref Services\n    - "&', '!Ref Nowhere\n    - "&'),
            r"Could not find a collection .* \(Fn::ForEach::Functions\)",
            id="list",
        ),
        pytest.param(("Has${Queue}: !", "Had${Queue}: !"), "Key HasFast is missing in the map", id="condition"),
        pytest.param(("Fn::ForEach::Urls", "Fn::ForEach::Queues"), "Queues is used more than once", id="name twice"),
        pytest.param(
            ("[Fast, Slow]\n    - ${Queue}Queue", "[Fast, Fast]\n    - ${Queue}Queue"), "produces FastQueue", id="twice"
        ),
    ],
)
def test_what_the_transform_refuses_is_one_line(folder: Path, changed: tuple[str, str], said: str) -> None:
    """As AWS says it."""
    (folder / "template.yaml").write_text(TEMPLATE.replace(*changed))
    with pytest.raises(DeployError, match=said) as raised:
        expanded(folder)
    assert "\n" not in raised.value.message


def test_a_parameter_that_is_empty_is_named_where_its_loop_fails(folder: Path) -> None:
    """CloudFormation takes it for a list of one empty value."""
    said = r"Fn::ForEach::Functions goes over Services, which is empty: CloudFormation makes one turn of that"
    with pytest.raises(DeployError, match=said) as raised:
        expanded(folder, Services="")
    assert "\n" not in raised.value.message


EMPTY = """
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Queues:
    - Name
    - []
    - Queue${Name}: {Type: AWS::SQS::Queue}
"""


def test_a_loop_over_an_empty_list_makes_nothing(folder: Path) -> None:
    """As on AWS."""
    (folder / "template.yaml").write_text(f"{EMPTY}  Topic: {{Type: AWS::SNS::Topic}}\n")
    assert list(expanded(folder)["Resources"]) == ["Topic"]


def test_loops_that_come_to_nothing_at_all_are_refused(folder: Path) -> None:
    """CloudFormation wants a resource."""
    (folder / "template.yaml").write_text(EMPTY)
    with pytest.raises(DeployError, match="the loops of the template come to no resource"):
        expanded(folder)


def test_nested_stacks_have_loops_of_their_own(folder: Path) -> None:
    """A list is passed to them; a stack in a loop is there once for each turn, and names of others are left alone."""
    (folder / "outer.yaml").write_text(
        """
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Stacks:
    - Queue
    - [A, B]
    - ${Queue}Stack:
        Type: AWS::CloudFormation::Stack
        Properties: {TemplateURL: template.yaml, Parameters: {Services: !Sub "users"}}
"""
    )
    (folder / "template.yaml").rename(folder / "inner.yaml")
    (folder / "outer.yaml").rename(folder / "template.yaml")
    (folder / "template.yaml").write_text((folder / "template.yaml").read_text().replace("template.yaml", "inner.yaml"))
    assert list(expanded(folder)["Resources"]) == [
        f"{stack}Stack{name}" for stack in "AB" for name in ("FastQueue", "SlowQueue", "usersFunction")
    ]


def test_a_definition_that_differs_between_turns_is_refused(folder: Path) -> None:
    """One for all is as good as outside of a loop."""
    machine: dict[str, Any] = {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "m.json"}}
    template = {"Resources": {"Fn::ForEach::M": ["N", ["a"], {"${N}Machine": machine}]}}
    (folder / "m.json").write_text('{"StartAt": "A"}')
    found = inline_definitions(template, folder)["Resources"]["Fn::ForEach::M"][2]["${N}Machine"]["Properties"]
    assert found == {"Definition": {"StartAt": "A"}}
    machine["Properties"]["DefinitionUri"] = "${N}.json"
    with pytest.raises(ConfigError, match=r"DefinitionUri of \$\{N\}Machine leads to another file in each turn"):
        inline_definitions(template, folder)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("services", [{}], id="one for all turns"),
        pytest.param("./a/${A}", [{"A": "1"}, {"A": "2"}], id="a list in the template"),
        pytest.param(
            "services/${P}", [{"P": "notes.txt"}, {"P": "orders"}, {"P": "to-be"}, {"P": "users"}], id="folders"
        ),
        pytest.param("services/${P}/${P}.py", [{"P": "orders"}, {"P": "to-be"}, {"P": "users"}], id="named twice"),
        pytest.param("services/${P}/${A}", [], id="both, and nothing like it"),
        pytest.param("services/${Unknown}", [{}], id="no identifier"),
    ],
)
def test_turns_are_those_that_lead_to_other_code(folder: Path, path: str, expected: list[dict[str, str]]) -> None:
    """By the list, or by what is there where parameters make the list."""
    loops = (Loop("A", ["1", 2]), Loop("P", {"Ref": "Services"}))
    assert list(turns(path, loops, folder)) == expected


def test_values_stand_in_the_places_that_name_them() -> None:
    """``&{}`` leaves out what can't stand in a logical id."""
    assert inserted("${A}&{A}${B}${!A}", {"A": "a-b"}) == "a-bab${B}${!A}"
