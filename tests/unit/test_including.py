"""Snippets and nested templates become part of the template that names them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from emulator.errors import ConfigError
from emulator.including import files_of_template, read_whole
from emulator.template import all_resources, local_code


def write(folder: Path, **files: str) -> Path:
    """Files by name, ``_`` for a slash and with ``.yaml``; the first is the template."""
    paths = []
    for name, text in files.items():
        path = folder / (name.replace("_", "/") + ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))
        paths.append(path)
    return paths[0]


def test_a_snippet_takes_the_place_of_its_include(tmp_path: Path) -> None:
    """With intrinsic functions in short form, and what stands beside it kept."""
    path = write(
        tmp_path,
        template="""
            Resources:
              Queue:
                Type: AWS::SQS::Queue
                Properties:
                  DelaySeconds: 3
                  Fn::Transform: {Name: AWS::Include, Parameters: {Location: snippets/queue.yaml}}
            """,
        snippets_queue="QueueName: !Sub '${AWS::StackName}-q'\n",
    )
    properties = read_whole(path)["Resources"]["Queue"]["Properties"]
    assert properties == {"QueueName": {"Fn::Sub": "${AWS::StackName}-q"}, "DelaySeconds": 3}
    assert files_of_template(path) == [path, tmp_path / "snippets/queue.yaml"]


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(
            "Resources: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: more.yaml}}}", id="a section"
        ),
        pytest.param("Transform: {Name: AWS::Include, Parameters: {Location: whole.yaml}}", id="the top"),
    ],
)
def test_resources_can_be_included(tmp_path: Path, where: str) -> None:
    """A template that has no resources of its own is one."""
    path = write(
        tmp_path,
        template=where,
        more="A: {Type: AWS::SQS::Queue}\n",
        whole="Resources: {A: {Type: AWS::SQS::Queue}}\n",
    )
    assert read_whole(path) == {"Resources": {"A": {"Type": "AWS::SQS::Queue"}}}


def test_what_the_emulator_finds_itself_stays(tmp_path: Path) -> None:
    """An include of a bucket's object is the emulator's to carry out."""
    include = {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/key.yaml"}}
    path = write(
        tmp_path, template=f"Resources: {{A: {{Type: AWS::SQS::Queue, Properties: {{Fn::Transform: {include}}}}}}}"
    )
    assert read_whole(path)["Resources"]["A"]["Properties"] == {"Fn::Transform": include}


def test_a_nested_template_brings_its_code_along(tmp_path: Path) -> None:
    """Its paths start where it lies, and its functions' names begin with the stack's."""
    path = write(
        tmp_path,
        template="""
            Resources:
              Inner:
                Type: AWS::Serverless::Application
                Properties: {Location: inner/template.yaml, Parameters: {A: b}}
            """,
        inner_template="""
            Transform: AWS::Serverless-2016-10-31
            Globals: {Function: {CodeUri: src}}
            Resources:
              Web: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Runtime: python3.12}}
            """,
    )
    template = read_whole(path)
    assert template["Resources"]["Inner"]["Type"] == "AWS::CloudFormation::Stack"
    assert template["Resources"]["Inner"]["Properties"]["Parameters"] == {"A": "b"}
    (code,) = local_code(template, tmp_path)
    assert (code.logical_id, code.path) == ("InnerWeb", tmp_path / "inner/src")
    assert [placed.logical_id for placed in all_resources(template)] == ["Inner", "InnerWeb"]


def test_an_application_of_the_repository_is_none_that_sam_would_look_up(tmp_path: Path) -> None:
    """It stays a nested stack without a template, for whoever tells what can't be deployed."""
    location = {"ApplicationId": "arn", "SemanticVersion": "1.0.0"}
    path = write(
        tmp_path,
        template=f"Resources: {{A: {{Type: AWS::Serverless::Application, Properties: {{Location: {location}}}}}}}",
    )
    stack = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": location}}
    assert read_whole(path)["Resources"]["A"] == stack


@pytest.mark.parametrize(
    ("template", "said"),
    [
        pytest.param(
            "Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: template.yaml}}}",
            r"in a circle: template\.yaml -> template\.yaml",
            id="nested in itself",
        ),
        pytest.param(
            "Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: gone.yaml}}}",
            r"the template of A is missing: .*gone\.yaml",
            id="nested, missing",
        ),
        pytest.param(
            "Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: a.yaml, Parameters: [a]}}}",
            "Parameters of the nested stack A is not a mapping",
            id="nested, of wrong shape",
        ),
        pytest.param(
            "Resources: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: gone.yaml}}}",
            r"AWS::Include of gone\.yaml can't be read: No such file",
            id="included, missing",
        ),
        pytest.param(
            "Resources: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: broken.yaml}}}",
            r"AWS::Include of broken\.yaml is not YAML",
            id="included, broken",
        ),
        pytest.param("Transform: Mine\nResources: {A: {Type: B::C::D}}", "the macro Mine, which is on AWS", id="macro"),
        pytest.param(
            "Resources: {A: {Type: B::C::D, Properties: {Fn::Transform: {Name: Mine}}}}",
            "the macro Mine, which is on AWS",
            id="macro inside",
        ),
        pytest.param(
            "Transform: AWS::CodeDeployBlueGreen\nResources: {A: {Type: B::C::D}}",
            "the transform AWS::CodeDeployBlueGreen, which is on AWS",
            id="transform",
        ),
        pytest.param(
            f"#{'x' * 2_000_000}\nResources: {{A: {{Type: B::C::D}}}}",
            "bytes: Template may not exceed 1000000 bytes in size",
            id="2 MB",
        ),
    ],
)
def test_what_can_t_be_read_is_told_in_one_line(tmp_path: Path, template: str, said: str) -> None:
    """With the file that is wrong."""
    path = write(tmp_path, template=template, broken="a: [")
    with pytest.raises(ConfigError, match=said) as caught:
        read_whole(path)
    assert "\n" not in caught.value.message
