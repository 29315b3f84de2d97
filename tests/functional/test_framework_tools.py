"""
Services of other frameworks, brought as they are: init, up, and each environment answers through the proxy.

Real tools package them where they can be had: osls from npm, kept in the cache folder between runs, and Chalice of this
virtual environment. What CDK makes is recorded, because installing it takes longer than all of these tests.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.archives import KeptArchives
from emulator.artifact import ArtifactStore
from emulator.building import build
from emulator.config import load_project
from emulator.frameworks.kept import KeptPackages
from emulator.watching.sources import Sources
from tests.conftest import MULTISTACK, REPOSITORY, ProjectFolder, http
from tests.drivers import assert_nothing_left
from tests.frameworks.features import shows
from tests.functional.tiny import write

_OSLS = "4.3.1"
_ENVIRONMENTS = ("test", "staging", "prod")
_INSTALL_TIMEOUT = 240.0
_HTTP_API = "_api/HttpApi/"

SERVERLESS = """
service: notes
provider:
  name: aws
  runtime: python3.12
  stage: ${opt:stage, 'dev'}
  environment:
    GREETING: ${param:greeting, 'hello'}
    TABLE: ${self:service}-${sls:stage}
    ACCOUNT: ${aws:accountId}
    KEY: ${ssm:/notes/key, 'none'}
params:
  test: {greeting: hi}
  staging: {}
  prod: {greeting: good day}
functions:
  get:
    handler: handler.get
    events:
      - httpApi: 'GET /notes'
      - http: GET /notes
  work:
    handler: handler.work
    events:
      - sqs: {arn: !GetAtt Jobs.Arn, batchSize: 1}
resources:
  Resources:
    Jobs: {Type: AWS::SQS::Queue}
    Notes:
      Type: AWS::DynamoDB::Table
      Properties:
        TableName: ${self:service}-${sls:stage}
        BillingMode: PAY_PER_REQUEST
        AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
        KeySchema: [{AttributeName: id, KeyType: HASH}]
"""
HANDLER = """
import json, os
import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])

def get(event, context):
    done = sorted(item["id"] for item in table.scan()["Items"])
    answer = {"greeting": os.environ["GREETING"], "done": done, "found": [os.environ["ACCOUNT"], os.environ["KEY"]]}
    return {"statusCode": 200, "body": json.dumps(answer)}

def work(event, context):
    for record in event["Records"]:
        table.put_item(Item={"id": record["body"]})
"""
SUITE = """
import pytest

@pytest.mark.environments("test", "prod")
def test_greeting(api, environment):
    answer = api.get("/_api/HttpApi/notes").json()
    assert answer["greeting"] == {"test": "hi", "prod": "good day"}[environment.name]
"""
CHALICE = """
import os
from chalice import Chalice

app = Chalice(app_name="notes")

@app.route("/notes/{name}")
def note(name):
    return {"name": name, "greeting": os.environ["GREETING"]}

@app.schedule("rate(1 hour)")
def tidy(event):
    pass
"""


@contextlib.contextmanager
def _folder(root: Path, *, programs: Path | None = None) -> Iterator[ProjectFolder]:
    """An empty project; whatever is started in it is stopped afterwards. *programs* goes first in its PATH."""
    (root / "home").mkdir()
    (root / "project").mkdir()
    before = [str(programs)] if programs else []
    path = os.pathsep.join([*before, str(MULTISTACK.parent), os.environ["PATH"]])
    project = ProjectFolder(root / "project", root / "home", {"PATH": path})
    try:
        yield project
    finally:
        project.run("down")
    assert project.processes() == []
    assert_nothing_left(project.folder)


@pytest.fixture(scope="session")
def osls() -> Path:
    """A folder of programs with osls in it, kept between runs of the tests."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm to install osls with")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "multistack-tests" / f"osls-{_OSLS}"
    if not (cache / "node_modules/.bin/osls").exists():
        work = cache.with_name(f"{cache.name}.{os.getpid()}")
        arguments = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(work), f"osls@{_OSLS}"]
        work.mkdir(parents=True)
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm took more than {_INSTALL_TIMEOUT:g} s to install osls")
        if done.returncode != 0:
            pytest.skip(f"npm can't install osls: {done.stderr.strip().splitlines()[-1:]}")
        with contextlib.suppress(OSError):  # another worker was faster
            work.rename(cache)
        shutil.rmtree(work, ignore_errors=True)
    return cache / "node_modules/.bin"


@pytest.fixture(scope="module")
def serverless(osls: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A service of the Serverless Framework, up in three environments."""
    with _folder(tmp_path_factory.mktemp("serverless"), programs=osls) as project:
        write(project, "serverless.yml", SERVERLESS)
        write(project, "handler.py", HANDLER)
        project.run("init")
        project.run("up")
        yield project


@pytest.fixture(scope="module")
def cdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """An app of CDK, as recorded, up in three environments."""
    with _folder(tmp_path_factory.mktemp("cdk")) as project:
        shutil.copytree(REPOSITORY / "tests/frameworks/cdk_app", project.folder, dirs_exist_ok=True)
        write(project, "cdk.json", json.dumps({"app": f"{sys.executable} synth.py"}))
        project.run("init")
        project.run("up")
        yield project


@shows("Serverless Framework", "HTTP APIs and REST APIs, each stage with its own `params` and variables")
def test_a_serverless_service_answers_in_each_environment_as_its_stage(serverless: ProjectFolder) -> None:
    """Nothing of it was edited; what its file says about a stage holds in the environment of that name."""
    rows = serverless.status()
    for api in (_HTTP_API, "_api/ApiGatewayRestApi/"):
        urls = [f"{rows[name]['url']}{api}notes" for name in _ENVIRONMENTS]
        assert [http("GET", url).json()["greeting"] for url in urls] == ["hi", "hello", "good day"]
    assert {row["framework"] for row in rows.values()} == {"Serverless Framework"}


@shows(
    "Serverless Framework",
    "`${aws:accountId}`, and look-ups with a default (`${ssm:…}`, `${cf:…}`, `${s3:…}`), with osls 4",
)
def test_a_serverless_service_finds_the_account_of_each_environment(serverless: ProjectFolder) -> None:
    """What it looks up while it is packaged is of a new account: its number, and no values."""
    for name, row in serverless.status().items():
        found = http("GET", f"{row['url']}{_HTTP_API}notes").json()["found"]
        assert found == [row["account_id"], "none"], name


@shows("Serverless Framework", "one artifact in all environments")
def test_a_serverless_service_is_one_artifact_in_all_environments(serverless: ProjectFolder) -> None:
    """The tool makes a template for each stage; what is built and promoted is all of them."""
    assert len({row["digest"] for row in serverless.status().values()}) == 1
    assert "staging: serves " in serverless.run("promote", "staging").stdout


@shows("Serverless Framework", "SQS as a trigger, tables and other `resources`")
def test_a_queue_of_a_serverless_service_calls_its_function(serverless: ProjectFolder) -> None:
    """Triggers are as they were written, in that environment only."""
    script = (
        "import boto3, json, time, urllib.request, os\n"
        "sqs = boto3.client('sqs')\n"
        "url = next(one for one in sqs.list_queues()['QueueUrls'] if 'Jobs' in one)\n"
        "sqs.send_message(QueueUrl=url, MessageBody='first')\n"
        "table = boto3.resource('dynamodb').Table('notes-test')\n"
        "until = time.monotonic() + 30\n"
        "while not table.scan()['Items'] and time.monotonic() < until: time.sleep(0.05)\n"
    )
    serverless.run("exec", "test", "--", sys.executable, "-c", script)
    rows = serverless.status()
    assert http("GET", f"{rows['test']['url']}{_HTTP_API}notes").json()["done"] == ["first"]
    assert http("GET", f"{rows['prod']['url']}{_HTTP_API}notes").json()["done"] == []


@shows("Serverless Framework", 'pytest: `@pytest.mark.environments("test")`')
def test_a_test_of_a_serverless_service_has_its_environment_by_a_marker(
    serverless: ProjectFolder, tmp_path: Path
) -> None:
    """As for any other service; its stage is the environment's."""
    (tmp_path / "test_notes.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmultistack_file = {serverless.folder / 'multistack.toml'}\n")
    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--multistack-reuse", str(tmp_path)]
    environ = {**serverless.command_environ(None), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        arguments, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT, check=False
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_a_serverless_service_is_left_as_it_was(serverless: ProjectFolder) -> None:
    """The folder holds what its author put there, and multistack's own."""
    names = {path.name for path in serverless.folder.iterdir()}
    assert names == {"serverless.yml", "handler.py", "multistack.toml", ".multistack"}


def test_its_own_tool_runs_for_what_it_reads_and_for_no_code_that_it_copies(osls: Path, tmp_path: Path) -> None:
    """A plugin counts; it is loaded, so that a change of it is one of the tool."""
    runs, plugin = (
        tmp_path / "runs",
        "module.exports = class { constructor() { require('fs').appendFileSync(%s, 'x') } }\n",
    )
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in {
        "multistack.toml": 'service = "notes"\n[environments.test]\n',
        "serverless.yml": f"{SERVERLESS}plugins: [./counter]\npackage: {{excludeDevDependencies: false}}\n",
        "handler.py": HANDLER,
        "counter.js": plugin % json.dumps(str(runs)),
    }.items():
        (folder / name).write_text(text)
    project = load_project(file=None, environ={}, cwd=folder, overrides={}, needs_template=True)
    kept = KeptArchives(KeptPackages(Sources(project).files), awaited="test")
    environ = {**os.environ, "PATH": f"{osls}{os.pathsep}{os.environ['PATH']}"}
    store = ArtifactStore(tmp_path / "store")

    def built() -> str:
        build(project, store, emit=lambda _event: None, environ=environ, kept=kept)
        return runs.read_text()

    assert built() == "x"
    (folder / "handler.py").write_text(HANDLER.replace("None", "True"))
    assert built() == "x"
    (folder / "counter.js").write_text(f"{plugin % json.dumps(str(runs))}// saved\n")
    assert built() == "xx"


@shows("CDK", "REST API, functions, tables, roles and grants, each stage with its own context")
def test_a_cdk_app_answers_in_each_environment_as_its_stage(cdk: ProjectFolder) -> None:
    """Two stacks that refer to each other and a nested one are one stack per environment."""
    rows = cdk.status()
    stages = [http("GET", f"{rows[name]['url']}x").json()["stage"] for name in _ENVIRONMENTS]
    assert stages == list(_ENVIRONMENTS)
    assert {(row["framework"], row["digest"]) for row in rows.values()} == {("CDK", rows["test"]["digest"])}


@shows("CDK", "one artifact in all environments; data of each on its own")
def test_a_table_of_a_cdk_app_is_its_environment_s_own(cdk: ProjectFolder) -> None:
    """A note put into test is in test only."""
    rows = cdk.status()
    http("PUT", f"{rows['test']['url']}greeting", b"hi")
    notes = [http("GET", f"{rows[name]['url']}greeting").json()["note"] for name in _ENVIRONMENTS]
    assert notes == ["hi", None, None]


@pytest.mark.skipif(importlib.util.find_spec("chalice") is None, reason="chalice is not installed here")
@shows("Chalice", "REST API, schedules; environment variables of each stage")
def test_a_chalice_app_answers_in_each_environment_as_its_stage(tmp_path: Path) -> None:
    """Its stages become the environments, its app is packaged by Chalice itself."""
    with _folder(tmp_path) as project:
        stages = {name: {"environment_variables": {"GREETING": f"hi, {name}"}} for name in ("prod", "test")}
        config = {"version": "2.0", "app_name": "notes", "automatic_layer": False, "stages": stages}
        write(project, ".chalice/config.json", json.dumps(config))
        write(project, "app.py", CHALICE)
        write(project, "requirements.txt", "")
        project.run("init")
        project.run("up")
        rows = project.status()
        answers = {name: http("GET", f"{row['url']}notes/a").json() for name, row in rows.items()}
        assert answers == {
            "test": {"name": "a", "greeting": "hi, test"},
            "prod": {"name": "a", "greeting": "hi, prod"},
        }
        assert {row["framework"] for row in rows.values()} == {"Chalice"}
