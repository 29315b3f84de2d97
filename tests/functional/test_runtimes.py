"""A function runs on the interpreter that it declares, or the user is told otherwise before the first request."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import interpreters
from tests.conftest import MULTISTACK, ProjectFolder
from tests.functional.emulators import running
from tests.functional.tiny import TEMPLATE, get, refused, source, tiny_project, write

pytestmark = pytest.mark.embedded("its interpreters")

_FOLDERS = interpreters.search_path(os.environ["PATH"], home=Path.home())
_FOUND = interpreters.find(_FOLDERS)
_VERSION = "import sys\n" + source("'%d.%d' % sys.version_info[:2]")
_WEB = TEMPLATE.partition("Resources:\n")[2]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFolder]:
    """A service of one function."""
    with tiny_project(tmp_path) as project:
        yield project


def two_functions(runtime: str) -> str:
    """The template with a second function, both of *runtime*."""
    template = TEMPLATE + _WEB.replace("Web:", "Second:").replace("Path: /", "Path: /second")
    return template.replace("python3.12", runtime)


def test_each_python_of_the_machine_runs_functions(tmp_path: Path) -> None:
    """Whatever versions are here, forked and started: each function sees the one that it declares, and boto3."""
    code = """
        import boto3, sys
        def handler(event, context):
            return ["%d.%d" % sys.version_info[:2], boto3.client("sts").get_caller_identity()["Account"]]
        """
    with running(tmp_path / "environment", interpreters=_FOLDERS) as emulator:
        for one in _FOUND:
            for number, variables in enumerate(({}, {"PYTHONHASHSEED": "0"})):
                name = f"on-{one.version[1]}-{number}"
                emulator.create(name, code, runtime=one.name, Timeout=30, Environment={"Variables": variables})
                answer = emulator.invoke(name)
                assert answer.error == "", answer.payload
                assert answer.payload[0] == one.name.removeprefix("python")


def test_a_python_that_is_not_here_is_told_once(project: ProjectFolder) -> None:
    """Two functions: one line at deploy, one in the emulator's log; then the nearest runs."""
    nearest = interpreters.choose("python3.99", _FOUND)
    write(project, "src/app.py", _VERSION)
    write(project, "template.yaml", two_functions("python3.99"))
    said = project.run("up").stderr
    assert said.count("python3.99") == 1
    assert f"its functions run on {nearest.name}" in said
    for path in ("", "second"):
        assert get(project, path).body.decode() == nearest.name.removeprefix("python")
    log = (project.folder / ".multistack/environments/test/server.log").read_text()
    assert log.count("python3.99 is not on this machine") == 1
    assert "warning" not in project.run("deploy").stderr


def test_a_python_of_the_machine_is_used_without_a_word(project: ProjectFolder) -> None:
    """The declared version is found wherever it stands, and answers."""
    other = [one for one in _FOUND if one != interpreters.own()]
    if not other:
        pytest.skip("this machine has one Python only")
    write(project, "src/app.py", _VERSION)
    write(project, "template.yaml", TEMPLATE.replace("python3.12", other[-1].name))
    assert "not on this machine" not in project.run("up").stderr
    assert get(project).body.decode() == other[-1].name.removeprefix("python")


@pytest.mark.parametrize("runtime", ["java21", "dotnet8", "ruby3.3", "provided.al2023"])
def test_a_runtime_that_cannot_run_is_refused_at_deploy(project: ProjectFolder, runtime: str) -> None:
    """By name, with the functions that want it and what works; nothing serves."""
    write(project, "template.yaml", two_functions(runtime))
    said = refused(project, "up", code=4)
    assert f"can't run {runtime} (function Second, Web)" in said
    assert "the embedded emulator runs python3.* and nodejs* functions" in said


def test_node_functions_need_a_node(project: ProjectFolder) -> None:
    """Without one on the path the deployment says so; with one it works."""
    write(project, "src/app.js", "exports.handler = async () => ({statusCode: 200, body: 'node'});")
    write(project, "template.yaml", TEMPLATE.replace("python3.12", "nodejs20.x"))
    said = refused(project, "up", code=4, env={"PATH": path_without_node(project.home)})
    assert "can't run nodejs20.x (function Web)" in said
    assert "there is no node on the PATH" in said
    if shutil.which("node") is None:
        pytest.skip("this machine has no Node")
    project.run("down")
    project.run("up")
    assert get(project).body == b"node"


def path_without_node(folder: Path) -> str:
    """A path with what the command itself needs."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("sh", "env", "uname"):
        found = shutil.which(name)
        if found:
            (programs / name).symlink_to(found)
    (programs / "multistack").symlink_to(MULTISTACK)
    return str(programs)
