"""Functions that are container images, on the embedded driver with a Docker engine beside it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import ProjectFolder, http
from tests.drivers import emulator_pid
from tests.frameworks.features import shows

# Containers are found by the names of functions: a second service of this name beside it would be counted as well.
pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("functions that are images")]

_LABEL = "dev.multistack.function"
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Timeout: 20, MemorySize: 256}}
Resources:
  Api: {Type: AWS::Serverless::HttpApi}
  Hello:
    Type: AWS::Serverless::Function
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app, DockerBuildArgs: {GREETING: built}}
    Properties:
      PackageType: Image
      Policies: [AmazonSQSFullAccess]
      Events: {Get: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /hello, Method: get}}}
  Other:
    Type: AWS::Serverless::Function
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app}
    Properties: {PackageType: Image, Timeout: 1, ImageConfig: {Command: [app.other]}}
"""
DOCKERFILE = """
FROM multistack/localstack:4.14.0
ARG GREETING=default
ENV GREETING=$GREETING
COPY app.py /var/task/
WORKDIR /var/task
ENTRYPOINT ["python3", "-m", "awslambdaric"]
CMD ["app.handler"]
"""
CODE = """
import json, os, time
import boto3

def handler(event, context):
    boto3.client("sqs").list_queues()
    print("to", context.function_name)
    return {"statusCode": 200, "body": json.dumps({"greeting": os.environ["GREETING"], "user": os.getuid(), "v": 1})}

def other(event, context):
    if event.get("do") == "raise":
        raise ValueError("as asked")
    if event.get("do") == "exit":
        os._exit(event["status"])
    if event.get("do") == "abort":
        os.abort()
    if event.get("do") == "hang":
        time.sleep(60)
    if event.get("do") == "write":
        open("/var/task/new", "w")
    return {"got": event}
"""


@pytest.fixture(scope="module")
def project(own_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A SAM service of two images that are built from the same folder, up in each environment."""
    root = tmp_path_factory.mktemp("images")
    (root / "home").mkdir()
    found = ProjectFolder(root / "pictures", root / "home", {"MULTISTACK_DRIVER": "embedded"})
    (found.folder / "app").mkdir(parents=True)
    (found.folder / "template.yaml").write_text(TEMPLATE)
    (found.folder / "app/Dockerfile").write_text(DOCKERFILE)
    (found.folder / "app/app.py").write_text(CODE)
    found.run("init")
    found.run("up", timeout=300)
    yield found
    found.run("down")
    wait_until(lambda: not found.processes())  # what is beside a container ends when that is removed


@pytest.fixture
def containers(engine: Any) -> Callable[[str], list[Any]]:
    """The containers of functions whose names start so."""

    def find(start: str) -> list[Any]:
        found = engine.containers.list(filters={"label": _LABEL}, ignore_removed=True)
        return [one for one in found if one.labels[_LABEL].startswith(start)]

    return find


def invoke(project: ProjectFolder, environment: str = "test", **event: Any) -> Any:
    """What the second function answers."""
    return json.loads(project.run("invoke", environment, "Other", "-d", json.dumps(event), check=False).stdout)


def wait_until(condition: Callable[[], bool]) -> None:
    """Removing a container takes the engine a part of a second, which no command waits for."""
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def wait_for_none(containers: Callable[[str], list[Any]], start: str) -> None:
    """Those of functions whose names start so are gone."""
    wait_until(lambda: not containers(start))


@shows("SAM", "functions that are container images, where a Docker engine is")
def test_an_image_answers_in_each_environment(project: ProjectFolder, containers: Callable[[str], list[Any]]) -> None:
    """It is built once, with its arguments, reaches the account that it is in, and runs as nobody in particular."""
    for name in project.status():
        assert http("GET", project.url(name, "hello")).json() == {"greeting": "built", "user": 993, "v": 1}
    of_all = [one.image.id for name in project.status() for one in containers(f"pictures-{name}-Hello")]
    assert (len(of_all), len(set(of_all))) == (3, 1)


def test_an_image_is_told_what_to_run(project: ProjectFolder) -> None:
    """``ImageConfig`` goes over the image's own command."""
    assert invoke(project, do="nothing") == {"got": {"do": "nothing"}}


def test_what_an_image_raises_is_told_as_on_aws(project: ProjectFolder) -> None:
    """With its stack trace; and the next call is answered."""
    error = invoke(project, do="raise")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "as asked")
    assert "app.py" in str(error["stackTrace"])
    assert invoke(project)["got"] == {}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"do": "exit", "status": 3}, "exit status 3"),
        ({"do": "exit", "status": 255}, "exit status 255"),
        ({"do": "abort"}, "error: signal: "),
    ],
)
def test_an_image_that_ends_is_started_again(project: ProjectFolder, event: dict[str, Any], said: str) -> None:
    """How it ended is told at once."""
    assert said in invoke(project, **event)["errorMessage"]
    assert invoke(project)["got"] == {}


def test_an_image_that_takes_too_long_is_ended(project: ProjectFolder, containers: Callable[[str], list[Any]]) -> None:
    """Its container too."""
    assert "Task timed out after 1.00 seconds" in invoke(project, do="hang")["errorMessage"]
    wait_for_none(containers, "pictures-test-Other")
    assert invoke(project)["got"] == {}


def test_nothing_but_tmp_can_be_written_to(project: ProjectFolder) -> None:
    """As on AWS: code that relies on more fails here first."""
    assert invoke(project, do="write")["errorType"] == "OSError"


def test_what_an_image_prints_is_in_its_log(project: ProjectFolder) -> None:
    """All of it by the time the answer is there."""
    before = project.run("logs", "test").stdout.count(" to pictures-test-Hello-")
    http("GET", project.url("test", "hello"))
    assert project.run("logs", "test").stdout.count(" to pictures-test-Hello-") == before + 1


def test_changed_code_is_a_new_image(project: ProjectFolder) -> None:
    """Deployed as any other; the environment after it keeps what it has, and gets the same one."""
    code = project.folder / "app/app.py"
    code.write_text(code.read_text().replace('"v": 1', '"v": 2'))
    project.run("deploy", "test", timeout=300)
    assert http("GET", project.url("test", "hello")).json()["v"] == 2
    assert http("GET", project.url("staging", "hello")).json()["v"] == 1
    project.run("promote", "staging")
    assert http("GET", project.url("staging", "hello")).json()["v"] == 2


def test_no_container_outlives_its_emulator(project: ProjectFolder, containers: Callable[[str], list[Any]]) -> None:
    """Also one that is killed."""
    http("GET", project.url("prod", "hello"))
    assert containers("pictures-prod-")
    os.kill(emulator_pid(project.folder, "prod"), signal.SIGKILL)
    wait_for_none(containers, "pictures-prod-")


def test_a_broken_dockerfile_says_what_broke(project: ProjectFolder) -> None:
    """Nothing is deployed."""
    dockerfile = project.folder / "app/Dockerfile"
    before = dockerfile.read_text()
    dockerfile.write_text(f"{before}RUN echo so && false\n")
    done = project.run("deploy", "test", check=False)
    dockerfile.write_text(before)
    assert done.returncode == 5, done.stderr
    assert "the image of Hello can't be built" in done.stderr
    assert "so" in done.stderr


def test_without_an_engine_an_image_is_refused_before_anything_is_deployed(project: ProjectFolder) -> None:
    """With the reason, and the way around it."""
    done = project.run("deploy", "test", check=False, env={"DOCKER_HOST": "unix:///nonexistent"})
    assert done.returncode != 0
    assert "Hello (AWS::Lambda::Function): it is a container image, and " in done.stderr
    assert "--skip-unsupported" in done.stderr
