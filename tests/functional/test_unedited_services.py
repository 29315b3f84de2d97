"""
Services in the shape of other people's, brought as they are: after init and up, three environments do what AWS does.

Each folder of `services` is one; nothing of it is written for multistack.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from emulator import stack
from emulator.endpoint import client
from emulator.model import Endpoint
from tests.conftest import MULTISTACK, Answer, ProjectFolder, http
from tests.drivers import assert_nothing_left
from tests.frameworks.features import shows
from tests.functional.raw_proxy import wait_until

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="this machine has no Node"),
    pytest.mark.embedded("Node functions, HTTP APIs and triggers"),
]

FOLDERS = Path(__file__).parent / "services"
NAMES = ("test", "staging", "prod")


@dataclass(frozen=True)
class Running:
    """A service that is up in three environments."""

    project: ProjectFolder
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def ask(self, environment: str, path: str, body: Any = None, *, method: str = "GET", **headers: str) -> Answer:
        """A request through the proxy."""
        headers = {"Content-Type": "application/json", **headers}
        return http(method, f"{self.rows[environment]['url']}{path}", body, headers=headers)

    def client(self, environment: str, service: str) -> Any:
        """A client of an environment's own account."""
        return client(self._endpoint(environment), service)

    def physical(self, environment: str, logical_id: str) -> str:
        """What the environment's stack calls a resource."""
        name = f"{self.project.folder.name.replace('_', '-')}-{environment}"
        return dict(stack.resources(self._endpoint(environment), name))[logical_id]

    def invoke(self, environment: str, function: str, event: Any = None) -> Any:
        """What a function answers."""
        name = self.physical(environment, function)
        payload = json.dumps(event or {}).encode()
        answer = self.client(environment, "lambda").invoke(FunctionName=name, Payload=payload)
        return json.loads(answer["Payload"].read())

    def items(self, environment: str, table: str) -> Sequence[Mapping[str, Mapping[str, str]]]:
        """All that a table of the template holds."""
        found = self.client(environment, "dynamodb").scan(TableName=self.physical(environment, table))
        return list(found["Items"])

    def _endpoint(self, environment: str) -> Endpoint:
        row = self.rows[environment]
        return Endpoint(
            environment=environment, url=row["endpoint"], account_id=row["account_id"], region=row["region"]
        )


def sam_hello(running: Running) -> None:
    answers = [running.ask(name, "hello").json() for name in NAMES]
    assert answers == [{"message": "hello world", "stage": "Prod"}] * 3


def sam_crud(running: Running) -> None:
    assert running.ask("test", "items/a", {"price": 3}, method="PUT").status == 201
    assert [running.ask(name, "items/a").status for name in NAMES] == [200, 404, 404]
    assert running.ask("test", "items").json() == [{"id": "a", "price": 3}]
    assert running.ask("test", "items/a", method="DELETE").status == 204


def sam_worker(running: Running) -> None:
    for name in NAMES:
        sqs, jobs = running.client(name, "sqs"), running.physical(name, "Jobs")
        for body in ('{"id": "good", "numbers": [1, 2]}', '{"id": "bad"}'):
            sqs.send_message(QueueUrl=jobs, MessageBody=body)
    for name in NAMES:
        wait_until(lambda name=name: bool(running.items(name, "Results")))
        assert running.items(name, "Results") == [{"job": {"S": "good"}, "sum": {"N": "3"}}]
        failed = {"QueueUrl": running.physical(name, "FailedJobs"), "WaitTimeSeconds": 10}
        (message,) = running.client(name, "sqs").receive_message(**failed)["Messages"]
        assert message["Body"] == '{"id": "bad"}'


def sam_settings(running: Running) -> None:
    answers = [running.ask(name, "settings").json() for name in NAMES]
    region = running.rows["test"]["region"]
    expected = {"STAGE": "dev", "LEVEL": "DEBUG", "PARTS": f"{region}-dev", "AUDIT": None, "memory": 128}
    assert answers[:2] == [expected] * 2
    queue = running.physical("prod", "AuditQueue")
    assert answers[2] == {"STAGE": "prod", "LEVEL": "WARNING", "PARTS": f"{region}-prod", "AUDIT": queue, "memory": 512}


def cfn_nested(running: Running) -> None:
    found = [running.invoke(name, "Saver", {"name": "a"}) for name in NAMES]
    assert [one["key"] for one in found] == ["a.json"] * 3
    for name, one in zip(NAMES, found, strict=True):
        assert one["bucket"].endswith(running.rows[name]["account_id"])
        running.client(name, "s3").head_bucket(Bucket=one["bucket"])


def cfn_inline(running: Running) -> None:
    for name in NAMES:
        function = running.physical(name, "Function")
        assert running.ask(name, "greet/you").json() == {"hello": "you", "function": function}
        assert running.ask(name, "").json() == {"ok": True}


def sam_openapi(running: Running) -> None:
    for name in NAMES:
        made = running.ask(name, "pets", {"name": "Rex"}, method="POST")
        assert (made.status, made.json()) == (201, {"path": "/pets", "pet": "Rex"})
        assert running.ask(name, "cats/1", method="GET").json() == {"path": "/cats/1", "pet": None}
    assert running.ask("test", "pets", {}, method="POST").status == 400


def sam_events(running: Running) -> None:
    for name in NAMES:
        for order in ({"id": f"{name}-large", "total": 101}, {"id": f"{name}-small", "total": 99}):
            assert running.ask(name, "orders", order, method="POST").json() == {"failed": 0}
    for name in NAMES:
        wait_until(lambda name=name: bool(running.items(name, "Shipped")))
        assert running.invoke(name, "Report") == {"since": None, "shipped": [f"{name}-large"]}


def sam_thumbnails(running: Running) -> None:
    for name in NAMES:
        s3, photos = running.client(name, "s3"), running.physical(name, "Photos")
        for key in ("in/not a photo.txt", "in/my photo.jpg"):
            s3.put_object(Bucket=photos, Key=key, Body=name.encode())
    for name in NAMES:
        s3, where = running.client(name, "s3"), running.physical(name, "Thumbnails")
        wait_until(lambda s3=s3, where=where: s3.list_objects_v2(Bucket=where)["KeyCount"] == 1)
        made = s3.get_object(Bucket=where, Key="my photo-small.jpg")["Body"].read()
        assert made == name.encode()[:3]


def sam_fanout(running: Running) -> None:
    for name in NAMES:
        sns, topic = running.client(name, "sns"), running.physical(name, "News")
        for urgency in ("low", "high"):
            attributes = {"urgency": {"DataType": "String", "StringValue": urgency}}
            sns.publish(TopicArn=topic, Message=urgency, MessageAttributes=attributes)
    for name in NAMES:
        wait_until(lambda name=name: len(running.items(name, "Seen")) == 3)
        seen = {item["id"]["S"] for item in running.items(name, "Seen")}
        assert seen == {"audit low", "audit high", "mail high"}


def sam_projection(running: Running) -> None:
    for number, name in enumerate(NAMES, start=1):
        dynamodb, orders = running.client(name, "dynamodb"), running.physical(name, "Orders")
        for order in ("1", "2"):
            item = {"pk": {"S": "ann"}, "sk": {"S": order}, "amount": {"N": str(number)}}
            dynamodb.put_item(TableName=orders, Item=item)
        dynamodb.delete_item(TableName=orders, Key={"pk": {"S": "ann"}, "sk": {"S": "1"}})
    for number, name in enumerate(NAMES, start=1):
        wait_until(lambda name=name, number=number: running.invoke(name, "Read") == {"ann": 2 * number})


def sam_webhook(running: Running) -> None:
    keys = set()
    for name in NAMES:
        secrets = running.client(name, "secretsmanager")
        found = secrets.get_secret_value(SecretId=running.physical(name, "Secret"))["SecretString"]
        keys.add(key := json.loads(found)["key"])
        sign = hmac.new(key.encode(), b"{}", hashlib.sha256).hexdigest()
        answer = running.ask(name, "hooks/shop", b"{}", method="POST", **{"X-Signature": sign})
        assert (answer.status, answer.body) == (200, b"shop of example.com")
        assert running.ask(name, "hooks/shop", b"{}", method="POST").status == 401
    assert len(keys) == 3


def sam_logging(running: Running) -> None:
    for name in NAMES:
        assert running.ask(name, f"todos/{name}").json() == {"id": name, "done": False}
        assert running.ask(name, "other").status == 404
    logged = running.project.run("logs", "staging").stdout
    assert '"path": "/todos/staging"' in logged


def sam_loops(running: Running) -> None:
    for name in NAMES:
        account = f"sam-loops-{name}"
        shown = json.dumps({"table": f"{account}-Orders", "for": "users"}, separators=(",", ":"))
        text = running.ask(name, "users").body.decode()
        assert text.startswith("users of 2: ")
        assert json.loads(text.partition(": ")[2]) == json.loads(shown)
        made = running.ask(name, "_api/LinksUrl/a/b?c=d", b"x", method="POST")
        assert (made.status, made.headers["X-Made"], made.json()) == (201, "POST", {"path": "/a/b"})
        cloudformation = running.client(name, "cloudformation")
        (found,) = cloudformation.describe_stacks(StackName=account)["Stacks"]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
        assert outputs["Made"] == account.upper()
        assert [outputs["OrdersName"], outputs["UsersName"]] == [f"{account}-Orders", f"{account}-Users"]
    running.project.run("config", "set", "test", "Services", "users,audit")
    running.project.run("deploy", "test")
    assert [running.ask("test", path).status for path in ("users", "audit", "orders")] == [200, 200, 404]
    running.project.run("config", "set", "test", "Services", "users,nothing")
    refused = running.project.run("deploy", "test", check=False)
    assert "whose code ./services/nothing the artifact does not have" in refused.stderr


def sam_direct(running: Running) -> None:
    for name in NAMES:
        made = running.ask(name, "_api/Api/notes", {"text": f'"{name}"'}, method="POST")
        assert (made.status, made.headers["X-Stage"], made.json()) == (201, "v1", {"made": True})
        (item,) = running.items(name, "Notes")
        assert item["text"] == {"S": f'"{name}"'}
        assert running.ask(name, "_api/Api/notes", {"text": "plain"}, method="POST").status == 201
        assert running.ask(name, "_api/Api/greet?name=you").json() == {"hello": "you"}
        refused = running.ask(name, "_api/Api/greet")
        assert (refused.status, refused.json()) == (400, {"why": "[400] who?"})
        started = running.ask(
            name, "_api/ServerlessRestApi/orders", {"amount": 7 if name == "test" else 700}, method="POST"
        )
        assert "executionArn" in started.json()
        started = running.ask(name, f"_api/Start/start/{name}", {"amount": 1}, method="POST")
        assert started.json()["executionArn"].endswith(f":{name}-direct")
    for name in NAMES:
        wait_until(lambda name=name: len(running.items(name, "Orders")) == 2)
        answers = {item["id"]["S"]: item["answer"]["S"] for item in running.items(name, "Orders")}
        assert answers.pop(f"{name}-direct") == "yes"
        assert list(answers.values()) == ["yes" if name == "test" else "no"]


def chalice_new_project(running: Running) -> None:
    assert [running.ask(name, "").json() for name in NAMES] == [{"hello": "world"}] * 3


SERVICES: Mapping[str, tuple[str, Callable[[Running], None]]] = {
    "sam_hello": ("SAM", sam_hello),
    "sam_crud": ("SAM", sam_crud),
    "sam_worker": ("SAM", sam_worker),
    "sam_settings": ("SAM", sam_settings),
    "sam_openapi": ("SAM", sam_openapi),
    "sam_events": ("SAM", sam_events),
    "sam_thumbnails": ("SAM", sam_thumbnails),
    "sam_fanout": ("SAM", sam_fanout),
    "sam_projection": ("SAM", sam_projection),
    "sam_webhook": ("SAM", sam_webhook),
    "sam_logging": ("SAM", sam_logging),
    "sam_loops": ("SAM", sam_loops),
    "sam_direct": ("SAM", sam_direct),
    "cfn_nested": ("CloudFormation", cfn_nested),
    "cfn_inline": ("CloudFormation", cfn_inline),
    "chalice_new_project": ("Chalice", chalice_new_project),
}


@contextlib.contextmanager
def brought(name: str, root: Path) -> Iterator[Running]:
    """Copy the service, or let its framework make it; init and up."""
    (root / "home").mkdir()
    path = f"{MULTISTACK.parent}{os.pathsep}{os.environ['PATH']}"
    project = ProjectFolder(root / name, root / "home", {"PATH": path})
    if (FOLDERS / name).is_dir():
        shutil.copytree(FOLDERS / name, project.folder)
    else:
        _new_chalice_project(project)
    files = _files(project.folder)
    project.run("init")
    project.run("up")
    try:
        yield Running(project, project.status())
        assert {path: text for path, text in _files(project.folder).items() if path in files} == files
    finally:
        project.run("down")
        assert project.processes() == []
        assert_nothing_left(project.folder)


def _new_chalice_project(project: ProjectFolder) -> None:
    pytest.importorskip("chalice")
    command = [str(Path(sys.executable).parent / "chalice"), "new-project", project.folder.name]
    environ = {**project.command_environ(), "AWS_DEFAULT_REGION": "us-east-1"}
    subprocess.run(
        [*command, "--project-type", "legacy"],
        cwd=project.folder.parent,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )


def _files(folder: Path) -> Mapping[str, bytes]:
    """What the author wrote."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != ".multistack"
    }


@shows(
    "SAM", "thirteen services of other shapes: each trigger, HTTP and REST APIs, conditions, loops, `sam init`'s own"
)
@shows("CloudFormation", "inline code, APIs of single resources, nested stacks by path, JSON")
@shows("Chalice", "what `chalice new-project` makes")
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_works_unedited_in_three_environments(name: str, tmp_path: Path) -> None:
    """One artifact; each environment has its own data, and the framework is found by itself."""
    framework, check = SERVICES[name]
    with brought(name, tmp_path) as running:
        assert list(running.rows) == list(NAMES)
        assert {row["framework"] for row in running.rows.values()} == {framework}
        assert len({row["digest"] for row in running.rows.values()}) == 1
        check(running)
