"""
A cloud assembly: what a CDK app makes, ``cdk.out``.

Source:
    https://github.com/aws/aws-cdk-cli/tree/main/packages/@aws-cdk/cloud-assembly-schema
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.errors import ConfigError
from emulator.flattening import flatten
from emulator.frameworks.packaged import read_object
from emulator.image_code import image_uri
from emulator.template import CODE_PROPERTIES, NESTED, Template

MANIFEST = "manifest.json"
# The major version that this was tried with. Newer ones mostly add what nothing here reads.
SCHEMA = 55
_STACK = "aws:cloudformation:stack"
_ASSETS = "cdk:asset-manifest"
_ASSEMBLY = "cdk:cloud-assembly"
# What CDK's own command checks on AWS before it deploys.
_BOOTSTRAP = "/cdk-bootstrap/"
_METADATA = "AWS::CDK::Metadata"
_AGAIN = "run `cdk synth` again"
# What an image is built from, as SAM's ``Metadata`` says it.
Built = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStack:
    """
    A stack of an app.

    Attributes:
        id: Its artifact's, unlike that of any other one.
        name: As the app's author sees it, e.g. ``Prod/Api``.
        template: Plain, without nested stacks; code is an absolute path.
        needs: The ids of those that must be deployed before.
        absent: Assets that it takes from the bucket of assets, which is not there, e.g. files of a web page.
    """

    id: str
    name: str
    template: Template
    needs: tuple[str, ...]
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assembly:
    """*version* is that of its schema; *missing* says what the app would ask a real account for."""

    version: str
    stacks: tuple[AppStack, ...]
    missing: tuple[str, ...]

    @property
    def is_newer(self) -> bool:
        """Whether nobody tried a schema as new as this."""
        return _is_newer(self.version)


def read_assembly(folder: Path) -> Assembly:
    """
    The assembly in *folder*, with those in it.

    Raises:
        ConfigError: It is none, or of a schema that has things elsewhere.
    """
    manifest = read_object(folder / MANIFEST, hint=_AGAIN)
    version = str(manifest.get("version") or "")
    try:
        stacks = tuple(_stacks(manifest, folder))
        missing = tuple(str(one.get("provider")) for one in manifest.get("missing") or ())
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        newer = f", which is newer than the {SCHEMA} that multistack knows" if _is_newer(version) else ""
        raise ConfigError(
            f"{folder / MANIFEST} is of schema {version or 'unknown'}{newer}, and not as expected: {error!r}",
            hint="make it with an older aws-cdk-lib, or use a newer multistack",
        ) from error
    return Assembly(version, stacks, missing)


def _is_newer(version: str) -> bool:
    major = version.partition(".")[0]
    return major.isdigit() and int(major) > SCHEMA


def _stacks(manifest: Mapping[str, Any], folder: Path) -> Iterator[AppStack]:
    artifacts = manifest["artifacts"]
    files: dict[str, Path] = {}
    built: dict[str, Built] = {}
    for one in artifacts.values():
        if one["type"] == _ASSETS:
            files |= _files(folder / one["properties"]["file"])
            built |= _images(folder / one["properties"]["file"])
    for name, one in artifacts.items():
        if one["type"] == _ASSEMBLY:
            inner = folder / one["properties"]["directoryName"]
            yield from _stacks(read_object(inner / MANIFEST, hint=_AGAIN), inner)
        elif one["type"] == _STACK:
            template = _deployable(read_object(folder / one["properties"]["templateFile"], hint=_AGAIN), files, built)
            text = json.dumps(template["Resources"])
            needs = tuple(other for other in one.get("dependencies", ()) if artifacts[other]["type"] == _STACK)
            yield AppStack(
                id=name,
                name=one.get("displayName") or name,
                template=template,
                needs=needs,
                absent=tuple(path.name for key, path in files.items() if json.dumps(key) in text),
            )


def _files(assets: Path) -> Mapping[str, Path]:
    """Key in the bucket of assets to what would be put there."""
    return {
        destination["objectKey"]: assets.parent / one["source"]["path"]
        for one in read_object(assets, hint=_AGAIN).get("files", {}).values()
        for destination in one["destinations"].values()
        if "path" in one["source"]
    }


def _images(assets: Path) -> Mapping[str, Built]:
    """Tag in the repository of images to what one would be built from."""
    return {
        destination["imageTag"]: {
            "DockerContext": str((assets.parent / one["source"]["directory"]).resolve()),
            "Dockerfile": one["source"].get("dockerFile", "Dockerfile"),
            "DockerBuildArgs": one["source"].get("dockerBuildArgs", {}),
            "DockerBuildTarget": one["source"].get("dockerBuildTarget"),
        }
        for one in read_object(assets, hint=_AGAIN).get("dockerImages", {}).values()
        for destination in one["destinations"].values()
        if "directory" in one["source"]
    }


def _deployable(template: Template, files: Mapping[str, Path], built: Mapping[str, Built]) -> Template:
    """*template* without CDK's own bookkeeping, with its code and nested templates from *files*."""
    own = {name for name, one in template.get("Parameters", {}).items() if _is_bootstrap(one)}
    rules = {name: one for name, one in template.get("Rules", {}).items() if not _names_any(one, own)}
    parameters = {name: one for name, one in template.get("Parameters", {}).items() if name not in own}
    resources = {
        name: _with_image(_with_code(one, files), built)
        for name, one in template["Resources"].items()
        if one["Type"] != _METADATA
    }
    result = {**template, "Parameters": parameters, "Rules": rules, "Resources": resources}
    nested = {name: found for name, one in resources.items() if (found := _nested(one, files, built)) is not None}
    return flatten({key: one for key, one in result.items() if one or key == "Resources"}, nested)


def _is_bootstrap(parameter: Mapping[str, Any]) -> bool:
    return str(parameter.get("Default", "")).startswith(_BOOTSTRAP)


def _names_any(rule: object, parameters: set[str]) -> bool:
    text = json.dumps(rule)
    return any(json.dumps({"Ref": name}) in text for name in parameters)


def _with_code(resource: dict[str, Any], files: Mapping[str, Path]) -> dict[str, Any]:
    name = CODE_PROPERTIES.get(resource["Type"])
    properties = resource.get("Properties", {})
    code = properties.get(name) if name else None
    if not isinstance(code, dict) or code.get("S3Key") not in files:
        return resource
    return {**resource, "Properties": {**properties, name: str(files[code["S3Key"]].resolve())}}


def _with_image(resource: dict[str, Any], built: Mapping[str, Built]) -> dict[str, Any]:
    """Says what its image is built from as SAM does."""
    uri = json.dumps(image_uri(resource) or "")
    source = next((one for tag, one in built.items() if f':{tag}"' in uri), None)
    return resource if source is None else {**resource, "Metadata": {**resource.get("Metadata", {}), **source}}


def _nested(resource: Mapping[str, Any], files: Mapping[str, Path], built: Mapping[str, Built]) -> Template | None:
    name = NESTED.get(resource["Type"])
    place = json.dumps(resource.get("Properties", {}).get(name, "")) if name else ""
    found = next((path for key, path in files.items() if f"/{key}" in place), None)
    return None if found is None else _deployable(read_object(found, hint=_AGAIN), files, built)
