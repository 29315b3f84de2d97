"""Chalice, with a tool that leaves what the real one leaves; and frameworks that are only explained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from emulator.errors import ArtifactError, ConfigError
from emulator.frameworks.registry import find_service, framework_of, project_folder, reader_of
from emulator.frameworks.stages import STAGE, of_stage
from emulator.init import write_project_file
from tests.frameworks.faked import packaged
from tests.frameworks.features import shows

# What `chalice package` leaves.
_CHALICE = f"""#!{sys.executable}
import json, os, sys, zipfile
stage, out = sys.argv[3:5]
os.makedirs(out)
with zipfile.ZipFile(out + "/deployment.zip", "w") as archive:
    archive.writestr("app.py", "app = None")
variables = {{"REGION": os.environ["AWS_DEFAULT_REGION"], "STAGE": stage}}
properties = {{"CodeUri": "./deployment.zip", "Handler": "app.app", "Runtime": "python3.12"}}
properties["Environment"] = {{"Variables": variables}}
resources = {{"APIHandler": {{"Type": "AWS::Serverless::Function", "Properties": properties}}}}
with open(out + "/sam.json", "w") as file:
    json.dump({{"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}}, file)
"""


@pytest.fixture
def chalice(tmp_path: Path) -> Path:
    """The file of an app whose virtual environment has Chalice."""
    program = tmp_path / ".venv/bin/chalice"
    program.parent.mkdir(parents=True)
    program.write_text(_CHALICE)
    program.chmod(0o755)
    path = tmp_path / ".chalice/config.json"
    path.parent.mkdir()
    path.write_text('{"version": "2.0", "app_name": "notes", "stages": {"test": {}, "prod": {}}}')
    return path


@shows("Chalice", "stages are environments")
def test_each_stage_of_chalice_has_what_the_tool_made_for_it(chalice: Path, tmp_path: Path) -> None:
    """The app's own virtual environment has the tool: it need not be activated."""
    assert (find_service(tmp_path), framework_of(chalice)) == (chalice, "Chalice")
    assert reader_of(chalice).stages(chalice) == ["test", "prod"]
    made, _ = packaged(chalice, tmp_path / "work")
    properties = of_stage(made.template, {STAGE: "prod"})["Resources"]["APIHandler"]["Properties"]
    assert properties["Environment"]["Variables"] == {"REGION": "us-east-1", "STAGE": "prod"}
    assert Path(properties["CodeUri"]).is_file()


@shows("Chalice", "without the tool", "one line: `pip install chalice`")
def test_missing_chalice_is_one_line(chalice: Path, tmp_path: Path) -> None:
    """What to install is said."""
    (tmp_path / ".venv/bin/chalice").unlink()
    with pytest.raises(ArtifactError, match=r"\.chalice/config\.json needs chalice"):
        packaged(chalice, tmp_path / "work", environ={"PATH": str(tmp_path)})


@pytest.mark.parametrize("text", ["{", "[]"], ids=["no JSON", "a list"])
def test_a_broken_configuration_of_chalice_is_refused(chalice: Path, tmp_path: Path, text: str) -> None:
    """It names the file."""
    chalice.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json"):
        packaged(chalice, tmp_path / "work")


def test_the_project_is_the_folder_that_a_framework_is_looked_for_in(chalice: Path, tmp_path: Path) -> None:
    """A project file goes beside .chalice, not into it."""
    assert project_folder(chalice) == tmp_path
    assert project_folder(tmp_path / "infra/template.yaml") == tmp_path / "infra"


@shows("Zappa", "`zappa_settings.json`", "explained: `zappa package` and a template of ten lines")
@shows("Terraform", "`main.tf`", "explained: `multistack exec ENVIRONMENT -- terraform apply`, which was not tried")
@shows("Pulumi", "`Pulumi.yaml`", "explained: `multistack exec ENVIRONMENT -- pulumi up`, which was not tried")
@pytest.mark.parametrize(
    ("name", "says", "hint"),
    [
        pytest.param("zappa_settings.json", "Zappa calls AWS itself", "zappa package", id="zappa"),
        pytest.param(
            "main.tf", "Terraform calls AWS itself", "multistack exec ENVIRONMENT -- terraform", id="terraform"
        ),
        pytest.param("Pulumi.yaml", "Pulumi calls AWS itself", "multistack exec ENVIRONMENT -- pulumi", id="pulumi"),
    ],
)
def test_what_makes_no_template_is_explained_by_init(tmp_path: Path, name: str, says: str, hint: str) -> None:
    """One line says what it is, and one what works instead."""
    (tmp_path / name).write_text("{}")
    with pytest.raises(ConfigError, match=says) as refused:
        write_project_file(tmp_path, service=None, template=None)
    assert hint in str(refused.value.hint)
    assert not (tmp_path / "multistack.toml").exists()


def test_a_template_beside_settings_of_zappa_is_the_service(tmp_path: Path) -> None:
    """That is what is advised, so it works."""
    (tmp_path / "zappa_settings.json").write_text("{}")
    (tmp_path / "template.yaml").write_text("Resources: {Jobs: {Type: AWS::SQS::Queue}}")
    assert find_service(tmp_path) == tmp_path / "template.yaml"
