"""Releases: identity, config checks, parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import ConfigError
from emulator.model import Artifact, Project
from emulator.release import check_config, make_release, parameters_of

PROJECT = Project(file=Path("/p/multistack.toml"), service="tiny", template=Path("/p/template.yaml"), environments=())


def artifact(**parameters: dict[str, Any]) -> Artifact:
    """An artifact whose template has those parameters."""
    return Artifact(digest="d" * 64, template={"Parameters": parameters, "Resources": {}}, code=())


def test_a_release_is_its_artifact_and_config() -> None:
    """The order of keys is no difference; every value is."""
    one = make_release(artifact(), {"a": "1", "b": "2"})
    assert one == make_release(artifact(), {"b": "2", "a": "1"})
    assert one.id != make_release(artifact(), {"a": "1", "b": "3"}).id
    assert len(one.id) == len(one.config_hash) == 12


@pytest.mark.parametrize(
    ("config", "said", "hint"),
    [
        pytest.param(
            {"Sise": "1", "Size": "1"}, "Sise is not a parameter of template.yaml", "did you mean Size", id="typo"
        ),
        pytest.param({"Other": "1"}, "Other is not a parameter", "its parameters: Size", id="unknown"),
        pytest.param({}, "Size has no value", r"set Size under \[environments.test.config\]", id="no value"),
    ],
)
def test_config_must_fit_the_template(config: dict[str, str], said: str, hint: str) -> None:
    """The line names file and environment, the hint what to write."""
    with pytest.raises(ConfigError, match=f"multistack.toml: config of environment test: {said}") as caught:
        check_config(PROJECT, artifact(Size={"Type": "String"}), "test", config)
    assert caught.value.hint is not None
    assert re.search(hint, caught.value.hint)


def test_supplied_and_default_parameters_need_no_config() -> None:
    """A template gets what it declares of ours."""
    template = artifact(Size={"Type": "String", "Default": "s"}, MultistackRelease={"Type": "String"})
    check_config(PROJECT, template, "test", ())


def test_parameters_are_config_and_what_the_template_declares_of_ours() -> None:
    """Nothing undeclared is sent; config wins."""
    declared = artifact(
        Size={"Type": "String"}, MultistackEnvironment={"Type": "String"}, MultistackDigest={"Type": "String"}
    )
    release = make_release(declared, {"Size": "s"})
    assert parameters_of(declared, "test", release) == {
        "Size": "s",
        "MultistackEnvironment": "test",
        "MultistackDigest": "d" * 64,
    }
