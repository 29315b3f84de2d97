"""One value in the file where it belongs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from emulator.config import load_project
from emulator.config_editing import set_value, unset_value
from emulator.errors import ConfigError
from emulator.model import Project

FILE = """# The shop.
service = "tiny"

[config.Size] # pieces
type = "integer"

[config.Rate]
type = "number"
required = false

[config.Zones]
type = "list"
required = false

[config.Token]
secret = true

[environments.test.config]
Size = 1 # one

[environments.prod]
protected = true
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two environments, one without config."""
    (tmp_path / "multistack.toml").write_text(FILE)
    (tmp_path / "template.yaml").touch()
    return load_project(file=None, environ={}, cwd=tmp_path)


def load(project: Project) -> Project:
    """As it is now."""
    return load_project(file=None, environ={}, cwd=project.root)


def test_a_value_is_set_in_the_project_file_and_all_else_stays(project: Project) -> None:
    """Comments, order, spaces."""
    test, _ = project.environments
    assert set_value(project, test, "size", "2") == "multistack.toml"
    assert project.file.read_text() == FILE.replace("Size = 1 # one", "Size = 2 # one")


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [("Size", "3", "Size = 3"), ("Rate", "0.5", "Rate = 0.5"), ("Zones", "a,b", 'Zones = ["a", "b"]')],
)
def test_an_environment_without_config_gets_a_table(project: Project, name: str, text: str, written: str) -> None:
    """With the value as its type is written."""
    _, prod = project.environments
    set_value(project, prod, name, text)
    assert written in project.file.read_text()
    assert load(project).environments[1].config == {name: text}
    assert load(project).environments[1].protected


def test_a_secret_goes_into_a_file_for_its_owner(project: Project) -> None:
    """Quotes, spaces and line ends come back as they were."""
    _, prod = project.environments
    value = 'it\'s "a" $ecret # with\nall of \\ them'
    assert set_value(project, prod, "Token", value) == ".env.prod"
    assert stat.S_IMODE((project.root / ".env.prod").stat().st_mode) == 0o600
    assert load(project).environments[1].secrets == {"Token": value}
    assert value not in project.file.read_text()


def test_a_key_of_a_file_of_variables_is_set_there(project: Project) -> None:
    """Else the file, which wins, would hide the new value; the rest of it stays."""
    test, _ = project.environments
    (project.root / ".env.test").write_text("# mine\nSIZE=5\n")
    assert set_value(project, test, "Size", "6") == ".env.test"
    assert (project.root / ".env.test").read_text().startswith("# mine\nSIZE=")
    assert load(project).environments[0].config == {"Size": "6"}
    assert unset_value(project, test, "Size") == [".env.test", "multistack.toml"]
    assert load(project).environments[0].config == {}
    assert unset_value(project, test, "Size") == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("Size", "two", "Size must be a whole number"),
        ("Sise", "2", "Sise is not declared under \\[config\\]; did you mean Size?"),
        ("Token", "", "Token is a secret and must not be empty"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_written(project: Project, name: str, text: str, said: str) -> None:
    """In one line."""
    with pytest.raises(ConfigError, match=said):
        set_value(project, project.environments[0], name, text)
    assert project.file.read_text() == FILE
    assert not (project.root / ".env.test").exists()
