"""
``AWS::Lambda::Function``: properties that LocalStack drops, and an update that also takes away.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.lambda_.resource_providers.aws_lambda_function import LambdaFunctionProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.inline_code import code_parameters
from multistack_localstack.cloudformation.resources.parts import (
    Properties,
    Request,
    before,
    failed,
    has_changed,
    is_first,
    not_yet,
    selected,
    tag_changes,
    tag_map,
    taken_back,
)

# Property of the template to parameter of the API, and what to send when the template drops it.
_CONFIGURATION: Mapping[str, tuple[str, Any]] = {
    "DeadLetterConfig": ("DeadLetterConfig", {"TargetArn": ""}),
    "Description": ("Description", ""),
    "Environment": ("Environment", {"Variables": {}}),
    "EphemeralStorage": ("EphemeralStorage", {"Size": 512}),
    "FileSystemConfigs": ("FileSystemConfigs", []),
    "Handler": ("Handler", None),
    "ImageConfig": ("ImageConfig", {}),
    "KmsKeyArn": ("KMSKeyArn", ""),
    "Layers": ("Layers", []),
    "LoggingConfig": ("LoggingConfig", {"LogFormat": "Text"}),
    "MemorySize": ("MemorySize", 128),
    "Role": ("Role", None),
    "Runtime": ("Runtime", None),
    "SnapStart": ("SnapStart", {"ApplyOn": "None"}),
    "Timeout": ("Timeout", 3),
    "TracingConfig": ("TracingConfig", {"Mode": "PassThrough"}),
    "VpcConfig": ("VpcConfig", {"SubnetIds": [], "SecurityGroupIds": []}),
}
_RESERVED = "ReservedConcurrentExecutions"
_UNREADABLE = {"ImageConfig", "FileSystemConfigs", "VpcConfig"}


class Function(LambdaFunctionProvider):
    """Functions."""

    COMPARED = frozenset({*_CONFIGURATION, "FunctionName", _RESERVED} - _UNREADABLE)

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a function with all of its properties, and wait until it can be called."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        if is_first(request):
            model.setdefault("FunctionName", generate_default_name(request.stack_name, request.logical_resource_id))
            made = aws.create_function(
                FunctionName=model["FunctionName"],
                Code=code_parameters(model),
                Tags=tag_map(model),
                **selected(model, "Architectures", "CodeSigningConfigArn", "PackageType"),
                **{
                    api: _value(model, name) for name, (api, _) in _CONFIGURATION.items() if model.get(name) is not None
                },
            )
            model["Arn"] = made["FunctionArn"]
            with taken_back(lambda: aws.delete_function(FunctionName=model["FunctionName"])):
                _put_the_rest(request)
        found = aws.get_function_configuration(FunctionName=model["FunctionName"])
        if found["State"] == "Pending":
            return not_yet(model)
        if found["State"] == "Failed":
            aws.delete_function(FunctionName=model["FunctionName"])
            return failed(model, found.get("StateReason", "the function's state is Failed"))
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change code and configuration where they are other, each once the one before is in force."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        name = before(request)["FunctionName"]
        model |= {"FunctionName": name, "Arn": before(request)["Arn"]}
        steps = request.custom_context.setdefault("steps", _steps(request))
        found = aws.get_function_configuration(FunctionName=name)
        if found["State"] == "Pending" or found.get("LastUpdateStatus") == "InProgress":
            return not_yet(model)
        if found.get("LastUpdateStatus") == "Failed" and not is_first(request):
            return failed(model, found.get("LastUpdateStatusReason", "the function's update failed"))
        is_first(request)
        if not steps:
            return done(model)
        step = steps.pop(0)
        if step == "code":
            architectures = selected(model, "Architectures")
            aws.update_function_code(FunctionName=name, **code_parameters(model), **architectures)
        elif step == "configuration":
            aws.update_function_configuration(FunctionName=name, **_changed_configuration(request))
        else:
            _put_the_rest(request)
        return not_yet(model)

    def read(self, request: Request) -> ProgressEvent[Any]:
        """What the function is like; its code can't be held against a template."""
        aws, expected = request.aws_client_factory.lambda_, request.desired_state
        found = aws.get_function(FunctionName=expected["FunctionName"])
        configuration = found["Configuration"]
        properties = {
            name: configuration[api]
            for name, (api, _) in _CONFIGURATION.items()
            if configuration.get(api) is not None and name not in _UNREADABLE
        }
        properties["Environment"] = {"Variables": configuration.get("Environment", {}).get("Variables", {})}
        properties["Layers"] = [layer["Arn"] for layer in configuration.get("Layers", [])]
        properties["FunctionName"] = configuration["FunctionName"]
        properties[_RESERVED] = found.get("Concurrency", {}).get(_RESERVED)
        return done({key: value for key, value in properties.items() if value is not None})


def _value(model: Properties, name: str) -> Any:
    value = model[name]
    if name == "Environment":
        return {"Variables": {key: str(text) for key, text in (value.get("Variables") or {}).items()}}
    return int(value) if name in ("MemorySize", "Timeout") else value


def _steps(request: Request) -> list[str]:
    steps = ["code"] if has_changed(request, "Code", "Architectures") else []
    if has_changed(request, *_CONFIGURATION):
        steps.append("configuration")
    return [*steps, "rest"]


def _changed_configuration(request: Request) -> dict[str, Any]:
    """What to send: the changed properties, and for a dropped one what it is without a template."""
    model, changed = request.desired_state, {}
    for name, (api, default) in _CONFIGURATION.items():
        if not has_changed(request, name):
            continue
        if model.get(name) is not None:
            changed[api] = _value(model, name)
        elif default is not None and (name in before(request) or name in ("Environment", "Layers", "Description")):
            changed[api] = default
    return changed


def _put_the_rest(request: Request) -> None:
    """What has an operation of its own."""
    model, aws = request.desired_state, request.aws_client_factory.lambda_
    name, was = model["FunctionName"], before(request)
    if has_changed(request, _RESERVED):
        if model.get(_RESERVED) is not None:
            aws.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(model[_RESERVED]))
        elif was.get(_RESERVED) is not None or request.action == "Modify":
            aws.delete_function_concurrency(FunctionName=name)
    if management := model.get("RuntimeManagementConfig"):
        aws.put_runtime_management_config(
            FunctionName=name, **selected(management, "UpdateRuntimeOn", "RuntimeVersionArn")
        )
    if model.get("RecursiveLoop"):
        aws.put_function_recursion_config(FunctionName=name, RecursiveLoop=model["RecursiveLoop"])
    if request.action == "Modify" and has_changed(request, "Tags"):
        wanted, dropped = tag_changes(request)
        if wanted:
            aws.tag_resource(Resource=model["Arn"], Tags=wanted)
        if dropped:
            aws.untag_resource(Resource=model["Arn"], TagKeys=dropped)
