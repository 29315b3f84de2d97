"""The AWS SDK for Node functions: what they ask for is there, and in no artifact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulator import node_sdk
from emulator.errors import ArtifactError
from emulator.events import Event
from emulator.template import LocalCode


class Npm:
    """Installs what it is asked for, unless it can't."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.is_there = True

    def install(self, source: LocalCode, cache: Path, *, emit: object) -> Path:
        """As :func:`emulator.tool_builds.install_npm`."""
        if not self.is_there:
            raise ArtifactError("there is no npm")
        wanted = sorted(json.loads((source.path / "package.json").read_text())["dependencies"])
        self.asked.append(wanted)
        folder = cache / f"npm-{len(self.asked)}"
        for name in wanted:
            (folder / "node_modules" / name).mkdir(parents=True)
            (folder / "node_modules" / name / "package.json").write_text("{}")
        return folder


@pytest.fixture
def npm(monkeypatch: pytest.MonkeyPatch) -> Npm:
    """In the place of the real one."""
    found = Npm()
    monkeypatch.setattr(node_sdk, "install_npm", found.install)
    return found


def provide(tmp_path: Path, *scripts: str, runtime: str = "nodejs20.x", brings: str = "") -> list[str]:
    """Events of a function with *scripts*."""
    code = tmp_path / "code"
    code.mkdir(exist_ok=True)
    contents = {}
    for number, script in enumerate(scripts):
        path = code / f"{number}.mjs"
        path.write_text(script)
        contents[path.name] = path
    if brings:
        contents[f"node_modules/{brings}/package.json"] = code
    events: list[Event] = []
    source = LocalCode(logical_id="Fn", type="AWS::Lambda::Function", path=code, runtime=runtime, handler="0.handler")
    node_sdk.provide(contents, source, tmp_path / "cache", emit=events.append)
    return [event.detail for event in events]


@pytest.mark.parametrize(
    "script",
    [
        'const { S3Client } = require("@aws-sdk/client-s3")',
        "import { S3Client } from '@aws-sdk/client-s3';",
        'import{S3Client as a}from"@aws-sdk/client-s3";',
        "const found = await import('@aws-sdk/client-s3')",
    ],
)
def test_what_a_script_imports_is_installed(tmp_path: Path, npm: Npm, script: str) -> None:
    """However it says so."""
    (tmp_path / "cache").mkdir()
    assert provide(tmp_path, script) == []
    assert npm.asked == [["@aws-sdk/client-s3"]]
    assert (tmp_path / "cache/node-sdk/node_modules/@aws-sdk/client-s3").is_dir()


def test_what_is_there_is_not_installed_again(tmp_path: Path, npm: Npm) -> None:
    """And what comes later joins it: functions that run have it in use."""
    (tmp_path / "cache").mkdir()
    for name in ("client-s3", "client-s3", "client-sns"):
        provide(tmp_path, f'require("@aws-sdk/{name}")')
    assert npm.asked == [["@aws-sdk/client-s3"], ["@aws-sdk/client-s3", "@aws-sdk/client-sns"]]


@pytest.mark.parametrize(
    ("script", "runtime", "brings"),
    [
        pytest.param('require("@aws-sdk/client-s3")', "nodejs16.x", "", id="a runtime without it"),
        pytest.param('require("@aws-sdk/client-s3")', "python3.12", "", id="no Node"),
        pytest.param('require("@aws-sdk/client-s3")', "nodejs20.x", "@aws-sdk/client-s3", id="it brings its own"),
        pytest.param('require("./@aws-sdk/client-s3")', "nodejs20.x", "", id="a file of its own"),
    ],
)
def test_nothing_is_installed_that_nobody_misses(
    tmp_path: Path, npm: Npm, script: str, runtime: str, brings: str
) -> None:
    """What AWS doesn't have either must be missing here too."""
    provide(tmp_path, script, runtime=runtime, brings=brings)
    assert npm.asked == []


def test_what_can_not_be_installed_is_told(tmp_path: Path, npm: Npm) -> None:
    """The function may never get there, so it is built."""
    npm.is_there = False
    (said,) = provide(tmp_path, 'require("@aws-sdk/client-s3")')
    assert "Fn imports @aws-sdk/client-s3, which AWS's Node runtimes have and npm can't install here" in said
    assert "there is no npm" in said
