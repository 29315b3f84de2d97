"""Environments begin with the project's data, get it again on request, and give theirs in the same form."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emulator import stack
from emulator.endpoint import client
from emulator.errors import NotReady
from emulator.model import Endpoint
from emulator.seeds.exporting import export, put_in_place
from tests.conftest import ProjectFolder
from tests.functional.servers import ending_server
from tests.functional.tiny import refused, tiny_project, write

PROJECT = """
service = "shop"
[seed]
folders = ["seeds/all"]
[environments.test]
account_id = "111111111111"
seed = ["seeds/all", "seeds/test"]
[environments.prod]
account_id = "222222222222"
protected = true
"""
TEMPLATE = """
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}, {AttributeName: at, AttributeType: N}]
      KeySchema: [{AttributeName: id, KeyType: HASH}, {AttributeName: at, KeyType: RANGE}]
  Jobs: {Type: AWS::SQS::Queue}
  Ordered: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}
  Uploads: {Type: AWS::S3::Bucket}
  Limit: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: "1"}}
"""
FILES = {
    "seeds/all/Orders.csv": "id,at:number,qty:number,paid:boolean\nb,10,1.50,true\nb,9,2,\na,1,3,false\n",
    "seeds/all/Jobs.yaml": "- hello\n- {order: a, qty: 1.10}\n- $message: {body: x, attributes: {Colour: red}}\n",
    "seeds/all/Ordered.json": json.dumps([{"$message": {"body": body, "group": "g"}} for body in ("one", "two")]),
    "seeds/all/Uploads/docs/a b.txt": "hello\n",
    "seeds/all/Uploads/logo.bin": "\0\1",
    "seeds/all/parameters.yaml": "- {name: /shop/limit, value: 5}\n- {name: /shop/colours, value: [red, blue]}\n",
    "seeds/test/Orders.json": '[{"id": "a", "at": 1, "qty": 30, "tags": {"$strings": ["new"]}}]',
}
# What the above comes to, in the form of an export.
EXPORTED = {
    "Jobs.json": '[\n"hello",\n{"order": "a", "qty": 1.10},\n'
    '{"$message": {"body": "x", "attributes": {"Colour": "red"}}}\n]\n',
    "Orders.json": '[\n{"id": "a", "at": 1, "qty": 30, "tags": {"$strings": ["new"]}},\n'
    '{"id": "b", "at": 9, "qty": 2},\n{"id": "b", "at": 10, "paid": true, "qty": 1.5}\n]\n',
    "Ordered.json": '[\n{"$message": {"body": "one", "group": "g"}},\n{"$message": {"body": "two", "group": "g"}}\n]\n',
    "Uploads/docs/a b.txt": "hello\n",
    "Uploads/logo.bin": "\0\1",
    "parameters.json": '[\n{"name": "/shop/colours", "value": ["red", "blue"]},\n'
    '{"name": "/shop/limit", "value": "5"}\n]\n',
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A service of nothing but data, up in an environment and a protected one."""
    with tiny_project(tmp_path_factory.mktemp("seeds")) as project:
        write(project, "multistack.toml", PROJECT)
        write(project, "template.yaml", TEMPLATE)
        write_seeds(project)
        said = project.run("up").stderr
        assert "test  seeded parameters 2, Uploads 2, Orders 3, Jobs 3, Ordered 2" in said
        yield project


@pytest.fixture(autouse=True)
def put_back(project: ProjectFolder) -> None:
    """Every test finds the files as above."""
    write_seeds(project)


def write_seeds(project: ProjectFolder) -> None:
    """The files of the seed, and no others."""
    shutil.rmtree(project.folder / "seeds", ignore_errors=True)
    for name, content in FILES.items():
        (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / name).write_text(content)


def seeded(project: ProjectFolder, *names: str) -> dict[str, tuple[int, int]]:
    """Run ``seed``; what there is of each resource, and what was written."""
    rows = json.loads(project.run("seed", *(names or ("test",)), "--json").stdout)
    return {row["resource"]: (row["total"], row["written"]) for row in rows}


def exported(project: ProjectFolder, environment: str, folder: str) -> dict[str, str]:
    """Run ``export``; the files that it wrote."""
    project.run("export", environment, "-o", folder, "--replace")
    return files_in(project.folder / folder)


def files_in(root: Path) -> dict[str, str]:
    """Relative path to content."""
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def physical(project: ProjectFolder, environment: str) -> tuple[Endpoint, dict[str, str]]:
    """Where an environment's API is, and its resources."""
    row = project.status()[environment]
    endpoint = Endpoint(
        environment=environment, url=row["endpoint"], account_id=row["account_id"], region=row["region"]
    )
    return endpoint, dict(stack.resources(endpoint, f"shop-{environment}"))


def test_a_reset_environment_has_its_seed_and_gives_it_back(project: ProjectFolder) -> None:
    """Whatever was there before, and but for what only a later release has; an export is sorted."""
    endpoint, names = physical(project, "test")
    client(endpoint, "dynamodb").put_item(TableName=names["Orders"], Item={"id": {"S": "new"}, "at": {"N": "1"}})
    write(project, "seeds/test/Later.json", "[]")
    said = project.run("reset", "test").stderr
    (project.folder / "seeds/test/Later.json").unlink()
    assert "test  warning: the release has nothing that takes the seed of Later" in said
    assert exported(project, "test", "out") == EXPORTED
    (project.folder / "seeds/test/Orders.json").write_text(EXPORTED["Orders.json"])
    assert {written for _, written in seeded(project).values()} == {0}


def test_seeding_again_changes_nothing(project: ProjectFolder) -> None:
    """
    Not even messages are sent again; only what differs is written, and what others put there stays.

    A parameter of the template goes by its logical id: its name is another one in each environment.
    """
    endpoint, names = physical(project, "test")
    dynamodb, s3 = client(endpoint, "dynamodb"), client(endpoint, "s3")
    dynamodb.put_item(TableName=names["Orders"], Item={"id": {"S": "a"}, "at": {"N": "1"}, "qty": {"N": "7"}})
    dynamodb.put_item(TableName=names["Orders"], Item={"id": {"S": "theirs"}, "at": {"N": "1"}})
    s3.put_object(Bucket=names["Uploads"], Key="logo.bin", Body=b"other")
    (project.folder / "seeds/all/Jobs.yaml").write_text(FILES["seeds/all/Jobs.yaml"] + "- hello\n- new\n")
    write(project, "seeds/all/parameters.yaml", FILES["seeds/all/parameters.yaml"] + "- {name: Limit, value: 9}\n")
    expected = {"parameters": (3, 1), "Uploads": (2, 1), "Orders": (3, 1), "Jobs": (5, 2), "Ordered": (2, 0)}
    assert seeded(project) == expected
    assert dynamodb.get_item(TableName=names["Orders"], Key={"id": {"S": "theirs"}, "at": {"N": "1"}})["Item"]
    assert s3.head_object(Bucket=names["Uploads"], Key="docs/a b.txt")["ContentType"] == "text/plain"
    assert client(endpoint, "ssm").get_parameter(Name=names["Limit"])["Parameter"]["Value"] == "9"


def test_a_protected_environment_is_seeded_only_when_that_is_said(project: ProjectFolder) -> None:
    """After its first deployment it has its seed, without that of test."""
    assert json.loads(exported(project, "prod", "prod-out")["Orders.json"])[0] == {
        "id": "a",
        "at": 1,
        "paid": False,
        "qty": 3,
    }
    assert "prod is protected: its data would be overwritten" in refused(project, "seed", code=2)
    assert seeded(project, "prod", "--yes")["Orders"] == (3, 0)


def test_one_wrong_record_keeps_everything_from_being_written(project: ProjectFolder) -> None:
    """With file and line."""
    write(project, "seeds/all/Uploads/docs/a b.txt", "not written")
    write(project, "seeds/all/Orders.csv", "id,at:number\na,1\nb,\n")
    assert "error: seeds/all/Orders.csv:3: an item needs its key at" in refused(project, "seed", "test", code=2)
    endpoint, names = physical(project, "test")
    found: Any = client(endpoint, "s3").get_object(Bucket=names["Uploads"], Key="docs/a b.txt")["Body"].read()
    assert found == b"hello\n"


def test_an_emulator_that_ends_midway_costs_nothing_of_the_export_before(
    project: ProjectFolder, tmp_path: Path
) -> None:
    """Whenever that is: what was exported stands there whole, and nothing beside it; then it is replaced as a whole."""
    endpoint, _ = physical(project, "prod")
    before = {"Orders.json": "[]\n", "Uploads/old.txt": "old", "mine.txt": "no export"}
    for name, content in before.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    for requests in range(100):
        with ending_server(int(endpoint.url.rpartition(":")[2]), after=requests) as emulator:
            try:
                export(replace(endpoint, url=emulator.url), "shop-prod", tmp_path, replaces=True)
            except NotReady:
                assert emulator.refused
                assert files_in(tmp_path) == before
            else:
                break
    assert requests > len(FILES)
    found = files_in(tmp_path)
    assert (found["mine.txt"], found["Uploads/logo.bin"]) == ("no export", "\0\1")
    assert "Uploads/old.txt" not in found
    assert json.loads(found["Orders.json"])


def test_an_export_that_cannot_be_put_in_place_puts_everything_back(tmp_path: Path) -> None:
    """Whatever ends it after the first of them was replaced."""
    folder, work = tmp_path / "out", tmp_path / "work"
    for place, content in ((folder, "before"), (work, "after")):
        for name in ("Jobs.json", "Orders.json", "Uploads/a.txt"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(content)
    there = [folder / name for name in ("Jobs.json", "Orders.json", "Uploads")]
    (folder / "parameters.json" / "of somebody").mkdir(parents=True)
    (work / "parameters.json").write_text("a file can't take the place of a folder")
    before = files_in(folder)
    with pytest.raises(IsADirectoryError):
        put_in_place(work, folder, instead_of=there)
    assert files_in(folder) == before


def test_a_wrong_seed_stops_a_reset_before_anything_is_erased(project: ProjectFolder) -> None:
    """And an export into a folder that holds something else."""
    write(project, "seeds/all/Orders.csv", "id,at:number\na,x\n")
    assert "seeds/all/Orders.csv:2: at is no number: 'x'" in refused(project, "reset", "test", code=2)
    assert project.status()["test"]["status"] == "ready"
    assert "seeds/all/Jobs.yaml is there already" in refused(project, "export", "test", "-o", "seeds/all", code=2)
    assert Path(project.folder / "seeds/all/Jobs.yaml").exists()
