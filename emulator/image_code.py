"""Functions that are container images: what their images are built from, and each named by what it is."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from emulator.errors import ConfigError
from emulator.template import Placed, Template, all_resources, is_local

_SAM = "AWS::Serverless::Function"
_FUNCTIONS = (_SAM, "AWS::Lambda::Function")
_METADATA = frozenset({"DockerBuildArgs", "DockerBuildTarget", "DockerContext", "DockerTag", "Dockerfile"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """
    What an image is built from, as ``sam build`` reads it from the function's ``Metadata``.

    Attributes:
        context: The folder that the Dockerfile may copy from.
        dockerfile: Relative to it.
        target: The stage of the Dockerfile; None for the last one.
    """

    logical_id: str
    context: Path
    dockerfile: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None


class Images(Protocol):
    """The images of this machine."""

    def build(self, source: ImageSource) -> str | None:
        """The id of the image of *source*; None when there is nothing that builds images. Raises ArtifactError."""

    def find(self, name: str) -> str | None:
        """The id of the image *name*; None when it is not here."""


def no_image(name: str | None) -> str | None:
    """Why no function can run the image *name*, or any, on a machine without a Docker engine; a clause."""
    return f"it is a container image, and no Docker engine has {name or 'it'}"


class NoImages:
    """The images of a machine without a Docker engine."""

    def build(self, source: ImageSource) -> str | None:
        """See :class:`Images`."""
        return None

    def find(self, name: str) -> str | None:
        """See :class:`Images`."""
        return None


def image_sources(template: Mapping[str, Any], folder: Path) -> Iterator[ImageSource]:
    """
    Every image that *template* has built, in its order; *folder* is the template's.

    Raises:
        ConfigError: The Dockerfile or its context is missing.
    """
    for placed in _functions(template):
        source = _source(placed, folder)
        if source is not None:
            yield source


def pin_images(template: Template, folder: Path, images: Images) -> Template:
    """
    A copy in which each image that is here is named by its id, so that all environments run the same one.

    One that isn't here keeps its name, which for what ``sam build`` would build is the name that it would give.

    Raises:
        ConfigError: A Dockerfile or its context is missing.
        ArtifactError: An image can't be built.
    """
    result = copy.deepcopy(template)
    for placed in _functions(result):
        source, uri = _source(placed, folder), image_uri(placed.resource)
        metadata = placed.resource.get("Metadata", {})
        if uri is None and placed.resource["Type"] == _SAM:
            uri = f"{placed.name.lower()}:{metadata.get('DockerTag', 'latest')}"
        found = images.build(source) if source is not None else None
        if source is None and is_local(uri):
            found = images.find(uri)
        if named := found or uri:
            properties = placed.resource.setdefault("Properties", {})
            place = properties if placed.resource["Type"] == _SAM else properties.setdefault("Code", {})
            place["ImageUri"] = named
        for name in metadata.keys() & _METADATA:
            del metadata[name]  # where it was built from is another folder on another machine
    return result


def image_uri(function: Mapping[str, Any]) -> Any:
    """What names the image of a function, SAM's or plain; None when it has none."""
    properties = function.get("Properties", {})
    code = properties.get("Code")
    return properties.get("ImageUri") or (code.get("ImageUri") if isinstance(code, dict) else None)


def _functions(template: Mapping[str, Any]) -> Iterator[Placed]:
    for placed in all_resources(template):
        if placed.resource["Type"] in _FUNCTIONS and (
            placed.effective("PackageType") == "Image" or image_uri(placed.resource) is not None
        ):
            yield placed


def _source(placed: Placed, folder: Path) -> ImageSource | None:
    metadata = placed.resource.get("Metadata", {})
    if not isinstance(metadata.get("Dockerfile"), str):
        return None
    if not isinstance(given := metadata.get("DockerContext", "."), str):
        raise ConfigError(f"DockerContext of {placed.logical_id} is {given!r}, not a folder")
    context = (folder / given).resolve()
    dockerfile = metadata["Dockerfile"]
    if not (context / dockerfile).is_file():
        raise ConfigError(
            f"the Dockerfile of {placed.logical_id} is missing: {context / dockerfile} does not exist",
            hint="Dockerfile is relative to DockerContext, and that to the template",
        )
    arguments = metadata.get("DockerBuildArgs", {})
    return ImageSource(
        logical_id=placed.logical_id,
        context=context,
        dockerfile=dockerfile,
        arguments={str(name): str(value) for name, value in arguments.items()} if isinstance(arguments, dict) else {},
        target=metadata.get("DockerBuildTarget"),
    )
