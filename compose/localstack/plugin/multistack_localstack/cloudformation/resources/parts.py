"""What the classes of this folder share: comparing what was with what is wanted, and taking back half a resource."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from localstack.services.cloudformation.resource_provider import OperationStatus, ProgressEvent, ResourceRequest

from multistack_localstack.cloudformation.resources import PUT_ALL

Properties: TypeAlias = Mapping[str, Any]
Request: TypeAlias = ResourceRequest[Any]

_BEGUN = "multistack:begun"

LOG = logging.getLogger(__name__)


def before(request: Request) -> Properties:
    """The properties that the resource had."""
    return request.previous_state or {}


def has_changed(request: Request, *names: str) -> bool:
    """Whether one of these properties is other than before, or may be."""
    if request.custom_context.get(PUT_ALL):
        return True
    return any(request.desired_state.get(name) != before(request).get(name) for name in names)


def is_first(request: Request) -> bool:
    """Whether this is the first look at a request that is looked at until it is done."""
    is_begun = bool(request.custom_context.get(_BEGUN))
    request.custom_context[_BEGUN] = True
    return not is_begun


def not_yet(model: Properties) -> ProgressEvent[Any]:
    """The service still works on it."""
    return ProgressEvent(status=OperationStatus.IN_PROGRESS, resource_model=dict(model))


def failed(model: Properties, reason: str) -> ProgressEvent[Any]:
    """It came to no good end."""
    return ProgressEvent(status=OperationStatus.FAILED, resource_model=dict(model), message=reason)


@contextlib.contextmanager
def taken_back(undo: Callable[[], object]) -> Iterator[None]:
    """Call *undo* when what follows fails: a stack must not leave half a resource behind."""
    try:
        yield
    except Exception:
        try:
            undo()
        except Exception:  # of any kind: the first error is the one to tell
            LOG.exception("half a resource can't be taken back, and stays")
        raise


def selected(properties: Properties, *names: str) -> dict[str, Any]:
    """Those of *properties* that are given and named."""
    return {name: properties[name] for name in names if properties.get(name) is not None}


def tag_map(properties: Properties, name: str = "Tags") -> dict[str, str]:
    """Tags, a list or a map, as a map."""
    tags = properties.get(name) or {}
    return dict(tags) if isinstance(tags, Mapping) else {tag["Key"]: str(tag["Value"]) for tag in tags}


def tag_changes(request: Request) -> tuple[dict[str, str], list[str]]:
    """The tags to set, and the keys of those to take away."""
    wanted = tag_map(request.desired_state)
    return wanted, sorted(tag_map(before(request)).keys() - wanted.keys())


def like(found: list[dict[str, Any]], expected: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """*found* in the order of *expected*, each entry with what its counterpart says of it; others after these."""
    given = {entry[key]: entry for entry in expected}
    by_name = {entry[key]: entry for entry in found}
    order = [*(name for name in given if name in by_name), *(name for name in by_name if name not in given)]
    return [
        {part: value for part, value in by_name[name].items() if name not in given or part in given[name]}
        for name in order
    ]
