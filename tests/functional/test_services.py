"""The shapes of service that work: one or several APIs or none, SAM or plain CloudFormation, layers, dependencies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ProjectFolder
from tests.functional.tiny import PROJECT, SAM, TEMPLATE, get, refused, source, tiny_project, write, write_service

_PYTHON = "Runtime: python3.12, Handler: app.handler, CodeUri: src/"
_CALLED = source("event.get('httpMethod') or event['requestContext']['http']['method']")


@pytest.fixture(scope="module")
def _up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    with tiny_project(tmp_path_factory.mktemp("services")) as project:
        project.run("up", "test")
        yield project


@pytest.fixture
def project(_up: ProjectFolder) -> ProjectFolder:
    """One running environment, into which each test deploys a service of its own."""
    shutil.rmtree(_up.folder / "src")
    write_service(_up)
    return _up


def deploy(project: ProjectFolder, template: str, **sources: str) -> None:
    """Deploy *template* with those modules in ``src``."""
    write(project, "template.yaml", template)
    for name, content in sources.items():
        write(project, f"src/{name}.py", content)
    project.run("deploy")


@pytest.mark.embedded("no HTTP APIs in LocalStack's open source")
def test_several_apis_are_reached_by_name(project: ProjectFolder) -> None:
    """A REST and an HTTP API, any method; without a choice the bare path says how to ask, with ``api`` it is served."""
    template = f"""{SAM}
Resources:
  Rest: {{Type: AWS::Serverless::Api, Properties: {{StageName: live}}}}
  Http: {{Type: AWS::Serverless::HttpApi}}
  Web:
    Type: AWS::Serverless::Function
    Properties:
      {_PYTHON.replace(", ", chr(10) + "      ")}
      Events:
        Any: {{Type: Api, Properties: {{RestApiId: !Ref Rest, Path: "/{{proxy+}}", Method: ANY}}}}
        One: {{Type: HttpApi, Properties: {{ApiId: !Ref Http, Path: /one, Method: GET}}}}
        Rest: {{Type: HttpApi, Properties: {{ApiId: !Ref Http}}}}
"""
    deploy(project, template, app=_CALLED)
    for method in ("GET", "PUT", "DELETE"):
        assert get(project, "_api/Rest/a/b", method).body == method.encode()
        assert get(project, "_api/Http/x", method).body == method.encode()
    assert get(project, "_api/Http/one").body == b"GET"
    undecided = get(project, "one")
    assert undecided.status == 404
    assert undecided.json()["apis"] == ["Http", "Rest"]
    write(project, "multistack.toml", f'api = "Http"\n{PROJECT}')
    project.run("deploy")
    assert get(project, "one").body == b"GET"


@pytest.mark.embedded("no HTTP APIs in LocalStack's open source")
def test_an_http_api_alone_is_served(project: ProjectFolder) -> None:
    """Its routes change with the template."""
    template = TEMPLATE.replace("Type: Api", "Type: HttpApi")
    deploy(project, template)
    assert get(project).body == b"one"
    deploy(project, template.replace("Path: /", "Path: /new"))
    assert get(project, "new").body == b"one"
    assert get(project).status == 404


def test_a_service_without_an_api_is_deployed(project: ProjectFolder) -> None:
    """Its functions can be invoked, which is what `up` proposes; no URL is shown, and the proxy says why."""
    deploy(project, f"{SAM}Resources:\n  Web: {{Type: AWS::Serverless::Function, Properties: {{{_PYTHON}}}}}\n")
    refused = get(project)
    assert (refused.status, refused.json()["next"]) == (404, "multistack invoke test")
    shown = project.run("up", "test").stdout
    assert "Try: multistack invoke test" in shown
    assert "no API" in shown
    assert "/test/" not in shown
    assert project.status()["test"]["url"] is None
    assert json.loads(project.run("invoke", "test", "Web", "-d", '{"httpMethod": "GET"}').stdout)["body"] == "one"


def test_plain_cloudformation_is_deployed(project: ProjectFolder) -> None:
    """A local ``Code`` folder, a layer's ``Content`` and inline code, without the SAM transform."""
    uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${%s.Arn}/invocations"
    integration = "{Type: AWS_PROXY, IntegrationHttpMethod: POST, Uri: !Sub '" + uri + "'}"
    method = "AuthorizationType: NONE, RestApiId: !Ref Api"
    allowed = "Action: lambda:InvokeFunction, Principal: apigateway.amazonaws.com"
    template = f"""
Resources:
  Role: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {{Version: "2012-10-17", Statement: []}}}}}}
  Shared: {{Type: AWS::Lambda::LayerVersion, Properties: {{Content: layer/}}}}
  Web:
    Type: AWS::Lambda::Function
    Properties:
      {{Runtime: python3.12, Handler: app.handler, Code: ./src, Role: !GetAtt Role.Arn, Layers: [!Ref Shared]}}
  Inline:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {{ZipFile: "def handler(event, context):\\n  return {{'statusCode': 200, 'body': 'inline'}}\\n"}}
  Api: {{Type: AWS::ApiGateway::RestApi, Properties: {{Name: api}}}}
  Path:
    Type: AWS::ApiGateway::Resource
    Properties: {{RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: layer}}
  Get:
    Type: AWS::ApiGateway::Method
    Properties: {{{method}, ResourceId: !Ref Path, HttpMethod: GET, Integration: {integration % "Web"}}}
  Any:
    Type: AWS::ApiGateway::Method
    Properties:
      {{{method}, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: ANY, Integration: {integration % "Inline"}}}
  WebPermission: {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: !Ref Web, {allowed}}}}}
  InlinePermission: {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: !Ref Inline, {allowed}}}}}
  Deployment:
    Type: AWS::ApiGateway::Deployment
    DependsOn: [Get, Any]
    Properties: {{RestApiId: !Ref Api, StageName: live}}
"""
    write(project, "layer/python/shared.py", "NAME = 'layer'\n")
    deploy(project, template, app="import shared\n" + source("shared.NAME"))
    assert get(project, "layer").body == b"layer"
    assert get(project, method="POST").body == b"inline"


def test_a_sam_layer_and_inline_code_are_deployed(project: ProjectFolder) -> None:
    """A changed layer reaches the function that uses it."""
    template = (
        TEMPLATE.replace("CodeUri: src/", "CodeUri: src/\n      Layers: [!Ref Shared]")
        + """
  Shared: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: shared/}}
  Inline:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 200, "body": "inline"}
      Events:
        Get: {Type: Api, Properties: {Path: /inline, Method: GET}}
"""
    )
    write(project, "shared/python/shared.py", "NAME = 'old'\n")
    deploy(project, template, app="import shared\n" + source("shared.NAME"))
    assert get(project).body == b"old"
    assert get(project, "inline").body == b"inline"
    write(project, "shared/python/shared.py", "NAME = 'changed'\n")
    project.run("deploy")
    assert get(project).body == b"changed"


def test_nothing_is_told_of_what_a_false_condition_leaves_out(project: ProjectFolder) -> None:
    """Nor is it refused: only what an environment has counts."""
    template = f"""{TEMPLATE.strip()}
  Image:
    Type: AWS::Serverless::Function
    Condition: Never
    Properties: {{PackageType: Image, ImageUri: nowhere:1}}
  Topic: {{Type: AWS::SNS::Topic, Condition: Never, Properties: {{Subscription: [{{Protocol: sms, Endpoint: "1"}}]}}}}
Conditions:
  Never: !Equals [!Ref AWS::AccountId, "999999999999"]
"""
    write(project, "template.yaml", template)
    assert "sms" not in project.run("deploy").stderr
    assert get(project).body == b"one"
    write(project, "template.yaml", template.replace("999999999999", "111111111111"))
    assert "nothing is sent by sms" in refused(project, "deploy", code=4)


def test_a_long_template_goes_through_the_bucket(project: ProjectFolder) -> None:
    """CloudFormation takes 51,200 bytes in a request; more must come from S3."""
    topics = [
        f"  Topic{number}: {{Type: AWS::SNS::Topic, Properties: {{DisplayName: {'x' * 90}}}}}\n"
        for number in range(400)
    ]
    write(project, "template.yaml", TEMPLATE + "".join(topics))
    assert "Topic399" in project.run("deploy", "--dry-run").stdout
    project.run("deploy")
    assert get(project).body == b"one"


def test_requirements_are_installed_once(project: ProjectFolder) -> None:
    """The function imports what requirements.txt names; a code change needs no package index."""
    write(project, "src/requirements.txt", b"six==1.17.0\r\n")
    deploy(project, TEMPLATE, app="import six\n" + source("six.__version__"))
    assert get(project).body == b"1.17.0"
    write(project, "src/app.py", "import six\n" + source("six.__name__"))
    nowhere = {"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:1/", "PIP_FIND_LINKS": ""}
    project.run("deploy", env=nowhere)
    assert get(project).body == b"six"


_BUILD = """
import os, sys
from pathlib import Path
from emulator.artifact import ArtifactStore
from emulator.building import build
from emulator.config import load_project
os.umask(int(sys.argv[1], 8))
project = load_project(file=None, environ={}, cwd=Path.cwd())
print(build(project, ArtifactStore(project.state / "artifacts"), emit=lambda event: None).digest)
"""


def _digest(folder: Path, *, umask: str, environ: dict[str, str]) -> str:
    """Build in a process of its own, as another machine would."""
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, umask],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_same_source_has_the_same_digest_anywhere(tmp_path: Path) -> None:
    """Folder, umask, locale, time zone, times and order of creation don't matter; content does."""
    names = [f"part{number}.py" for number in range(20)]
    digests = []
    for number, (umask, environ) in enumerate(
        [("022", {"LANG": "C.UTF-8", "TZ": "UTC"}), ("077", {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"})]
    ):
        folder = ProjectFolder(tmp_path / f"copy {number}", tmp_path)
        previous = os.umask(int(umask, 8))
        write_service(folder)
        for name in names if number == 0 else reversed(names):
            write(folder, f"src/{name}", f"NAME = {name!r}\n")
            os.utime(folder.folder / "src" / name, (number * 10**9, number * 10**9))
        os.umask(previous)
        digests.append(_digest(folder.folder, umask=umask, environ=environ))
    assert digests[0] == digests[1]
    write(folder, "src/part3.py", "NAME = 'other'\n")
    assert _digest(folder.folder, umask="022", environ={}) != digests[0]


def test_a_template_in_json_may_be_indented_with_tabs(project: ProjectFolder) -> None:
    """YAML allows none there, JSON does."""
    deploy(project, json.dumps(yaml.safe_load(TEMPLATE), indent="\t"))
    assert get(project).body == b"one"
