"""The API's own schemas, as `kubernetes-validate` carries them: strict, so that a misspelt field is one too many."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

# The oldest whose releases were still mended when this was written, and the newest that has schemas.
VERSIONS = ("1.34.0", "1.37.0")


def problem_of(thing: Mapping[str, Any], version: str = VERSIONS[-1]) -> str | None:
    """What the API server of *version* would say against *thing*, or None."""
    group, _, api = str(thing["apiVersion"]).rpartition("/")
    name = f"{str(thing['kind']).lower()}-{group.split('.', maxsplit=1)[0]}{'-' if group else ''}{api}"
    errors = sorted(_validator(version, name).iter_errors(thing), key=lambda error: len(error.path))
    return f"{'.'.join(map(str, errors[-1].path))}: {errors[-1].message}" if errors else None


@functools.cache
def _validator(version: str, name: str) -> Draft202012Validator:
    schema = _read(version, name)
    return Draft202012Validator(
        schema, registry=_definitions(version).with_resource("", Resource.from_contents(schema))
    )


@functools.cache
def _definitions(version: str) -> Registry[Any]:
    return Resource.from_contents(_read(version, "_definitions")) @ Registry()


def _read(version: str, name: str) -> Any:
    if re.fullmatch(r"[a-z0-9_-]+", name) is None:
        raise ValueError(name)
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local-strict"
    return json.loads((folder / f"{name}.json").read_text("utf-8"))
