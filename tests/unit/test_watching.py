"""What is watched, what a batch of saves is called, and what changed from one artifact to the next."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.left_out import is_left_out, is_of_editor
from emulator.model import Artifact, Code
from emulator.watching.batches import said
from emulator.watching.changed import changed_code, hold_up, syntax_problem
from emulator.watching.folders import folders_to_watch, is_watched

RESOURCES = {
    "Web": {"Type": "AWS::Serverless::Function", "Properties": {"Runtime": "python3.10"}},
    "Worker": {"Type": "AWS::Serverless::Function", "Properties": {"Runtime": "python3.10"}},
    "Shared": {"Type": "AWS::Serverless::LayerVersion", "Properties": {}},
}


@pytest.mark.parametrize(
    "name",
    [
        "4913",
        ".app.py.swp",
        ".app.py.swx",
        "app.py~",
        "app.py___jb_tmp___",
        "app.py___jb_old___",
        "#app.py#",
        ".#app.py",
        ".goutputstream-4XPA01",
        ".app.py.kate-swp",
        ".app.py.un~",
    ],
)
def test_what_editors_keep_for_a_moment_is_no_part_of_a_service(name: str) -> None:
    """It is neither watched nor built."""
    assert is_of_editor(name)
    assert is_left_out(name)
    assert not is_watched(Path("/src") / name)


@pytest.mark.parametrize("name", ["app.py", "49130", "swp", "tmp.py", "notes#1.txt", ".env", ".hidden"])
def test_what_people_write_is_part_of_a_service(name: str) -> None:
    """A name that only looks like an editor's is kept."""
    assert not is_left_out(name)
    assert is_watched(Path("/src") / name)


def test_what_a_build_writes_beside_its_source_starts_no_other_build(tmp_path: Path) -> None:
    """The command of a CDK app may compile TypeScript first; JavaScript that stands alone is somebody's own."""
    (tmp_path / "app.ts").touch()
    assert not any(is_watched(tmp_path / name) for name in ("app.js", "app.d.ts", "app.js.map"))
    assert all(is_watched(tmp_path / name) for name in ("app.ts", "other.js"))


@pytest.mark.parametrize(("name", "watched"), [("multistack.toml", True), (".env.test", True), (".env.test~", False)])
def test_config_is_watched_though_it_is_never_built(name: str, watched: bool) -> None:
    """A release is an artifact and config: both change by a save."""
    assert is_left_out(name)
    assert is_watched(Path("/project") / name) is watched


def test_what_a_frameworks_tool_writes_is_not_watched(tmp_path: Path) -> None:
    """Each build would lead to the next; its settings beside it are watched."""
    tree(tmp_path, ".serverless/x.zip", "cdk.out/tree.json", ".chalice/deployments/a.zip", ".chalice/config.json")
    assert below(tmp_path, folders_to_watch([tmp_path], tmp_path)) == {".", ".chalice"}
    assert not any(is_watched(tmp_path / name) for name in (".serverless", "cdk.out", ".chalice/deployments"))
    assert is_watched(tmp_path / "deployments")


def tree(root: Path, *files: str) -> None:
    """Empty files, and the folders that they are in."""
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def below(root: Path, found: frozenset[Path]) -> set[str]:
    """Relative to *root*."""
    return {str(path.relative_to(root)) for path in found}


def test_no_folder_is_watched_in_vain(tmp_path: Path) -> None:
    """State, installed packages, virtual environments and hidden folders hold thousands of files nobody edits."""
    tree(
        tmp_path, "template.yaml", "src/app.py", "src/parts/one.py", "src/node_modules/left/index.js", "tests/test_a.py"
    )
    tree(tmp_path, ".multistack/history", ".git/HEAD", "env/pyvenv.cfg", "env/lib/a.py", "node_modules/x/index.js")
    found = folders_to_watch([tmp_path / "template.yaml", tmp_path / "src"], tmp_path)
    assert below(tmp_path, found) == {".", "src", "src/parts", "tests"}


def test_links_end_and_lead_out_only_from_code(tmp_path: Path) -> None:
    """The build follows links in code; elsewhere one to the root of the machine would be followed for nothing."""
    tree(tmp_path, "project/src/app.py", "project/docs/a.md", "shared/lib.py", "other/x")
    project = tmp_path / "project"
    (project / "src/loop").symlink_to(project / "src")
    (project / "src/shared").symlink_to(tmp_path / "shared")
    (project / "docs/other").symlink_to(tmp_path / "other")
    found = folders_to_watch([project / "src"], project)
    assert below(tmp_path, found) == {"project", "project/src", "project/docs", "shared"}


def test_a_link_to_itself_is_like_a_folder_that_is_gone(tmp_path: Path) -> None:
    """It leads nowhere, and may be mended."""
    tree(tmp_path, "multistack.toml")
    (tmp_path / "src").symlink_to(tmp_path / "src")
    assert below(tmp_path, folders_to_watch([tmp_path / "src"], tmp_path)) == {"."}


def test_a_folder_that_is_gone_is_awaited(tmp_path: Path) -> None:
    """The nearest folder above it tells when it comes back."""
    tree(tmp_path, "project/multistack.toml", "elsewhere/x")
    gone = tmp_path / "elsewhere" / "code" / "src"
    found = folders_to_watch([gone], tmp_path / "project")
    assert below(tmp_path, found) == {"project", "elsewhere"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["src/app.py"], "src/app.py"),
        (["src/b.py", "src/a.py"], "src/a.py and 1 other"),
        (["c", "b", "a"], "a and 2 others"),
    ],
)
def test_a_batch_is_told_in_a_few_words(names: list[str], expected: str) -> None:
    """However many files a branch changed, it is one line."""
    assert said(frozenset(Path("/project") / name for name in names), Path("/project")) == expected


@pytest.mark.parametrize(
    ("problems", "changed", "expected"),
    [
        ({}, ["A"], ""),
        ({"A": "NameError: x"}, ["A"], "A: NameError: x"),
        ({"A": "NameError: x"}, ["A", "C", "B"], "A: NameError: x; that holds up B and 1 other"),
        (
            {"A": "E: x", "B": "E: x", "C": "E: x"},
            "ABCD",
            "A: E: x; nor can B and 1 other be imported; that holds up D",
        ),
    ],
)
def test_functions_that_wait_for_another_are_told(problems: dict[str, str], changed: list[str], expected: str) -> None:
    """Which one can't be imported, and what it holds up."""
    assert hold_up(problems, changed) == expected


def test_files_elsewhere_are_told_with_their_whole_path() -> None:
    """Code may lie beside the project."""
    assert said(frozenset([Path("/shared/lib.py")]), Path("/project")) == "/shared/lib.py"


def artifact(folder: Path, code: Mapping[str, str], template: Mapping[str, Any] = RESOURCES) -> Artifact:
    """One whose functions have these handlers' files; each zip is called as its content."""
    made = []
    for name, text in code.items():
        sha256 = (text.encode().hex() * 64)[:64]
        path = folder / f"{sha256}-{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("app.py"), text)
        made.append(Code(path=path, sha256=sha256, functions=(name,)))
    resources = json.loads(json.dumps(template))
    for one in made:
        resources[one.functions[0]]["Properties"]["CodeUri"] = f"code/{one.sha256}.zip"
    return Artifact(digest="", template={"Resources": resources}, code=tuple(made))


def test_only_functions_with_other_code_are_tried(tmp_path: Path) -> None:
    """The others run as they did; a layer can't be imported by itself."""
    before = artifact(tmp_path, {"Web": "a = 1", "Worker": "b = 1", "Shared": "c = 1"})
    after = artifact(tmp_path, {"Web": "a = 2", "Worker": "b = 1", "Shared": "c = 2"})
    assert set(changed_code(before, after)) == {"Web"}


def test_nothing_is_tried_when_the_template_changed_as_well(tmp_path: Path) -> None:
    """A function is tried with its handler and variables as they are, and these may be about to change."""
    before = artifact(tmp_path, {"Web": "a = 1"})
    other = {**RESOURCES, "Web": {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "app.other"}}}
    assert changed_code(before, artifact(tmp_path, {"Web": "a = 2"}, other)) == {}


@pytest.mark.parametrize(
    ("runtime", "expected"),
    [
        pytest.param("python3.10", "app.py line 1: invalid syntax", id="older"),
        pytest.param("python3.99", "", id="newer, which may know that syntax"),
    ],
)
def test_a_changed_file_is_parsed_where_code_is_not_tried(tmp_path: Path, runtime: str, expected: str) -> None:
    """In a container a function can't be tried before it is deployed."""
    template = {"Web": {"Type": "AWS::Serverless::Function", "Properties": {"Runtime": runtime}}}
    before = artifact(tmp_path, {"Web": "a = 1"}, template)
    assert syntax_problem(before, artifact(tmp_path, {"Web": "a = = 1"}, template)) == expected
    assert syntax_problem(before, artifact(tmp_path, {"Web": "a = 2"}, template)) == ""
