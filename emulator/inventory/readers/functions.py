"""Lambda: functions with their code, and what hangs on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.inventory.account import Account, given, tags_in
from emulator.inventory.resource import Properties

# Named in the API as in a template.
_SAME = (
    "Architectures",
    "DeadLetterConfig",
    "Description",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "ImageConfig",
    "MemorySize",
    "PackageType",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
)
_MAPPING = (
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "ScalingConfig",
    "TumblingWindowInSeconds",
)
_OFF = ("Disabled", "Disabling")


def function(account: Account, name: str, _parent: str) -> Properties:
    """A function: its code by hash, its settings, and what was put on it without the stack."""
    aws = account.client("lambda")
    found = aws.get_function(FunctionName=name)
    configuration = found["Configuration"]
    logging = configuration.get("LoggingConfig") or {}
    return given(
        {
            **{key: configuration.get(key) for key in _SAME},
            "CodeSha256": configuration.get("CodeSha256"),
            "Environment": {"Variables": _variables(account, configuration)},
            "Layers": [layer["Arn"] for layer in configuration.get("Layers") or ()],
            "KmsKeyArn": configuration.get("KMSKeyArn"),
            "LoggingConfig": logging if logging.get("LogFormat", "Text") != "Text" else None,
            "ReservedConcurrentExecutions": (found.get("Concurrency") or {}).get("ReservedConcurrentExecutions"),
            "VpcConfig": _vpc(configuration.get("VpcConfig") or {}),
            "Tags": tags_in(found.get("Tags") or {}),
            **_added(account, name, configuration["FunctionArn"]),
        }
    )


def _variables(account: Account, configuration: Mapping[str, Any]) -> Mapping[str, str]:
    return account.hiding.variables((configuration.get("Environment") or {}).get("Variables") or {})


def _vpc(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return given({key: sorted(found.get(key) or ()) for key in ("SubnetIds", "SecurityGroupIds")})


def _added(account: Account, name: str, arn: str) -> Mapping[str, Any]:
    """Permissions, event sources and, where the stack has aliases, aliases that are no resources of the stack."""
    permissions, aliases = account.in_stack("AWS::Lambda::Permission"), account.in_stack("AWS::Lambda::Alias")
    mappings = account.in_stack("AWS::Lambda::EventSourceMapping")
    return {
        "Permissions": {sid: one for sid, one in account.statements(name).items() if sid not in permissions},
        "Aliases": {
            one["Name"]: one["FunctionVersion"]
            for key, one in (account.aliases(name) if aliases else {}).items()
            if key not in aliases
        },
        "EventSources": {
            str(one.get("EventSourceArn", key)): _mapping(one)
            for key, one in account.mappings().items()
            if key not in mappings and f"{one['FunctionArn']}:".startswith(f"{arn}:")
        },
    }


def version(account: Account, arn: str, _parent: str) -> Properties:
    """A published version, which nobody can edit."""
    found = account.client("lambda").get_function_configuration(FunctionName=arn)
    return {"CodeSha256": found.get("CodeSha256"), "Environment": {"Variables": _variables(account, found)}}


def alias(account: Account, arn: str, parent: str) -> Properties | None:
    """Which version an alias leads to, and with which weights to another."""
    found = account.aliases(parent or arn.rpartition(":")[0]).get(arn)
    if found is None:
        return None
    weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
    return given(
        {
            "FunctionVersion": found["FunctionVersion"],
            "Description": found.get("Description"),
            "RoutingConfig": weights and {"AdditionalVersionWeights": weights},
        }
    )


def permission(account: Account, sid: str, parent: str) -> Properties | None:
    """One statement of a function's policy."""
    found = account.statements(parent).get(sid)
    return found and {key: value for key, value in found.items() if key not in ("Sid", "Resource")}


def event_source_mapping(account: Account, uuid: str, _parent: str) -> Properties | None:
    """An event source with its batches, and whether it is on."""
    found = account.mappings().get(uuid)
    return found and _mapping(found)


def _mapping(found: Mapping[str, Any]) -> Properties:
    filters = (found.get("FilterCriteria") or {}).get("Filters")
    shown = {**{key: found.get(key) for key in _MAPPING}, "FilterCriteria": filters and {"Filters": filters}}
    return {**given(shown), "Enabled": found.get("State") not in _OFF}


def layer_version(account: Account, arn: str, _parent: str) -> Properties:
    """The content of a layer."""
    found = account.client("lambda").get_layer_version_by_arn(Arn=arn)
    return {"CodeSha256": (found.get("Content") or {}).get("CodeSha256")}


READERS = {
    "AWS::Lambda::Function": function,
    "AWS::Lambda::Version": version,
    "AWS::Lambda::Alias": alias,
    "AWS::Lambda::Permission": permission,
    "AWS::Lambda::EventSourceMapping": event_source_mapping,
    "AWS::Lambda::LayerVersion": layer_version,
}
