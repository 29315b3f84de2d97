"""
Gap: MiniStack 1.5.33 doesn't look for drift of aliases, event source mappings and stages of a REST API.

An alias that somebody moved by hand, or a stage variable that somebody edited, is what separates two environments that
share a function.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-supported-resources.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WEIGHTS = "AdditionalVersionWeights"
_ALIAS = {"Name", "FunctionVersion", "Description", "RoutingConfig"}
_MAPPING = {
    "BatchSize",
    "BisectBatchOnFunctionError",
    "Enabled",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ScalingConfig",
}
# Property of the template to key of the stage's record.
_STAGE = {
    "StageName": "stageName",
    "DeploymentId": "deploymentId",
    "Description": "description",
    "Variables": "variables",
    "TracingEnabled": "tracingEnabled",
}

Properties = Mapping[str, Any]


def apply() -> None:
    """Give these types a reader of what there is."""
    from ministack.services.cloudformation import drift

    drift._DRIFT_READERS.update(
        {
            "AWS::Lambda::Alias": (_alias, frozenset(_ALIAS)),
            "AWS::Lambda::EventSourceMapping": (_mapping, frozenset(_MAPPING)),
            "AWS::ApiGateway::Stage": (_stage, frozenset(_STAGE)),
        }
    )


def _alias(_physical_id: str, expected: Properties) -> Properties | None:
    from ministack.services.cloudformation import provisioners

    function = provisioners._lambda_function_for_cfn_ref(expected.get("FunctionName", ""))[0]
    alias = function["aliases"].get(expected.get("Name")) if function else None
    if alias is None:
        return None
    found = {key: alias[key] for key in _ALIAS if key in alias}
    weights = (alias.get("RoutingConfig") or {}).get(_WEIGHTS) or {}
    # The template lists what the API has as a map.
    listed = [{"FunctionVersion": version, "FunctionWeight": weight} for version, weight in sorted(weights.items())]
    return {**found, "RoutingConfig": {_WEIGHTS: listed}}


def _mapping(physical_id: str, _expected: Properties) -> Properties | None:
    from ministack.services import lambda_svc

    mapping: Properties | None = lambda_svc._esms.get(physical_id)
    return None if mapping is None else {key: mapping[key] for key in _MAPPING if key in mapping}


def _stage(physical_id: str, expected: Properties) -> Properties | None:
    from ministack.services import apigateway_v1

    stage = apigateway_v1._stages_v1.get(expected.get("RestApiId", ""), {}).get(physical_id)
    return None if stage is None else {given: stage[kept] for given, kept in _STAGE.items() if kept in stage}
