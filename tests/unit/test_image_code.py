"""What images of functions are built from, and the names that they get."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import ConfigError
from emulator.image_code import ImageSource, NoImages, image_sources, pin_images

SAM, PLAIN = "AWS::Serverless::Function", "AWS::Lambda::Function"


@dataclass
class Engine:
    """An engine that has one image, and builds any."""

    built: list[ImageSource] = field(default_factory=list)

    def build(self, source: ImageSource) -> str | None:
        """An id that says what of."""
        self.built.append(source)
        return f"sha256:{source.logical_id}"

    def find(self, name: str) -> str | None:
        """Only one is there."""
        return "sha256:known" if name == "known:1" else None


def function(kind: str = SAM, *, metadata: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    """A template of one function."""
    resource = {"Type": kind, "Properties": properties, **({"Metadata": metadata} if metadata else {})}
    return {"Resources": {"Fn": resource}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A service with a Dockerfile."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def test_an_image_is_built_from_what_the_metadata_says(folder: Path) -> None:
    """And named by its id; where it was built from is in no artifact."""
    metadata = {
        "Dockerfile": "Dockerfile",
        "DockerContext": "./app",
        "DockerTag": "v1",
        "DockerBuildArgs": {"A": 1},
        "DockerBuildTarget": "last",
        "Mine": "stays",
    }
    given = function(PackageType="Image", metadata=metadata)
    before, engine = copy.deepcopy(given), Engine()
    (one,) = pin_images(given, folder, engine)["Resources"].values()
    assert one["Properties"]["ImageUri"] == "sha256:Fn"
    assert one["Metadata"] == {"Mine": "stays"}
    assert engine.built == [
        ImageSource(
            logical_id="Fn",
            context=(folder / "app").resolve(),
            dockerfile="Dockerfile",
            arguments={"A": "1"},
            target="last",
        )
    ]
    assert given == before


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({"Code": {"ImageUri": "known:1"}}, "sha256:known", id="it is here"),
        pytest.param({"Code": {"ImageUri": "other:1"}}, "other:1", id="it is not"),
        pytest.param({"Code": {"ImageUri": {"Ref": "Image"}}}, {"Ref": "Image"}, id="a parameter's"),
    ],
)
def test_a_named_image_is_pinned_if_it_is_here(folder: Path, properties: dict[str, Any], expected: Any) -> None:
    """An environment that would get another one later under the same name would run another service."""
    (one,) = pin_images(function(PLAIN, **properties), folder, Engine())["Resources"].values()
    assert one["Properties"]["Code"]["ImageUri"] == expected


def test_without_an_engine_it_is_named_as_sam_would(folder: Path) -> None:
    """So that what is missing has a name."""
    given = function(
        PackageType="Image", metadata={"Dockerfile": "Dockerfile", "DockerContext": "app", "DockerTag": "v1"}
    )
    (one,) = pin_images(given, folder, NoImages())["Resources"].values()
    assert one["Properties"]["ImageUri"] == "fn:v1"


def test_code_in_a_zip_stays_as_it_is(folder: Path) -> None:
    """Whatever its metadata says."""
    given = function(CodeUri="app", metadata={"Dockerfile": "Dockerfile"})
    assert pin_images(given, folder, Engine()) == given


def test_a_missing_dockerfile_is_told_with_its_place(folder: Path) -> None:
    """Before anything is built."""
    given = function(PackageType="Image", metadata={"Dockerfile": "Other", "DockerContext": "app"})
    with pytest.raises(ConfigError, match=r"the Dockerfile of Fn is missing: .*app/Other does not exist"):
        list(image_sources(given, folder))
