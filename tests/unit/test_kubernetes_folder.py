"""The folder that `multistack render kubernetes` writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from emulator.cli import cli
from emulator.drivers.cluster import PLACES
from emulator.kubernetes.seat import spaces_called
from emulator.space_list import write_spaces
from emulator.spaces.creating import series
from emulator.state import make_state_folder
from tests.conftest import REPOSITORY, SAMPLE
from tests.kubernetes_schemas import problem_of


def render(*arguments: str, file: Path = SAMPLE / "multistack.toml") -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["--file", str(file), "render", "kubernetes", *arguments])


def files(folder: Path) -> dict[str, bytes]:
    """All that is in *folder*."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_has_a_base_and_a_namespace_for_each_space(tmp_path: Path) -> None:
    """Every resource that a kustomization names is there, and nothing else; a second run changes nothing."""
    result = render("--spaces", "2", "--output", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'out'}\n")
    found = files(tmp_path / "out")
    assert set(found) == {
        "kustomization.yaml",
        "base/kustomization.yaml",
        "base/shared.yaml",
        *(f"base/environment-{name}.yaml" for name in ("test", "staging", "prod")),
        *(f"namespaces/orders-learner-0{n}/{name}.yaml" for n in (1, 2) for name in ("kustomization", "namespace")),
    }
    named = set()
    for path in (tmp_path / "out").rglob("kustomization.yaml"):
        for resource in yaml.safe_load(path.read_text())["resources"]:
            target = (path.parent / resource).resolve()
            named.add(target / "kustomization.yaml" if target.is_dir() else target)
    assert named == {path for path in (tmp_path / "out").rglob("*.yaml") if path.parent != tmp_path / "out"}
    render("--spaces", "2", "--output", str(tmp_path / "out"))
    assert files(tmp_path / "out") == found


def test_the_role_in_the_guide_is_one_of_the_api() -> None:
    """And its rights are on all that the driver asks for."""
    guide = (REPOSITORY / "docs/guides/kubernetes.md").read_text("utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    role = yaml.safe_load(text)
    assert problem_of(role) is None
    named = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert named == {place.rpartition("/")[2] for place in PLACES.values()} | {"pods/log"}


def test_stdout_is_one_file_for_apply() -> None:
    """Without a folder: the sample's own environments in one namespace, each object one of the API."""
    result = render()
    found = [each for each in yaml.safe_load_all(result.stdout) if each]
    assert [problem for each in found if (problem := problem_of(each))] == []
    assert [each["metadata"]["name"] for each in found if each["kind"] == "Namespace"] == ["orders"]
    assert [each["metadata"]["name"] for each in found if each["kind"] == "Service"] == ["test", "staging", "prod"]


def test_a_later_rendering_removes_its_own_files_only(tmp_path: Path) -> None:
    """Namespaces that are no more go, with what a person put beside them they stay."""
    render("--spaces", "3", "--output", str(tmp_path))
    mine = tmp_path / "namespaces/orders-learner-03/mine.yaml"
    mine.write_text("kind: ConfigMap\n")
    (tmp_path / "README.md").write_text("ours\n")
    assert render("--spaces", "1", "--output", str(tmp_path)).exit_code == 0
    assert sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "namespaces").rglob("*")) == [
        "namespaces/orders-learner-01",
        "namespaces/orders-learner-01/kustomization.yaml",
        "namespaces/orders-learner-01/namespace.yaml",
        "namespaces/orders-learner-03",
        "namespaces/orders-learner-03/mine.yaml",
    ]
    assert (tmp_path / "README.md").exists()


@pytest.mark.parametrize("is_link", [False, True], ids=["file", "link"])
def test_a_strangers_file_is_never_written_over(is_link: bool, tmp_path: Path) -> None:
    """Nothing else is written either: a folder that is half of each is neither."""
    stranger, folder = tmp_path / "stranger.yaml", tmp_path / "out"
    stranger.write_text("resources: []\n")
    folder.mkdir()
    target = folder / "kustomization.yaml"
    if is_link:
        target.symlink_to(stranger)
    else:
        stranger.rename(target)
    result = render("--output", str(folder))
    assert result.exit_code != 0
    assert result.exception is not None
    assert f"{target} exists and was not rendered by multistack" in str(result.exception)
    assert list(folder.iterdir()) == [target]
    assert target.read_text() == "resources: []\n"


def test_a_folder_of_another_project_is_left_alone(tmp_path: Path) -> None:
    """Two services in one folder would remove each other's files."""
    render("--output", str(tmp_path / "out"))
    before = files(tmp_path / "out")
    other = tmp_path / "carts/multistack.toml"
    other.parent.mkdir()
    other.write_text((SAMPLE / "multistack.toml").read_text().replace('"orders"', '"carts"', 1))
    result = render("--output", str(tmp_path / "out"), file=other)
    assert "was rendered for another project" in str(result.exception)
    assert files(tmp_path / "out") == before


def test_what_is_behind_a_link_is_not_removed(tmp_path: Path) -> None:
    """A folder of namespaces that leads elsewhere is somebody's own."""
    render("--spaces", "2", "--output", str(tmp_path / "elsewhere"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/namespaces").symlink_to(tmp_path / "elsewhere/namespaces")
    result = render("--spaces", "1", "--output", str(tmp_path / "out"))
    assert result.exit_code != 0
    assert len(list((tmp_path / "elsewhere/namespaces").iterdir())) == 2


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """In one line, with the file's name."""
    (tmp_path / "out").write_text("")
    result = render("--output", str(tmp_path / "out"))
    assert re.match(rf"--output: {tmp_path}/out.* can't be written", str(result.exception))


def test_spaces_on_the_projects_list_keep_their_accounts(tmp_path: Path) -> None:
    """A learner who moves from the laptop to the cluster finds the same account."""
    file = tmp_path / "multistack.toml"
    file.write_text((SAMPLE / "multistack.toml").read_text())
    (tmp_path / "template.yaml").write_text((SAMPLE / "template.yaml").read_text())
    make_state_folder(tmp_path / ".multistack")
    listed = spaces_called(series("learner", 3), {})[2]
    write_spaces(tmp_path / ".multistack", {listed.name: listed})
    result = render("--spaces", "3", file=file)
    first = re.findall(r'value: "(9\d{11})"', result.stdout)
    assert first == [f"9{number:06d}0000{at}" for number in (1, 2, 3) for at in (1, 2, 3)]
