"""Services of the Serverless Framework, with a tool that leaves what the real one leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from emulator.errors import ArtifactError, ConfigError
from emulator.frameworks.empty_account import empty_account
from emulator.frameworks.registry import find_service, framework_of, reader_of
from emulator.frameworks.stages import STAGE, of_stage
from tests.frameworks.faked import OSLS, packaged, write_tool
from tests.frameworks.features import shows

FRAMEWORK = "Serverless Framework"
_PACKAGE = {"name": "osls", "version": "4.3.1"}

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node, which these tools run on")


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """The file of a service that has its tool in node_modules."""
    write_tool(tmp_path, "osls", OSLS, package=_PACKAGE)
    path = tmp_path / "serverless.yml"
    path.write_text("service: notes\nparams: {default: {}, test: {}, prod: {}}\n")
    return path


def _environ(**more: str) -> dict[str, str]:
    folder = str(Path(shutil.which("node") or "").parent)
    return {"PATH": f"{folder}:/usr/bin:/bin", **more}


def _failing(folder: Path, said: str) -> Path:
    write_tool(folder, "osls", f"import sys\nprint({said!r})\nsys.exit(1)\n", package=_PACKAGE)
    path = folder / "serverless.yml"
    path.write_text("service: notes\n")
    return path


def test_it_is_found_by_its_file(service: Path) -> None:
    """A folder with a serverless.yml is a service, and status can say of what."""
    assert find_service(service.parent) == service
    assert framework_of(service) == FRAMEWORK
    assert reader_of(service).stages(service) == ["test", "prod"]


@shows(FRAMEWORK, "stages are environments: one artifact, what differs follows the stage")
def test_each_stage_has_what_the_tool_made_for_it(service: Path, tmp_path: Path) -> None:
    """Stages are environments: one template holds what all of them are."""
    made, events = packaged(service, tmp_path / "work", environ=_environ())
    for stage in ("test", "prod"):
        function = of_stage(made.template, {STAGE: stage})["Resources"]["GetLambdaFunction"]
        assert function["Properties"]["Environment"] == {"Variables": {"STAGE": stage}}
    assert [event.detail for event in events] == ["serverless.yml with osls 4.3.1"]


def test_code_of_the_deployment_bucket_is_the_zip_that_would_be_put_there(service: Path, tmp_path: Path) -> None:
    """The emulated account gets multistack's artifact; the service's own bucket stays, and stays empty."""
    made, _ = packaged(service, tmp_path / "work", environ=_environ())
    resources = made.template["Resources"]
    assert Path(resources["GetLambdaFunction"]["Properties"]["Code"]).name == "notes.zip"
    assert resources["ServerlessDeploymentBucket"]["Type"] == "AWS::S3::Bucket"


def test_the_same_source_packaged_again_is_the_same(service: Path, tmp_path: Path) -> None:
    """The tool puts the time into names; an artifact's digest must not change with it."""

    def again(name: str) -> Any:
        template = packaged(service, tmp_path / name, environ=_environ())[0].template
        return json.loads(json.dumps(template).replace(str(tmp_path / name), ""))

    assert again("first") == again("second")


@shows(FRAMEWORK, "packaging gets no credentials of AWS: look-ups are answered by an empty account of this machine")
def test_the_tool_gets_no_credentials(service: Path, tmp_path: Path) -> None:
    """Whatever a plugin tries, it finds no profile and no role, and the key is that of an account that is not there."""
    packaged(service, tmp_path / "work", environ=_environ(SOME="thing"))
    environ = json.loads((service.parent / "environ.json").read_text())
    assert environ["SOME"] == "thing"
    assert not {name for name in environ if environ[name] and ("PROFILE" in name or "TOKEN" in name)}
    assert (environ["AWS_SHARED_CREDENTIALS_FILE"], environ["AWS_EC2_METADATA_DISABLED"]) == ("/dev/null", "true")
    assert environ["AWS_ACCESS_KEY_ID"] == "000000000002"
    assert environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")


def test_the_tool_gets_no_key_of_its_maker(service: Path, tmp_path: Path) -> None:
    """It needs none to package; settings stay, and what else a serverless.yml may read; nothing is reported to it."""
    kept = {"SLS_LOG_LEVEL": "info", "SLS_TABLE": "notes", "SERVERLESS_PLATFORM_STAGE": "prod"}
    keys = {"SERVERLESS_LICENSE_KEY": "key", "SLS_ORG_TOKEN": "key"}
    packaged(service, tmp_path / "work", environ=_environ(**kept, **keys, SLS_TELEMETRY_DISABLED=""))
    environ = json.loads((service.parent / "environ.json").read_text())
    assert kept.items() <= environ.items()
    assert not keys.keys() & environ.keys()
    assert environ["SLS_TELEMETRY_DISABLED"] == "1"


def test_a_tool_that_knows_no_endpoints_gets_no_key_at_all(tmp_path: Path) -> None:
    """Version 3 would take the key to AWS. An empty one stays: a key in the service's own .env takes no place of it."""
    write_tool(tmp_path, "serverless", OSLS, package={"name": "serverless", "version": "3.40.0"})
    path = tmp_path / "serverless.yml"
    path.write_text("service: notes\n")
    packaged(path, tmp_path / "work", environ=_environ())
    environ = json.loads((tmp_path / "environ.json").read_text())
    assert {environ[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")} == {""}


@pytest.mark.parametrize(("name", "version", "asked"), [("serverless", "3.40.0", True), ("osls", "4.3.1", False)])
def test_version_3_does_not_ask_its_makers_dashboard(tmp_path: Path, name: str, version: str, asked: bool) -> None:
    """It would give whoever logged in there keys of AWS, whatever the variables say; osls knows neither."""
    script = f"{OSLS}\nwith open('arguments', 'w') as file:\n    file.write(' '.join(sys.argv))\n"
    write_tool(tmp_path, name, script, package={"name": name, "version": version})
    (tmp_path / "serverless.yml").write_text("service: notes\n")
    packaged(tmp_path / "serverless.yml", tmp_path / "work", environ=_environ())
    assert ("--use-local-credentials" in (tmp_path / "arguments").read_text()) is asked


def test_an_empty_account_knows_itself_and_nothing_else() -> None:
    """As a new account of AWS answers: a parameter, a stack and an object that are not there."""
    with empty_account("111111111111") as variables:

        def client(service: str) -> Any:
            return boto3.client(
                service,
                region_name="us-east-1",
                endpoint_url=variables["AWS_ENDPOINT_URL"],
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            )

        assert client("sts").get_caller_identity()["Account"] == "111111111111"
        with pytest.raises(ClientError, match="ParameterNotFound"):
            client("ssm").get_parameter(Name="/notes/key")
        with pytest.raises(ClientError, match="Stack with id other does not exist"):
            client("cloudformation").describe_stacks(StackName="other")
        with pytest.raises(ClientError, match="NoSuchKey"):
            client("s3").get_object(Bucket="notes", Key="key")


@shows(FRAMEWORK, "without the tool", "one line: `npm install --save-dev osls`")
def test_a_missing_tool_is_one_line(tmp_path: Path) -> None:
    """What to install is said, and nothing is installed for anybody."""
    path = tmp_path / "serverless.yml"
    path.write_text("service: notes\n")
    with pytest.raises(ArtifactError, match="neither in node_modules nor in PATH") as refused:
        packaged(path, tmp_path / "work", environ={"PATH": str(tmp_path)})
    assert refused.value.hint == "npm install --save-dev osls"


@shows(FRAMEWORK, "version 4 of `serverless`, which asks for an account", "one line: use `osls` or `serverless@3`")
def test_a_tool_that_needs_an_account_is_refused(tmp_path: Path) -> None:
    """Version 4 of serverless packages nothing without a key of its maker's."""
    write_tool(tmp_path, "serverless", OSLS, package={"name": "serverless", "version": "4.2.0"})
    path = tmp_path / "serverless.yml"
    path.write_text("service: notes\n")
    with pytest.raises(ArtifactError, match=r"serverless 4\.2\.0 packages nothing without an account"):
        packaged(path, tmp_path / "work", environ=_environ())


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        pytest.param(
            'Cannot resolve variable at "provider.environment.X": AWS credentials missing', "a real account", id="aws"
        ),
        pytest.param('Cannot resolve variable at "custom.x": Value not found at "env"', "a default", id="variable"),
        pytest.param('Serverless plugin "serverless-x" not found.', "npm install", id="plugin"),
        pytest.param("Configuration error at root: unrecognized property 'stages'", "`params`", id="of version 4"),
        pytest.param("Configuration error: at root: unrecognized property 'org'", "dashboard", id="dashboard"),
        pytest.param("python3.12 not found! Install it.", "pythonBin", id="no such Python"),
    ],
)
def test_what_the_tool_says_is_shown_with_what_to_do(tmp_path: Path, said: str, hint: str) -> None:
    """Unresolved variables and missing plugins end the build with the tool's own words."""
    path = _failing(tmp_path, said)
    with pytest.raises(ArtifactError) as refused:
        packaged(path, tmp_path / "work", environ=_environ())
    assert refused.value.message == f"osls package ended with 1: {said}"
    assert hint in str(refused.value.hint)


def test_of_all_that_the_tool_says_its_reason_is_shown(tmp_path: Path) -> None:
    """Several unresolved variables are one line; spinners, the machine and links to documents are none."""
    said = (
        "⠋ Packaging (0s)\nEnvironment: linux, node 20\nDocs: github.com\nError:\nCannot resolve serverless.yml:\n"
        '  - Cannot resolve variable at "custom.x": Value not found at "env" source,\n'
        '  - Cannot resolve variable at "custom.y": Value not found at "ssm" source\n'
        "    at resolve (/tool/index.js:12:3)\n\nLearn more: https://example.com\n"
    )
    with pytest.raises(ArtifactError) as refused:
        packaged(_failing(tmp_path, said), tmp_path / "work", environ=_environ())
    assert refused.value.message == (
        'osls package ended with 1: Cannot resolve serverless.yml: - Cannot resolve variable at "custom.x": Value not'
        ' found at "env" source, - Cannot resolve variable at "custom.y": Value not found at "ssm" source'
    )
    assert not refused.value.details


def test_a_service_for_another_cloud_is_refused_before_any_tool_runs(tmp_path: Path) -> None:
    """Its tool would leave no template, and say nothing."""
    path = tmp_path / "serverless.yml"
    path.write_text("service: notes\nprovider: {name: google}\n")
    with pytest.raises(ConfigError, match=r"serverless\.yml is for google, and environments are accounts of AWS"):
        packaged(path, tmp_path / "work", environ={})


def test_a_stage_that_is_no_name_is_refused(service: Path, tmp_path: Path) -> None:
    """It goes onto a command line, and into names of resources."""
    with pytest.raises(ConfigError, match=r"'--help' can't be a stage of serverless\.yml"):
        packaged(service, tmp_path / "work", stages=["--help"], environ=_environ())


@shows(FRAMEWORK, "code that differs between stages", "one line: an artifact has one code")
def test_code_that_differs_between_stages_is_refused(tmp_path: Path) -> None:
    """What prod runs is what test ran: that is what an artifact is for."""
    write_tool(tmp_path, "osls", OSLS.replace("context): pass", "context): '{stage}'").replace('"def', 'f"def'))
    path = tmp_path / "serverless.yml"
    path.write_text("service: notes\n")
    with pytest.raises(ConfigError, match="the code of GetLambdaFunction is not the same in stages test and prod"):
        packaged(path, tmp_path / "work", environ=_environ())


def test_a_broken_file_is_said_before_any_tool_runs(tmp_path: Path) -> None:
    """YAML that is none is the project's fault, and needs no tool to be found."""
    path = tmp_path / "serverless.yml"
    path.write_text("service: [notes\n")
    with pytest.raises(ConfigError, match="is not YAML"):
        packaged(path, tmp_path / "work")
