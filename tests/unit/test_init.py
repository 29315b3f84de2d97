"""The first project file is written, and always loads."""

from __future__ import annotations

import json
import string
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.config import load_project
from emulator.errors import ConfigError
from emulator.init import write_project_file
from emulator.model import Project

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Discount:
    Type: Number
    Default: 0
  ApiToken:
    Type: String
    NoEcho: true
  Zones: {Type: CommaDelimitedList}
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {TableName: !Sub "${AWS::StackName}-x", Other: !GetAtt A.B, List: !If [A, !Ref B, c]}
"""

QUEUE = {"Q": {"Type": "AWS::SQS::Queue"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a template and no project file."""
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "template.yaml").write_text(TEMPLATE)
    return folder


def load(file: Path) -> Project:
    """Load what was written, without any variable."""
    return load_project(file=file, environ={}, cwd=file.parent)


def test_written_file_loads_with_three_environments(folder: Path) -> None:
    """The next command after init works without an editor."""
    project = load(write_project_file(folder, service=None, template=None))
    assert project.file == folder / "multistack.toml"
    assert (project.service, project.template) == ("orders", folder / "template.yaml")
    assert [environment.name for environment in project.environments] == ["test", "staging", "prod"]
    assert [environment.protected for environment in project.environments] == [False, False, True]


def test_parameters_without_default_become_config_to_fill_in(folder: Path) -> None:
    """What CloudFormation would ask for is in the file, and only that."""
    file = write_project_file(folder, service=None, template=None)
    assert [each.config for each in load(file).environments] == [{}] * 3
    text = file.read_text()
    assert '# ApiToken = ""  # fill in: the template has no default (String)' in text
    assert '# Discount = "0"' in text


def test_template_without_parameters_has_no_config(folder: Path) -> None:
    """No empty tables are written."""
    (folder / "template.yaml").write_text("Resources: {Q: {Type: AWS::SQS::Queue}}\n")
    assert "config]" not in write_project_file(folder, service=None, template=None).read_text()


def test_every_commented_example_is_valid(folder: Path) -> None:
    """Removing a # from an example never breaks the file."""
    file = write_project_file(folder, service=None, template=None)
    text = file.read_text()
    for example in ("api", "region", "account_id", "port", "Discount"):
        assert f"# {example} = " in text
        text = text.replace(f"# {example} = ", f"{example} = ")
    file.write_text(text)
    assert [environment.port for environment in load(file).environments] == [4601, 4602, 4603]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders", "orders"),
        ("My Orders_v2", "my-orders-v2"),
        ("Größe & Co", "grosse-co"),
        ("2024-orders", "orders"),
        ("123", "service"),
        ("注文", "service"),
        ("a" * 60, "a" * 40),
        ("--x--", "x"),
    ],
    ids=["as it is", "spaces", "umlauts", "digits first", "only digits", "no letters left", "too long", "dashes"],
)
def test_folder_name_becomes_a_valid_service_name(tmp_path: Path, name: str, expected: str) -> None:
    """Any folder can become a project."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "template.json").write_text(json.dumps({"Resources": QUEUE}))
    assert load(write_project_file(folder, service=None, template=None)).service == expected


def test_service_and_template_can_be_named(folder: Path, tmp_path: Path) -> None:
    """A template elsewhere is written as a path relative to the project file."""
    other = tmp_path / "infra" / "app.yml"
    other.parent.mkdir()
    other.write_text(json.dumps({"Resources": QUEUE}))
    file = write_project_file(folder, service="billing", template=other)
    assert tomllib.loads(file.read_text())["template"] == "../infra/app.yml"
    assert load(file).service == "billing"
    assert load(file).template.resolve() == other


@pytest.mark.parametrize("name", ["template.yml", "template.json"])
def test_every_template_name_is_found(tmp_path: Path, name: str) -> None:
    """SAM's other spellings are found too."""
    (tmp_path / name).write_text(json.dumps({"Parameters": {"A": {"Type": "String"}}, "Resources": QUEUE}))
    project = load(write_project_file(tmp_path, service="s", template=None))
    assert project.template == tmp_path / name
    assert project.environments[0].config == {}


def test_existing_file_is_never_overwritten(folder: Path) -> None:
    """Nobody's work is lost to a second init."""
    (folder / "multistack.toml").write_text("mine")
    with pytest.raises(ConfigError, match="already exists"):
        write_project_file(folder, service=None, template=None)
    assert (folder / "multistack.toml").read_text() == "mine"


def test_missing_template_names_what_was_looked_for(tmp_path: Path) -> None:
    """The user learns which names count, and nothing is written."""
    with pytest.raises(ConfigError, match=r"looked for template\.yaml, template\.yml, template\.json"):
        write_project_file(tmp_path, service="s", template=None)
    with pytest.raises(ConfigError, match=r"looked for .*gone\.yaml"):
        write_project_file(tmp_path, service="s", template=Path("gone.yaml"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("service", ["", "Orders", "a_b", "a" * 41, "1a", "a\n"])
def test_invalid_service_is_refused(folder: Path, service: str) -> None:
    """A file that could not load is never written."""
    with pytest.raises(ConfigError, match="service must be"):
        write_project_file(folder, service=service, template=None)
    assert not (folder / "multistack.toml").exists()


BROKEN_TEMPLATES = {
    "not yaml": b"a: [",
    "binary": b"\xff\xfe",
    "list": b"- 1",
    "text": b"text",
    "empty": b"",
    "parameters are a number": b"Parameters: 3",
    "parameter name with a dash": b"Parameters: {a-b: {}}",
    "parameter is a number": b"Parameters: {A: 3}",
    "impossible date": b"a: 2020-99-99",
    "deeply nested": b"[" * 9000,
}


@pytest.mark.parametrize("content", BROKEN_TEMPLATES.values(), ids=BROKEN_TEMPLATES.keys())
def test_broken_template_is_refused_in_one_line(folder: Path, content: bytes) -> None:
    """A template that cannot be read is named, with the reason."""
    (folder / "template.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"template\.yaml") as caught:
        write_project_file(folder, service=None, template=None)
    assert "\n" not in caught.value.message
    assert not (folder / "multistack.toml").exists()


def test_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    """No folder is made by the way."""
    with pytest.raises(ConfigError, match="no template in"):
        write_project_file(tmp_path / "gone", service="s", template=None)


NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
PARAMETERS = st.fixed_dictionaries({"Type": st.text()}, optional={"Default": st.one_of(st.text(), st.integers())})


@given(st.dictionaries(NAMES, PARAMETERS, max_size=4))
def test_any_parameters_give_a_file_that_loads(parameters: dict[str, dict[str, object]]) -> None:
    """No name, type or default of a parameter can break the file."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "template.json").write_text(json.dumps({"Parameters": parameters, "Resources": QUEUE}))
        file = write_project_file(Path(name), service="s", template=None)
        assert load(file).environments[0].config == {}
        assert all(f"\n# {key} = " in file.read_text() for key in parameters)


@given(st.binary(max_size=200))
def test_any_template_is_read_or_refused(content: bytes) -> None:
    """No template can end in a traceback."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "template.yaml").write_bytes(content)
        try:
            file = write_project_file(Path(name), service="s", template=None)
        except ConfigError:
            return
        assert load(file).service == "s"
