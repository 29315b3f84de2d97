"""CDK apps: what they make, as one template for each stage."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import ArtifactError, ConfigError
from emulator.frameworks.cdk_assembly import AppStack, read_assembly
from emulator.frameworks.cdk_stacks import stacks_of, together
from emulator.frameworks.registry import find_service, framework_of
from emulator.frameworks.stages import STAGE, of_stage
from tests.conftest import REPOSITORY
from tests.frameworks.faked import packaged
from tests.frameworks.features import shows

FRAMEWORK = "CDK"
APP = REPOSITORY / "tests/frameworks/cdk_app"
_STACK = "aws:cloudformation:stack"
_QUEUE = {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The cdk.json of the recorded app, which runs without CDK."""
    folder = shutil.copytree(APP, tmp_path / "app")
    path = Path(folder) / "cdk.json"
    path.write_text(json.dumps({"app": f"{sys.executable} synth.py"}))
    return path


def _assembly(folder: Path, artifacts: Mapping[str, Any], *, version: str = "55.0.0", **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"version": version, "artifacts": artifacts, **more}))
    return manifest


def _stack(name: str, *needs: str) -> AppStack:
    return AppStack(id=name, name=name, template=dict(_QUEUE), needs=needs)


def test_it_is_found_by_its_file_or_by_what_it_made(app: Path) -> None:
    """An app is preferred to an assembly, which may be old."""
    assert (find_service(app.parent), framework_of(app)) == (app, FRAMEWORK)
    shutil.copytree(app.parent / "recorded", app.parent / "cdk.out")
    app.unlink()
    assert find_service(app.parent) == app.parent / "cdk.out/manifest.json"


@shows(FRAMEWORK, "the app is run for each stage, with context `stage`, `environment` and `env`")
def test_the_app_is_run_for_each_stage(app: Path, tmp_path: Path) -> None:
    """What an app makes of its stage is what that environment is deployed with."""
    made, events = packaged(app, tmp_path / "work")
    for stage in ("test", "prod"):
        handler = of_stage(made.template, {STAGE: stage})["Resources"]["ApiHandler886CB40B"]
        assert handler["Properties"]["Environment"]["Variables"]["STAGE"] == stage
    assert "prod: Data, Api" in [event.detail for event in events]


@shows(FRAMEWORK, "several stacks, with references between them: one stack per environment")
def test_stacks_that_need_each_other_become_one(app: Path, tmp_path: Path) -> None:
    """What one stack exports and another imports is a plain reference."""
    made, _ = packaged(app.parent / "recorded/manifest.json", tmp_path / "work", stages=["test"])
    resources = made.template["Resources"]
    (table,) = (name for name, one in resources.items() if one["Type"] == "AWS::DynamoDB::Table")
    variables = resources["ApiHandler886CB40B"]["Properties"]["Environment"]["Variables"]
    assert variables["TABLE"] == {"Ref": table}
    assert "Fn::ImportValue" not in json.dumps(made.template)


@shows(FRAMEWORK, "nested stacks")
def test_nested_stacks_are_part_of_it(app: Path, tmp_path: Path) -> None:
    """Their templates are assets like code."""
    made, _ = packaged(app.parent / "recorded/manifest.json", tmp_path / "work", stages=["test"])
    functions = {one["Properties"]["Handler"]: one["Properties"]["Code"]
                 for one in made.template["Resources"].values() if one["Type"] == "AWS::Lambda::Function"}  # fmt: skip
    assert Path(functions["notes.tidy"]) == Path(functions["notes.handler"])
    assert (Path(functions["notes.tidy"]) / "notes.py").is_file()


@shows(FRAMEWORK, "no bootstrap: its parameter, rule and metadata are left out")
def test_what_a_bootstrapped_account_is_asked_for_is_left_out(app: Path, tmp_path: Path) -> None:
    """No emulated account has a CDKToolkit stack, and none is needed."""
    made, _ = packaged(app.parent / "recorded/manifest.json", tmp_path / "work", stages=["test"])
    assert not {"/cdk-bootstrap/", "BootstrapVersion"} & set(re.findall(r"[\w/-]+", json.dumps(made.template)))
    assert "AWS::CDK::Metadata" not in json.dumps(made.template)


def test_context_that_is_no_text_stays_as_it_is(app: Path, tmp_path: Path) -> None:
    """Some apps keep an object under `env`; that of cdk.json is theirs."""
    context = {"env": {"account": "111111111111"}, "stage": "dev", "own": 1}
    keep = "import json, os, pathlib; pathlib.Path('asked.json').write_text(os.environ['CDK_CONTEXT_JSON'])"
    (app.parent / "first.py").write_text(keep)
    app.write_text(
        json.dumps({"app": f"{sys.executable} synth.py", "build": f"{sys.executable} first.py", "context": context})
    )
    packaged(app, tmp_path / "work", stages=["prod"])
    asked = json.loads((app.parent / "asked.json").read_text())
    assert (asked["env"], asked["stage"], asked["environment"], asked["own"]) == (context["env"], "prod", "prod", 1)


@shows(FRAMEWORK, "stacks named after stages: each environment has its own")
@pytest.mark.parametrize(
    ("stage", "chosen"),
    [
        pytest.param("test", ["Shared", "NotesTest"], id="in the name, with what it needs"),
        pytest.param("prod", ["Prod/Api"], id="a stage of the app"),
        pytest.param("staging", ["Shared", "Other"], id="those that name no stage"),
    ],
)
def test_an_environment_has_the_stacks_of_its_stage(stage: str, chosen: list[str]) -> None:
    """Apps often hold the stacks of all stages at once."""
    stacks = [_stack("Shared"), _stack("NotesTest", "Shared"), _stack("Prod/Api"), _stack("Other")]
    assert [one.name for one in stacks_of(stacks, stage, ["test", "staging", "prod"])] == chosen


def test_an_app_without_stacks_for_a_stage_is_refused() -> None:
    """Nobody gets the stacks of another environment."""
    with pytest.raises(ConfigError, match="the app has no stack for stage staging: NotesTest, NotesProd"):
        stacks_of([_stack("NotesTest"), _stack("NotesProd")], "staging", ["test", "staging", "prod"])


def test_a_single_stack_keeps_its_names() -> None:
    """Logical ids are the app's own as long as none can be there twice."""
    assert together([_stack("Notes")]) == _QUEUE
    assert list(together([_stack("A"), _stack("B")])["Resources"]) == ["AJobs", "BJobs"]


@shows(FRAMEWORK, "a `cdk.out` of a newer schema", "read, and said; one line if it is not as expected")
def test_a_newer_schema_is_said(tmp_path: Path) -> None:
    """Versions rise with everything that is added; most of that nothing here reads."""
    (tmp_path / "cdk.out").mkdir()
    (tmp_path / "cdk.out/Notes.json").write_text(json.dumps(_QUEUE))
    artifacts = {"Notes": {"type": _STACK, "properties": {"templateFile": "Notes.json"}}}
    manifest = _assembly(tmp_path / "cdk.out", artifacts, version="99.0.0")
    _, events = packaged(manifest, tmp_path / "work", stages=["test"])
    assert events[0].detail == "test: Notes; schema 99.0.0 is newer than 55, the last one tried"


def test_a_newer_schema_that_has_things_elsewhere_is_one_line(tmp_path: Path) -> None:
    """No traceback, and nothing is guessed."""
    manifest = _assembly(tmp_path / "cdk.out", {"Notes": {"type": _STACK, "template": "Notes.json"}}, version="99.0.0")
    with pytest.raises(ConfigError, match=r"of schema 99\.0\.0, which is newer than the 55 that multistack knows"):
        read_assembly(manifest.parent)


@shows(FRAMEWORK, "look-ups in an account (`fromLookup`)", "one line, unless `cdk.context.json` has the answers")
def test_what_an_app_looks_up_in_an_account_is_said(tmp_path: Path) -> None:
    """CDK's own command would ask AWS; here nobody does."""
    missing = [{"key": "vpc", "provider": "vpc-provider", "props": {}}]
    manifest = _assembly(tmp_path / "cdk.out", {}, missing=missing)
    with pytest.raises(ConfigError, match="looks things up in an account: vpc-provider"):
        packaged(manifest, tmp_path / "work", stages=["test"])


@shows(FRAMEWORK, "files of `BucketDeployment` and other assets that are no code", "a warning: no bucket has them")
def test_assets_that_no_bucket_has_are_said(tmp_path: Path) -> None:
    """Only code and templates are taken out of an assembly."""
    site = {"Type": "Custom::CDKBucketDeployment", "Properties": {"SourceObjectKeys": ["abc.zip"]}}
    assets = {"files": {"abc": {"source": {"path": "asset.abc"}, "destinations": {"here": {"objectKey": "abc.zip"}}}}}
    artifacts = {
        "Site.assets": {"type": "cdk:asset-manifest", "properties": {"file": "Site.assets.json"}},
        "Site": {"type": _STACK, "properties": {"templateFile": "Site.json"}},
    }
    manifest = _assembly(tmp_path / "cdk.out", artifacts)
    (manifest.parent / "Site.json").write_text(json.dumps({"Resources": {"Site": site}}))
    (manifest.parent / "Site.assets.json").write_text(json.dumps(assets))
    _, events = packaged(manifest, tmp_path / "work", stages=["test"])
    assert events[-1].detail == "test: no bucket has these assets of the app: asset.abc"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param("raise SystemExit('no')", "first.py ended with 1", id="fails"),
        pytest.param("", "left no cloud assembly", id="makes nothing"),
    ],
)
def test_an_app_that_makes_nothing_is_one_line(tmp_path: Path, script: str, message: str) -> None:
    """The app's own words are below it."""
    (tmp_path / "first.py").write_text(script)
    path = tmp_path / "cdk.json"
    path.write_text(json.dumps({"app": f"{sys.executable} first.py"}))
    with pytest.raises(ArtifactError, match=message):
        packaged(path, tmp_path / "work", stages=["test"])


@pytest.mark.parametrize("text", ["{", "{}", '{"app": ["x"]}'], ids=["no JSON", "no app", "a list"])
def test_a_broken_cdk_json_is_refused(tmp_path: Path, text: str) -> None:
    """It names the file."""
    path = tmp_path / "cdk.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"cdk\.json"):
        packaged(path, tmp_path / "work")
