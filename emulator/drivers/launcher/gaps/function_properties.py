"""
Gap: MiniStack 1.5.33 drops some properties of an ``AWS::Lambda::Function``, in silence.

Reserved concurrency is one of them: a template that keeps a test job from taking prod's calls would do nothing.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
"""

from __future__ import annotations

from typing import Any

from emulator.drivers.launcher.resource_types import Properties, require, set_also

# Property of the template to key of the function's configuration.
_COPIED = {"DeadLetterConfig": "DeadLetterConfig", "KmsKeyArn": "KMSKeyArn", "FileSystemConfigs": "FileSystemConfigs"}
_RESERVED = "ReservedConcurrentExecutions"


def apply() -> None:
    """Let creating and updating a function bring all of its properties along."""
    set_also("AWS::Lambda::Function", _set)


def _set(name: str, old: Properties, new: Properties) -> None:
    from ministack.services import lambda_svc

    require(lambda_svc._validate_dead_letter_config(new.get("DeadLetterConfig")))
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
        require(lambda_svc._delete_function_concurrency(name))
    else:
        require(lambda_svc._put_function_concurrency(name, {_RESERVED: int(reserved)}))
