"""The HTTP API where environments share one function (single-stack.yaml): the stage says which of them is meant."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any

from app import App, make_app


@functools.cache
def _app(environment: str, table: str) -> App:
    return make_app({**os.environ, "ENVIRONMENT": environment, "TABLE": table})


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls: a stage variable wins over the variable, which every stage of a version shares."""
    table = (event["stageVariables"] or {}).get("table") or os.environ["TABLE"]
    return _app(event["requestContext"]["stage"], table)(event, context)
