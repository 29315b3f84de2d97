"""Transforms: a template as its macros, SAM among them, make it; LocalStack's own work."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from localstack.services.cloudformation.engine.transformers import FailedTransformationException
from localstack.services.cloudformation.engine.v2.change_set_model import ChangeSetModel
from localstack.services.cloudformation.engine.v2.change_set_model_transform import ChangeSetModelTransform
from localstack.services.cloudformation.v2.entities import ChangeSet, Stack
from localstack.services.cloudformation.v2.types import EngineParameter


class TransformFailed(Exception):
    """A transform refused the template; the text says why."""


def has_transform(template: Mapping[str, Any]) -> bool:
    """Whether something in *template* is to be transformed."""
    return "Transform" in template or any(f'"Fn::{name}' in json.dumps(template) for name in ("Transform", "ForEach"))


def transformed(stack: Stack, template: Mapping[str, Any], parameters: Mapping[str, EngineParameter]) -> dict[str, Any]:
    """
    *template* with its transforms carried out.

    Raises:
        TransformFailed: One of them refused it.
    """
    made = copy.deepcopy(dict(template))
    if not has_transform(made):
        return made
    given = dict(parameters)
    change_set = ChangeSet(stack, {"ChangeSetName": "transform"}, template_body="", template=made)
    change_set.resolved_parameters = given
    model = ChangeSetModel(
        before_template=None, after_template=made, before_parameters=None, after_parameters=given
    ).get_update_model()
    change_set.set_update_model(model)
    transform = ChangeSetModelTransform(
        change_set=change_set,
        before_parameters={},
        after_parameters=given,
        before_template=None,
        after_template=made,
    )
    try:
        after: dict[str, Any] = transform.transform()[1]
    except FailedTransformationException as error:
        raise TransformFailed(f"Transform {error.transformation} failed with: {error.message}") from error
    return after
