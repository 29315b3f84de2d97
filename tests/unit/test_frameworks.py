"""Services are found, whatever framework they are of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from emulator.config import load_project
from emulator.errors import ConfigError
from emulator.expansion import expand
from emulator.frameworks.registry import find_service, framework_of, reader_of
from emulator.frameworks.samconfig import overrides
from emulator.frameworks.service import Packaging, Service
from emulator.frameworks.services import Services
from emulator.frameworks.stages import STAGE, merge
from emulator.init import write_project_file
from emulator.model import Artifact, Project
from emulator.template import STACK, local_code, point_at_code

PLAIN = "Resources: {Q: {Type: AWS::SQS::Queue}}\n"
SAM = f"Transform: AWS::Serverless-2016-10-31\nParameters: {{Size: {{Type: String}}, Stage: {{Type: String}}}}\n{PLAIN}"


def write(folder: Path, name: str, text: str) -> Path:
    """A file in *folder*."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def load(folder: Path) -> Project:
    """The project in *folder*, without any variable."""
    return load_project(file=None, environ={}, cwd=folder)


def packaging(tmp_path: Path) -> Packaging:
    """Nothing is packaged by the frameworks here."""
    return Packaging(environ={}, work=tmp_path / "work", emit=lambda _event: None, cancelled=lambda: None)


@pytest.mark.parametrize(("text", "framework"), [(PLAIN, "CloudFormation"), (SAM, "SAM")])
def test_a_service_is_found_and_named(tmp_path: Path, text: str, framework: str) -> None:
    """By its file, without any setting."""
    assert find_service(tmp_path) is None
    write(tmp_path, "template.yml", text)
    assert find_service(tmp_path) == tmp_path / "template.yml"
    assert framework_of(tmp_path / "template.yml") == framework
    write(tmp_path, "multistack.toml", 'service = "a"\n[environments.test]\n')
    assert load(tmp_path).framework == framework


def test_a_template_of_any_name_is_found_if_it_is_the_only_one(tmp_path: Path) -> None:
    """What is no template doesn't count; of several, one has to be named."""
    write(tmp_path, "app.yaml", PLAIN)
    write(tmp_path, "compose.yaml", "services: {a: {image: b}}\n")
    write(tmp_path, "package.json", "{}")
    assert 'template = "app.yaml" ' in write_project_file(tmp_path, service="s", template=None).read_text()
    (tmp_path / "multistack.toml").unlink()
    write(tmp_path, "other.json", '{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}')
    with pytest.raises(ConfigError, match=r"several templates in .*: app\.yaml, other\.json"):
        write_project_file(tmp_path, service="s", template=None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("samconfig.toml", 'parameter_overrides = "Size=s \\"Other=a b\\" Third=\'c=d\'"', id="words"),
        pytest.param("samconfig.toml", 'parameter_overrides = ["Size=s", "Other=\\"a b\\"", "Third=c=d"]', id="list"),
        pytest.param(
            "samconfig.toml",
            "parameter_overrides = 'ParameterKey=Size,ParameterValue=s "
            'ParameterKey=Other,ParameterValue="a b" Third=c=d\'',
            id="long",
        ),
        pytest.param(
            "samconfig.toml", 'parameter_overrides = {Size = "s", Other = "a b", Third = "c=d"}', id="mapping"
        ),
        pytest.param(
            "samconfig.yaml",
            "prod: {deploy: {parameters: {parameter_overrides: [Size=s, Other='a b', Third=c=d]}}}",
            id="YAML",
        ),
    ],
)
def test_samconfig_s_values_are_read_as_sam_reads_them(tmp_path: Path, name: str, text: str) -> None:
    """In each of the ways that SAM takes them, with where they stand."""
    write(tmp_path, name, text if name.endswith("yaml") else f"version = 0.1\n[prod.deploy.parameters]\n{text}\n")
    found = overrides(tmp_path, "prod")
    assert {key: one.text for key, one in found.items()} == {"Size": "s", "Other": "a b", "Third": "c=d"}
    assert found["Size"].source == ("samconfig.yaml" if name.endswith("yaml") else "samconfig.toml:3")


def test_samconfig_is_config_below_the_project_file_s(tmp_path: Path) -> None:
    """An environment without a table gets the default one; what the template doesn't have is left out."""
    write(tmp_path, "template.yaml", SAM)
    write(
        tmp_path,
        "samconfig.toml",
        """
        [default.global.parameters]
        parameter_overrides = "Size=small Stage=any Unknown=x"
        [prod.deploy.parameters]
        parameter_overrides = "Size=large Stage=prod"
        """,
    )
    write(
        tmp_path,
        "multistack.toml",
        """
        service = "a"
        [environments.test.config]
        Stage = "mine"
        [environments.prod]
        """,
    )
    test, prod = load(tmp_path).environments
    assert test.config == {"Stage": "mine", "Size": "small"}
    assert test.origins == {"Stage": "multistack.toml:4", "Size": "samconfig.toml:3"}
    assert prod.config == {"Size": "large", "Stage": "prod"}


def test_declared_keys_take_what_fits_them(tmp_path: Path) -> None:
    """Where config is declared, samconfig can't add to it, and is held to its types."""
    write(tmp_path, "template.yaml", SAM)
    write(tmp_path, "samconfig.toml", '[default.deploy.parameters]\nparameter_overrides = "Size=7 Stage=x"\n')
    project = 'service = "a"\n[config.Size]\ntype = "{}"\ndefault = {}\n[environments.test]\n'
    write(tmp_path, "multistack.toml", project.format("integer", 3))
    assert load(tmp_path).environments[0].config == {"Size": "7"}
    write(tmp_path, "multistack.toml", project.format("boolean", "true"))
    with pytest.raises(ConfigError, match=r"samconfig\.toml:2: Size must be"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('parameter_overrides = "Size"', "samconfig.toml:3: .*'Size' is not Name=value", id="no value"),
        pytest.param("parameter_overrides = [1]", "1 is no text", id="number"),
        pytest.param('parameter_overrides = "A=\\"b"', "No closing quotation", id="open quote"),
        pytest.param('parameter_overrides = "file://a.json"', "values in files of their own are not read", id="file"),
        pytest.param("parameter_overrides = [", r"samconfig\.toml:\d: not valid TOML", id="no TOML"),
    ],
)
def test_a_broken_samconfig_is_told(tmp_path: Path, text: str, said: str) -> None:
    """With its line."""
    write(tmp_path, "template.yaml", SAM)
    write(tmp_path, "samconfig.toml", f"version = 0.1\n[default.deploy.parameters]\n{text}\n")
    with pytest.raises(ConfigError, match=said):
        reader_of(tmp_path / "template.yaml").values(tmp_path / "template.yaml", "test")


def test_init_takes_over_the_environments_of_samconfig(tmp_path: Path) -> None:
    """With their values as comments, and production last and protected."""
    write(tmp_path, "template.yaml", SAM)
    write(
        tmp_path,
        "samconfig.toml",
        """
        version = 0.1
        [default.deploy.parameters]
        parameter_overrides = "Size=s"
        [prod.deploy.parameters]
        parameter_overrides = "Size=l"
        [dev.deploy.parameters]
        """,
    )
    text = write_project_file(tmp_path, service="a", template=None).read_text()
    assert '# Size = "l"  # from samconfig.toml:6' in text
    assert '# Stage = ""  # fill in' in text
    assert [(one.name, one.protected) for one in load(tmp_path).environments] == [("dev", False), ("prod", True)]


SERVICES = """
    service = "shop"
    [[services]]
    name = "data"
    template = "data"
    [[services]]
    name = "order-items"
    template = "orders/template.yaml"
    outputs = {Table = "data.Name"}
    after = ["data"]
    [environments.test.config]
    Stage = "t"
    OrderItemsSize = "l"
    """
DATA = """
    Parameters: {Stage: {Type: String}, Size: {Type: String, Default: s}}
    Resources: {Table: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Size}}}
    Outputs: {Name: {Value: !Ref Table}}
    """
ORDERS = """
    Transform: AWS::Serverless-2016-10-31
    Parameters: {Stage: {Type: String}, Size: {Type: String}, Table: {Type: String}}
    Resources:
      Web:
        Type: AWS::Serverless::Function
        Properties:
          Runtime: python3.12
          Handler: app.handler
          CodeUri: src
          Environment: {Variables: {TABLE: !Ref Table, STAGE: !Ref Stage}}
    """


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project of two services."""
    write(tmp_path, "data/template.yaml", DATA)
    write(tmp_path, "orders/template.yaml", ORDERS)
    write(tmp_path, "orders/src/app.py", "def handler(event, context): pass\n")
    return write(tmp_path, "multistack.toml", SERVICES)


def test_several_services_are_one_template(shop: Path) -> None:
    """Outputs are passed on; a parameter that all declare alike is one key, else each has its own."""
    project = load(shop.parent)
    assert (project.template, project.framework) == (shop, "data (CloudFormation), order-items (SAM)")
    reader = reader_of(shop)
    assert list(reader.parameters(shop)) == ["Stage", "DataSize", "OrderItemsSize"]
    service = reader.read(shop, packaging(shop.parent))
    assert [(one.logical_id, one.path) for one in local_code(service.template, service.folder)] == [
        ("OrderItemsWeb", shop.parent / "orders/src")
    ]
    template = point_at_code(service.template, {"OrderItemsWeb": "key"}, bucket="bucket")
    artifact = Artifact(digest="0" * 64, template=template, code=())
    found = expand(artifact, {"Stage": "t", "OrderItemsSize": "l"}, region="eu-west-1", state=shop.parent / "state")
    web = found["Resources"]["OrderItemsWeb"]
    assert web["Properties"]["Environment"]["Variables"] == {"TABLE": {"Ref": "DataTable"}, "STAGE": {"Ref": "Stage"}}
    assert web["DependsOn"] == ["DataTable"]
    assert found["Resources"]["DataTable"]["Properties"] == {"QueueName": {"Ref": "DataSize"}}
    assert found["Outputs"] == {"DataName": {"Value": {"Ref": "DataTable"}}}


class _Complete:
    """A reader that says that a tool has installed what ``orders`` needs."""

    def __init__(self, path: Path) -> None:
        self._real = reader_of(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def read(self, path: Path, given: Packaging) -> Service:
        return replace(self._real.read(path, given), is_complete=path.parent.name == "orders")


def test_code_that_a_tool_completed_stays_complete_among_several_services(shop: Path) -> None:
    """Its requirements are not installed again; those of other services are."""
    data = "Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: src, InlineCode: null}}}\n"
    write(shop.parent, "data/template.yaml", f"{data}Outputs: {{Name: {{Value: a}}}}\n")
    write(shop.parent, "data/src/app.py", "")
    service = Services(_Complete, find_service).read(shop, packaging(shop.parent))
    assert {one.logical_id for one in local_code(service.template, service.folder)} == {"DataF", "OrderItemsWeb"}
    assert service.complete == {shop.parent / "orders/src"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("data.Name", "data.Nope", "asks for data.Nope, and the outputs of data are: Name"),
        ("data.Name", "nope.Name", "nope is no other service"),
        ("data.Name", "order-items.Name", "order-items is no other service"),
        ("{Table", "{Other", r"outputs.Other is no parameter of template.yaml"),
        ('["data"]', '["nope"]', "after: nope is no other service"),
    ],
    ids=["no output", "no service", "itself", "no parameter", "after nobody"],
)
def test_what_services_ask_of_each_other_is_checked(shop: Path, old: str, new: str, said: str) -> None:
    """Before anything is built."""
    shop.write_text(shop.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=f"multistack.toml: service order-items: .*{said}"):
        reader_of(shop).read(shop, packaging(shop.parent))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('template = "data"', 'template = "nowhere"', "service data: .*nowhere has no template"),
        ("outputs", "output", "services, number 2: unknown key output, did you mean outputs"),
        ('service = "shop"', 'service = "shop"\ntemplate = "a.yaml"', "template and services exclude each other"),
        ('"order-items"', '"data"', "services: 2 of them would be called Data"),
    ],
    ids=["no template", "unknown key", "template too", "twice"],
)
def test_a_wrong_list_of_services_is_refused(shop: Path, old: str, new: str, said: str) -> None:
    """When the project is loaded."""
    shop.write_text(shop.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=said):
        load(shop.parent)


def test_a_service_of_several_may_have_stages(tmp_path: Path) -> None:
    """What its framework made for one stage is chosen by the environment's, as in a project of its own."""
    stages = {
        name: {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"q-{name}"}}}}
        for name in ("test", "prod")
    }
    parameters = {STAGE: {"Ref": STAGE}}
    stack = {"Type": STACK, "Properties": {"TemplateURL": merge(stages), "Parameters": parameters}}
    template = {"Parameters": {STAGE: {"Type": "String"}}, "Resources": {"Orders": stack}}
    artifact = Artifact(digest="0" * 64, template=template, code=())
    found = expand(artifact, {STAGE: "prod"}, region="eu-west-1", state=tmp_path)
    assert found["Resources"]["OrdersQ"]["Properties"] == {"QueueName": "q-prod"}
