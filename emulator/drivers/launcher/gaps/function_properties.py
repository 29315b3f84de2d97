"""
Gap: MiniStack 1.5.33 drops some properties of an ``AWS::Lambda::Function``, in silence.

Reserved concurrency is one of them: a template that keeps a test job from taking prod's calls would do nothing.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPE = "AWS::Lambda::Function"
# Property of the template to key of the function's configuration.
_COPIED = {"DeadLetterConfig": "DeadLetterConfig", "KmsKeyArn": "KMSKeyArn", "FileSystemConfigs": "FileSystemConfigs"}
_RESERVED = "ReservedConcurrentExecutions"

Properties = Mapping[str, Any]
Made = tuple[str, Any]


def apply() -> None:
    """Let creating and updating a function bring all of its properties along."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS[_TYPE]
    created, updated = handlers["create"], handlers["update"]

    def create(logical_id: str, properties: Properties, stack_name: str) -> Made:
        _refuse_dead_letters(properties)
        made: Made = created(logical_id, properties, stack_name)
        _set(made[0], {}, properties)
        return made

    def update(physical_id: str, old: Properties, new: Properties, *more: Any) -> Made:
        _refuse_dead_letters(new)
        made: Made = updated(physical_id, old, new, *more)
        _set(made[0], old if made[0] == physical_id else {}, new)
        return made

    handlers.update(create=create, update=update)


def _refuse_dead_letters(properties: Properties) -> None:
    from ministack.services import lambda_svc

    refusal = lambda_svc._validate_dead_letter_config(properties.get("DeadLetterConfig"))
    if refusal:
        raise ValueError(f"DeadLetterConfig: {refusal[2].decode()}")


def _set(name: str, old: Properties, new: Properties) -> None:
    from ministack.services import lambda_svc

    configuration = lambda_svc._functions[name]["config"]
    for given, kept in _COPIED.items():
        if given in new:
            configuration[kept] = new[given]
        elif given in old:
            configuration.pop(kept, None)
    if "VpcConfig" in new:
        configuration["VpcConfig"] = lambda_svc._vpc_config_with_id(new["VpcConfig"])
    if new.get(_RESERVED) != old.get(_RESERVED):
        _reserve(name, new.get(_RESERVED))


def _reserve(name: str, reserved: Any) -> None:
    from ministack.services import lambda_svc

    if reserved is None:
        status, _, body = lambda_svc._delete_function_concurrency(name)
    else:
        status, _, body = lambda_svc._put_function_concurrency(name, {_RESERVED: int(reserved)})
    if status >= 400:
        raise ValueError(f"{_RESERVED}: {body.decode()}")
