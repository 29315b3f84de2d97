"""
Gap: MiniStack 1.5.33 loads and keeps whole botocore service models to look one word of each up.

It reads ``protocol`` and ``jsonVersion`` of a service to choose a content type. That imports botocore and holds its
parsed models, 20 MB in every environment. The same ``metadata`` stands in the first bytes of each model's file.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Characters that hold it in every model.
_HEAD = 4096
_KEY = re.compile(r'"metadata"\s*:\s*')


@dataclass(frozen=True, slots=True)
class ServiceMetadata:
    """What is used of a service model, under the name it has there."""

    metadata: Mapping[str, str]


def apply() -> None:
    """Let MiniStack read a model's metadata alone."""
    from ministack.core import responses

    names: Mapping[str, str] = responses._BOTOCORE_NAME
    responses._service_model = lambda service: read_metadata(names.get(service, service))


@functools.cache
def read_metadata(service: str) -> ServiceMetadata | None:
    """The metadata of botocore's newest model of *service*, or None when it has none."""
    found = importlib.util.find_spec("botocore")
    folders = found.submodule_search_locations if found else None
    models = sorted(Path((folders or [""])[0], "data", service).glob("*/service-2.json.gz"))
    if not models:
        return None
    with gzip.open(models[-1], "rt", encoding="utf-8") as model:
        head = model.read(_HEAD)
    key = _KEY.search(head)
    return ServiceMetadata(json.JSONDecoder().raw_decode(head, key.end())[0]) if key else None
