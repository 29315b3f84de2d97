"""Node functions find the AWS SDK that they don't bring, as in AWS's runtimes."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator

import pytest

from tests.conftest import ProjectFolder
from tests.drivers import assert_nothing_left

pytestmark = [
    pytest.mark.skipif(shutil.which("npm") is None, reason="this machine has no npm"),
    pytest.mark.embedded("Node functions"),
]

PROJECT = """
service = "sdk"
template = "template.yaml"
[environments.test]
account_id = "111111111111"
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {CodeUri: src, Runtime: nodejs20.x, Timeout: 20}}
Resources:
  Old: {Type: AWS::Serverless::Function, Properties: {Handler: old.handler}}
  New: {Type: AWS::Serverless::Function, Properties: {Handler: new.handler}}
"""
OLD = """
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");
exports.handler = async () => (await new STSClient({}).send(new GetCallerIdentityCommand({}))).Account;
"""
NEW = """
import { STSClient, GetCallerIdentityCommand } from "@aws-sdk/client-sts";
export const handler = async () => (await new STSClient({}).send(new GetCallerIdentityCommand({}))).Account;
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """Two functions in one environment that bring nothing."""
    root = tmp_path_factory.mktemp("sdk")
    (root / "home").mkdir()
    found = ProjectFolder(root / "service", root / "home")
    (found.folder / "src").mkdir(parents=True)
    (found.folder / "template.yaml").write_text(TEMPLATE)
    (found.folder / "src/old.js").write_text(OLD)
    (found.folder / "src/new.mjs").write_text(NEW)
    (found.folder / "multistack.toml").write_text(PROJECT)
    said = found.run("up", "test", timeout=300).stderr
    if "npm can't install" in said:
        found.run("down")
        pytest.skip(said)
    yield found
    found.run("down")
    assert_nothing_left(found.folder)


@pytest.mark.parametrize("function", ["Old", "New"])
def test_a_node_function_has_the_sdk(project: ProjectFolder, function: str) -> None:
    """By ``require`` and by ``import``."""
    assert json.loads(project.run("invoke", "test", function).stdout) == "111111111111"


def test_the_sdk_is_in_no_artifact(project: ProjectFolder) -> None:
    """Code that goes to AWS is what it was."""
    (archive,) = project.folder.glob(".multistack/artifacts/*/code/*.zip")
    assert sorted(zipfile.ZipFile(archive).namelist()) == ["new.mjs", "old.js"]
