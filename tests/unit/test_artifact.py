"""Building and keeping artifacts."""

from __future__ import annotations

import errno
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.artifact import (
    ArtifactStore,
    bucket_of,
    code_sha256,
    files_of,
    key_of,
    sha256_of,
    write_zip,
)
from emulator.building import build, check_sizes, check_source
from emulator.errors import ArtifactError, ConfigError, file_hint
from emulator.events import Event
from emulator.handlers import check_in_package
from emulator.model import Artifact, Project
from emulator.template import LocalCode

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {CodeUri: src/, Runtime: python3.12}}
Resources:
  One: {Type: AWS::Serverless::Function, Properties: {Handler: app.handler}}
  Two: {Type: AWS::Serverless::Function, Properties: {Handler: app.handler}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two functions that share their code."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return Project(
        file=tmp_path / "multistack.toml", service="tiny", template=tmp_path / "template.yaml", environments=()
    )


@pytest.fixture
def store(project: Project) -> ArtifactStore:
    """Where the project's artifacts go."""
    return ArtifactStore(project.state / "artifacts")


def make(project: Project, store: ArtifactStore) -> Artifact:
    """A build in silence."""
    return build(project, store, emit=_ignore)


def _ignore(event: Event) -> None:
    pass


def test_functions_that_share_a_folder_share_an_archive(project: Project, store: ArtifactStore) -> None:
    """One zip under its own hash, in the store and in the template."""
    artifact = make(project, store)
    (code,) = artifact.code
    assert code.functions == ("One", "Two")
    assert sha256_of(code.path) == code.sha256
    resources = artifact.template["Resources"]
    assert isinstance(resources, dict)
    assert resources["One"]["Properties"]["CodeUri"]["Key"] == key_of(code) == f"code/{code.sha256}.zip"


def test_the_same_source_is_the_same_artifact(project: Project, store: ArtifactStore) -> None:
    """Times don't matter, bytes do."""
    first = make(project, store)
    os.utime(project.root / "src/app.py", (0, 0))
    assert make(project, store) == first
    (project.root / "src/app.py").write_text("def handler(event, context): pass\n")
    assert make(project, store).digest != first.digest


def test_what_is_no_source_is_left_out(project: Project, store: ArtifactStore) -> None:
    """Caches, virtual environments and our own state change no digest."""
    first = make(project, store)
    for name in ("__pycache__/app.cpython-311.pyc", ".venv/x.py", ".git/HEAD", ".multistack/x", ".DS_Store", "b.pyc"):
        path = project.root / "src" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert make(project, store) == first


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    """A linked file counts as itself; a dangling link, a loop and a pipe are nothing."""
    source, shared = tmp_path / "src", tmp_path / "shared"
    source.mkdir()
    shared.mkdir()
    (shared / "lib.py").write_text("")
    (source / "linked").symlink_to(shared)
    (source / "loop").symlink_to(source)
    (source / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(source / "pipe")
    assert [name for name, _ in files_of(source)] == ["linked/lib.py"]


def test_a_zip_depends_on_names_bytes_and_the_executable_bit(tmp_path: Path) -> None:
    """Entries are sorted, times fixed, nothing compressed."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(0o640)
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    write_zip(one, {"b": tmp_path / "b", "a": tmp_path / "a"})
    (tmp_path / "a").chmod(0o604)
    write_zip(two, {"a": tmp_path / "a", "b": tmp_path / "b"})
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert [(info.filename, info.date_time, info.compress_type) for info in archive.infolist()] == [
            (name, (1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED) for name in ("a", "b")
        ]
    (tmp_path / "a").chmod(0o744)
    write_zip(two, {"a": tmp_path / "a", "b": tmp_path / "b"})
    assert one.read_bytes() != two.read_bytes()


def test_a_ready_zip_is_packed_anew(project: Project, store: ArtifactStore) -> None:
    """However it was compressed; what isn't one is refused."""
    archive = project.root / "app.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as output:
        output.write(project.root / "src/app.py", "app.py")
    folder = make(project, store)
    project.template.write_text(TEMPLATE.replace("src/", "app.zip"))
    assert make(project, store).code[0].sha256 == folder.code[0].sha256
    archive.write_bytes(b"no zip")
    with pytest.raises(ArtifactError, match=r"app.zip is not a zip archive"):
        make(project, store)


def test_open_rejects_changed_bytes(project: Project, store: ArtifactStore) -> None:
    """A tampered artifact never reaches an environment."""
    artifact = make(project, store)
    artifact.code[0].path.write_bytes(b"other")
    with pytest.raises(ArtifactError, match="was changed after it was built"):
        store.open(artifact.digest)


def test_open_rejects_a_changed_template(project: Project, store: ArtifactStore) -> None:
    """The digest covers the template too."""
    digest = make(project, store).digest
    manifest = project.state / "artifacts" / digest / "artifact.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"python3.12", b"python3.13"))
    with pytest.raises(ArtifactError, match="was changed"):
        store.open(digest)


def test_open_tells_what_is_not_there(store: ArtifactStore) -> None:
    """With the commands that bring it back."""
    with pytest.raises(ArtifactError, match=r"artifact abc is not in .*: No such file") as caught:
        store.open("abc")
    assert "multistack artifact import" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("handler", "files", "said"),
    [
        pytest.param("app", ["app.py"], "is not <module>.<function>: app", id="no dot"),
        pytest.param("app.", ["app.py"], "is not <module>.<function>", id="no function"),
        pytest.param(".handler", ["app.py"], "is not <module>.<function>", id="no module's name"),
        pytest.param("/opt/app.handler", ["app.py"], "is not <module>.<function>", id="absolute"),
        pytest.param("..app.handler", ["app.py"], "is not <module>.<function>", id="above"),
        pytest.param("nope.handler", ["app.py"], "handler nope.handler of Web is missing", id="no module"),
        pytest.param("app.handler", ["app.py"], None, id="module"),
        pytest.param("pkg.app.handler", ["pkg/app.py"], None, id="module in package"),
        pytest.param("pkg/app.handler", ["pkg/app.py"], None, id="path"),
        pytest.param("pkg.handler", ["pkg/__init__.py"], None, id="package"),
    ],
)
def test_a_handler_must_be_there(tmp_path: Path, handler: str, files: list[str], said: str | None) -> None:
    """Before anything is built, for Python."""
    check_handler(function(tmp_path, "python3.12", handler, files), said)


def function(folder: Path, runtime: str, handler: str, files: list[str]) -> LocalCode:
    """A function whose folder has these empty files."""
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return LocalCode(logical_id="Web", type="AWS::Lambda::Function", path=folder, runtime=runtime, handler=handler)


def check_handler(code: LocalCode, said: str | None) -> None:
    """It is taken, or refused with what is *said*."""
    if said is None:
        check_source(code, Path("t.yaml"))
    else:
        with pytest.raises(ConfigError, match=f"t.yaml.*{said}"):
            check_source(code, Path("t.yaml"))


@pytest.mark.parametrize(
    ("handler", "files", "said"),
    [
        pytest.param("app", ["app.js"], "is not <module>.<function>: app", id="no dot"),
        pytest.param(
            "nope.handler", ["app.js"], "handler nope.handler of Web is missing: no .*nope.js", id="no module"
        ),
        pytest.param("src/app.handler", ["src/app.ts"], "handler src/app.handler of Web is missing", id="TypeScript"),
        pytest.param("src/app.handler", ["src/app.js"], None, id="path"),
        pytest.param("app.handler", ["app.mjs"], None, id="module"),
        pytest.param("app.handler", ["app/index.js"], None, id="folder"),
        pytest.param("app.main.handler", ["app.main.js"], None, id="dots in the name"),
        pytest.param("app.nested.handler", ["app.js"], None, id="function in an object"),
        pytest.param("[id].handler", ["[id].js"], None, id="brackets"),
        pytest.param("/opt/nodejs/wrap.handler", [], None, id="of a layer"),
        pytest.param("node_modules/wrap/index.handler", [], None, id="of a package"),
    ],
)
def test_a_node_handler_must_be_there(tmp_path: Path, handler: str, files: list[str], said: str | None) -> None:
    """As ``require`` looks for it; a layer may bring it."""
    code = function(tmp_path, "nodejs22.x", handler, files)
    check_handler(code, said)
    if "missing" in (said or ""):
        check_handler(replace(code, has_layers=True), None)


@pytest.mark.parametrize(
    ("runtime", "name", "is_there"),
    [
        pytest.param("python3.12", "app.py", True, id="Python"),
        pytest.param("python3.12", "app.cpython-312-x86_64-linux-gnu.so", True, id="compiled"),
        pytest.param("python3.12", "src/app.py", False, id="elsewhere"),
        pytest.param("nodejs22.x", "app.js", True, id="Node"),
        pytest.param("nodejs22.x", "app.py", False, id="other language"),
    ],
)
def test_a_handler_must_be_in_a_zip(tmp_path: Path, runtime: str, name: str, is_there: bool) -> None:
    """Also in one that a tool made."""
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr(name, "")
    code = LocalCode(
        logical_id="Web", type="AWS::Serverless::Function", path=archive, runtime=runtime, handler="app.handler"
    )
    check_source(code, Path("t.yaml"))
    if is_there:
        check_in_package(code, archive, Path("t.yaml"))
    else:
        with pytest.raises(ConfigError, match=r"t.yaml: handler app.handler of Web is missing: no app\.(py|js)"):
            check_in_package(code, archive, Path("t.yaml"))


def test_other_runtimes_and_layers_have_no_handler_to_check(tmp_path: Path) -> None:
    """Only their folder must be there."""
    java = LocalCode(logical_id="A", type="AWS::Lambda::Function", path=tmp_path, runtime="java21", handler="x")
    layer = LocalCode(
        logical_id="B", type="AWS::Lambda::LayerVersion", path=tmp_path / "no", runtime=None, handler=None
    )
    check_source(java, Path("t.yaml"))
    with pytest.raises(ConfigError, match="the code of B is missing"):
        check_source(layer, Path("t.yaml"))


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        pytest.param(errno.ENOSPC, "free some space", id="full"),
        pytest.param(errno.EDQUOT, "free some space", id="quota"),
        pytest.param(errno.EACCES, "check its owner and permissions", id="not allowed"),
    ],
)
def test_the_hint_fits_what_is_wrong_with_a_file(code: int, hint: str) -> None:
    """A full disk has another remedy than a wrong owner."""
    assert file_hint(OSError(code, "reason")).startswith(hint)


def test_names_are_those_that_lambda_uses() -> None:
    """A bucket per region, hashes in base64."""
    assert bucket_of("eu-west-1") == "multistack-artifacts-eu-west-1"
    assert code_sha256("00" * 32) == "A" * 43 + "="


def test_a_folder_with_two_names_is_packed_twice(tmp_path: Path) -> None:
    """A link beside its target is no loop; one to a folder that it is in is."""
    (tmp_path / "a/deep").mkdir(parents=True)
    (tmp_path / "a/deep/lib.py").write_text("")
    (tmp_path / "a/deep/up").symlink_to(tmp_path / "a")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [name for name, _ in files_of(tmp_path)] == ["a/deep/lib.py", "b/deep/lib.py"]


def test_a_program_in_a_ready_zip_stays_executable(project: Project, store: ArtifactStore) -> None:
    """A custom runtime's bootstrap must run."""
    with zipfile.ZipFile(project.root / "app.zip", "w") as output:
        for name, mode in (("app.py", 0o100644), ("bin/bootstrap", 0o100755)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            output.writestr(info, "x")
    project.template.write_text(TEMPLATE.replace("src/", "app.zip"))
    with zipfile.ZipFile(make(project, store).code[0].path) as packed:
        modes = {info.filename: oct(info.external_attr >> 16) for info in packed.infolist()}
    assert modes == {"app.py": "0o100644", "bin/bootstrap": "0o100755"}


LAYERS = """
Transform: AWS::Serverless-2016-10-31
Resources:
  AsIs: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer}}
  Python: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.12}, Properties: {ContentUri: layer}}
  Node: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: nodejs20.x}, Properties: {ContentUri: layer}}
"""


def test_layers_are_laid_out_as_sam_build_does(project: Project, store: ArtifactStore) -> None:
    """Where the runtime looks for them if they ask to be built, else as they are."""
    (project.root / "layer").mkdir()
    (project.root / "layer/one.py").write_text("")
    (project.root / "layer/requirements.txt").write_text("# nothing\n")
    project.template.write_text(LAYERS)
    names = {}
    for code in make(project, store).code:
        with zipfile.ZipFile(code.path) as archive:
            names[code.functions] = archive.namelist()
    assert names == {
        ("AsIs",): ["one.py", "requirements.txt"],
        ("Python",): ["python/one.py", "python/requirements.txt"],
        ("Node",): ["nodejs/one.py", "nodejs/requirements.txt"],
    }


@pytest.mark.parametrize("method", ["rust-cargolambda", "dotnet8", "java21"])
def test_what_only_sam_build_can_build_is_refused(project: Project, store: ArtifactStore, method: str) -> None:
    """Its result can be deployed."""
    function = "{Type: AWS::Serverless::Function, Metadata: {BuildMethod: " + method + "}, Properties: {Handler: a.b}}"
    project.template.write_text(TEMPLATE + f"  Three: {function}\n")
    with pytest.raises(ConfigError, match=f"Three is built by {method}, which multistack does not do") as caught:
        make(project, store)
    assert ".aws-sam/build/template.yaml" in str(caught.value.hint)


def test_a_package_above_lambda_s_limit_is_refused(project: Project, store: ArtifactStore) -> None:
    """In Lambda's words, before anything is zipped."""
    with (project.root / "src/large").open("wb") as large:
        large.truncate(270_000_000)
    with pytest.raises(ArtifactError, match="One: Unzipped size must be smaller than 262144000 bytes; it has 2700000"):
        make(project, store)


def test_layers_count_for_the_limit() -> None:
    """Each function with its own; of a nested stack, with that one's."""
    function = {"Type": "AWS::Lambda::Function", "Properties": {"Layers": [{"Ref": "Large"}, "arn"]}}
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": {"Resources": {"Web": function}}}}
    template = {"Resources": {"Inner": nested}}
    check_sizes(template, {"InnerWeb": 1, "Large": 262_144_000})
    with pytest.raises(ArtifactError, match="InnerWeb: Unzipped size must be smaller than 262144000 bytes"):
        check_sizes(template, {"InnerWeb": 1, "InnerLarge": 262_144_000})
