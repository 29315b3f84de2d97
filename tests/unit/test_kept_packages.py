"""While somebody edits, a framework's tool runs only for what it makes something else of."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from emulator.archives import KeptArchives
from emulator.artifact import ArtifactStore
from emulator.building import build
from emulator.config import load_project
from emulator.errors import ArtifactError, ConfigError
from emulator.frameworks.kept import KeptPackages
from emulator.frameworks.service import Packaging
from emulator.frameworks.stages import STAGE, of_stage
from emulator.frameworks.tool import loaded_by_tools, run_tool
from emulator.model import Artifact, Project
from emulator.watching.sources import Sources
from tests.frameworks.faked import write_tool
from tests.frameworks.features import shows

FILE = """
service: notes
plugins: [./plugin]
custom:
  limits: ${file(./settings/${opt:stage}.py)}
"""
# Copies what is in the folder, bundles what ends with .mjs, and tells what it ran, as Node does for the real one.
TOOL = """
import json, os, pathlib, sys, zipfile
stage, out = (sys.argv[sys.argv.index(f"--{name}") + 1] for name in ("stage", "package"))
with open(os.environ["RUNS"], "a") as runs:
    runs.write(f"{stage}\\n")
folder, out = pathlib.Path.cwd(), pathlib.Path(out)
with zipfile.ZipFile(out / "notes.zip", "w") as archive:
    for path in folder.rglob("*"):
        if path.is_file() and "node_modules" not in path.parts and path.suffix in (".py", ".txt", ".js", ".mjs"):
            if path.suffix == ".mjs":
                archive.writestr(str(path.relative_to(folder).with_suffix(".js")), path.read_text() + "// bundled")
            else:
                archive.write(path, path.relative_to(folder))
(out / "loaded.txt").write_text(f"{folder}/plugin.js\\n")
yml = (folder / "serverless.yml").read_text()
if "broken" in yml:
    sys.exit("it is broken")
code = {"S3Bucket": {"Ref": "Bucket"}, "S3Key": f"serverless/{os.getpid()}/notes.zip"}
version = "GetLambdaVersion" + os.urandom(20).hex()
runtime = "nodejs20.x" if (folder / "handler.mjs").exists() else "python3.12"
resources = {
    "Bucket": {"Type": "AWS::S3::Bucket"},
    "GetLambdaFunction": {"Type": "AWS::Lambda::Function", "Properties": {
        "Code": code, "Handler": "handler.get", "Runtime": runtime, "Description": f"{stage} {yml}"}},
    version: {"Type": "AWS::Lambda::Version", "Properties": {
        "FunctionName": {"Ref": "GetLambdaFunction"}, "CodeSha256": os.urandom(8).hex()}}}
if "calls the version" in yml:
    resources["Deployment"] = {"Type": "AWS::ApiGateway::Deployment", "Properties": {"Description": {"Ref": version}}}
(out / "cloudformation-template-update-stack.json").write_text(json.dumps({"Resources": resources}))
(out / "serverless-state.json").write_text(json.dumps({"service": {}, "package": {"artifact": "notes.zip"}}))
"""
PROJECT = 'service = "notes"\n[environments.test]\n[environments.prod]\n'

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node, which these tools run on")


class Builds:
    """Builds of one service by one process, and the stages for which its tool ran."""

    def __init__(self, root: Path) -> None:
        self.folder, self._runs = root / "project", root / "runs"
        self._project: Project = load_project(file=None, environ={}, cwd=self.folder, overrides={}, needs_template=True)
        self.store = ArtifactStore(root / "store")
        self.kept = KeptArchives(KeptPackages(Sources(self._project).files), awaited="test")

    def made(self, *, kept: KeptArchives | None = None) -> tuple[str, list[str]]:
        """The digest, and the stages."""
        artifact, runs = self.artifact(kept=kept)
        return artifact.digest, runs

    def artifact(self, *, kept: KeptArchives | None = None) -> tuple[Artifact, list[str]]:
        """All of it."""
        self._runs.write_text("")
        environ = {"PATH": os.environ["PATH"], "RUNS": str(self._runs)}
        artifact = build(self._project, self.store, emit=lambda _event: None, environ=environ, kept=kept or self.kept)
        return artifact, self._runs.read_text().split()

    def write(self, name: str, text: str) -> None:
        """A file of the service."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    """A service with a plugin of its own, built once, in a folder that a link leads to."""
    (tmp_path / "real").mkdir()
    root = tmp_path / "link"
    root.symlink_to(tmp_path / "real")
    folder = root / "project"
    folder.mkdir()
    (folder / "multistack.toml").write_text(PROJECT)
    (folder / "serverless.yml").write_text(FILE)
    write_tool(folder, "osls", TOOL, package={"name": "osls", "version": "4.3.1"})
    made = Builds(root)
    for name in ("handler.py", "lib/shared.py", "settings/test.py", "notes.txt"):
        made.write(name, f"# {name}\n")
    made.write("plugin.js", "// a plugin\n")
    assert made.made()[1] == ["test", "prod"]
    return made


@shows("Serverless Framework", "`multistack watch`: code that is packaged as it is takes no run of the tool")
def test_saved_code_needs_no_tool_and_is_what_the_tool_would_make(builds: Builds) -> None:
    """What is watched can be promoted: it is the artifact that a build from nothing makes of the same source."""
    for text in ("def get(event, context): return 1\n", "def get(event, context): return 2\n"):
        builds.write("handler.py", text)
        builds.write("lib/shared.py", text)
        digest, runs = builds.made()
        assert runs == []
        assert builds.made(kept=KeptArchives()) == (digest, ["test", "prod"])


def test_what_was_saved_before_may_go(builds: Builds) -> None:
    """Artifacts of saves are removed, except for the latest."""
    for turn in range(3):
        builds.write("handler.py", f"def get(event, context): return {turn}\n")
        artifact, runs = builds.artifact()
        assert runs == []
        for digest in builds.store.digests():
            if digest != artifact.digest:
                builds.store.remove(digest)


def test_a_version_is_named_by_the_code_that_it_publishes(builds: Builds) -> None:
    """A new name publishes a version; the same code under a new name would be refused."""

    def version() -> set[str]:
        resources = builds.artifact()[0].template["Resources"]
        assert isinstance(resources, dict)
        return {name for name in resources if "LambdaVersion" in name}

    before = version()
    builds.write("handler.py", "def get(event, context): return 1\n")
    assert not version() & before
    builds.write("handler.py", "# handler.py\n")
    assert version() == before


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("serverless.yml", id="its own file"),
        pytest.param("notes.txt", id="a file that is no code"),
        pytest.param("plugin.js", id="code that the tool runs"),
        pytest.param("settings/test.py", id="a file that values are taken from"),
        pytest.param("handler2.py", id="a new file"),
        pytest.param(".env", id="variables"),
        pytest.param("node_modules/.package-lock.json", id="an installation"),
    ],
)
def test_whatever_else_is_saved_runs_the_tool_for_the_stage_that_is_watched(builds: Builds, name: str) -> None:
    """It may make something else of it; the other stages are made by the next build for all."""
    builds.write(name, FILE.replace("notes", "others") if name == "serverless.yml" else "// saved\n")
    assert builds.made()[1] == ["test"]
    builds.write("handler.py", "# saved after it\n")
    assert builds.made()[1] == []


def test_what_was_made_for_one_stage_goes_into_no_other(builds: Builds) -> None:
    """A promotion would bring prod what the tool made for test."""
    builds.write("notes.txt", "other\n")
    template = dict(builds.artifact()[0].template)
    description = of_stage(template, {STAGE: "test"})["Resources"]["GetLambdaFunction"]["Properties"]["Description"]
    assert description.startswith("test")
    with pytest.raises(ConfigError, match="the artifact was built for test, and stage prod is none of these"):
        of_stage(template, {STAGE: "prod"})


def test_a_file_that_went_runs_the_tool(builds: Builds) -> None:
    """What it makes of the others nobody else knows."""
    (builds.folder / "lib/shared.py").unlink()
    assert builds.made()[1] == ["test"]


def test_a_file_whose_text_is_in_the_template_runs_the_tool(builds: Builds) -> None:
    """A resolver's code, a small function's: the tool put it there."""
    builds.write("resolver.js", "# a resolver\n")
    builds.write("serverless.yml", f"{FILE}# a resolver\n")
    builds.made()
    builds.write("resolver.js", "# another one\n")
    assert builds.made()[1] == ["test"]


def test_code_whose_version_is_asked_for_runs_the_tool(builds: Builds) -> None:
    """CDK names an API's deployment by what its methods call: the version's name is in that one."""
    builds.write("serverless.yml", f"{FILE}# calls the version\n")
    builds.made()
    builds.write("handler.py", "# another one\n")
    assert builds.made()[1] == ["test"]


def test_files_that_are_alike_run_the_tool(builds: Builds) -> None:
    """Which of two files of one name is packaged can't be told while they hold the same."""
    builds.write("other/shared.py", "# lib/shared.py\n")
    builds.write("shared.py", "# lib/shared.py\n")
    builds.made()
    builds.write("shared.py", "# another one\n")
    assert builds.made()[1] == ["test"]


def test_bundled_code_runs_the_tool(builds: Builds) -> None:
    """Of a function's files one is another one in the package: the rest may be in it as well."""
    builds.write("handler.mjs", "export const get = 1\n")
    builds.write("helper.js", "exports.one = 1\n")
    builds.made()
    builds.write("helper.js", "exports.one = 2\n")
    assert builds.made()[1] == ["test"]


def test_code_saved_while_its_file_is_broken_waits_for_the_tool(builds: Builds) -> None:
    """What it made before is no longer what the service is."""
    builds.write("serverless.yml", "service: broken\n")
    for _ in range(2):
        with pytest.raises(ArtifactError, match="it is broken"):
            builds.made()
        builds.write("handler.py", "# saved meanwhile\n")


_NODE = 'setTimeout(() => { require("./late"); delete require.cache[__filename] }, 1)'
_PYTHON = 'import os, late; os.chdir("/"); import customized; assert customized.found'


@pytest.mark.parametrize(
    ("program", "suffix", "main"), [("node", "js", _NODE), (sys.executable, "py", _PYTHON)], ids=["node", "python"]
)
def test_tools_tell_what_they_run_as_code(tmp_path: Path, program: str, suffix: str, main: str) -> None:
    """Also what they load late or forget; a sitecustomize that was there before is run as well."""
    files = {tmp_path / f"{name}.{suffix}" for name in ("main", "late")}
    for name in ("main", "late", "handler"):
        (tmp_path / f"{name}.{suffix}").write_text(f"{main if name == 'main' else ''}\n")
    beside, work = tmp_path / "beside", tmp_path / "work"
    (work / "0").mkdir(parents=True)
    beside.mkdir()
    (beside / "customized.py").write_text("found = False\n")
    (beside / "sitecustomize.py").write_text("import customized\ncustomized.found = True\n")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(beside)}
    packaging = Packaging(environ=environ, work=work / "0", emit=lambda _event: None, cancelled=lambda: None)
    assert loaded_by_tools(work) is None
    run_tool([program, f"main.{suffix}"], folder=tmp_path, packaging=packaging, variables={})
    told = loaded_by_tools(work)
    assert told is not None
    assert {path for path in told if path.parent == tmp_path} == files


def test_of_several_services_only_that_runs_its_tool_which_it_reads(tmp_path: Path) -> None:
    """Each is packaged by itself, and all are one artifact."""
    folder = tmp_path / "project"
    services = "".join(f'[[services]]\nname = "{name}"\ntemplate = "{name}"\n' for name in ("one", "two"))
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        write_tool(folder / name, "osls", TOOL, package={"name": "osls", "version": "4.3.1"})
        (folder / name / "serverless.yml").write_text("service: notes\n")
        (folder / name / "handler.py").write_text(f"# {name}\n")
    (folder / "multistack.toml").write_text(f'service = "both"\n[environments.test]\n{services}')
    builds = Builds(tmp_path)
    assert builds.made()[1] == ["test", "test"]
    builds.write("one/handler.py", "# saved\n")
    digest, runs = builds.made()
    assert runs == []
    assert builds.made(kept=KeptArchives())[0] == digest
    builds.write("two/handler.py", "# saved\n")
    builds.write("two/notes.txt", "new\n")
    assert builds.made()[0] == builds.made(kept=KeptArchives())[0]
