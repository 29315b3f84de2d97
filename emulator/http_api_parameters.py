"""
What an HTTP API that asks a service itself may ask with: the parameters of each subtype, and where they come from.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# `$request.body.a`, `${request.header.b}`, `$context.c`, `$stageVariables.d`.
SELECTED = re.compile(
    r"\$\{((?:request|context|stageVariables)[^}]*)\}|\$((?:request|context|stageVariables)[\w.$\[\]-]*)"
)
# Variables of `$context` that an emulator knows when it asks; those of authorizers have names of their own.
CONTEXT = frozenset(
    {
        "accountId",
        "apiId",
        "domainName",
        "domainPrefix",
        "extendedRequestId",
        "httpMethod",
        "identity.accountId",
        "identity.caller",
        "identity.principalOrgId",
        "identity.sourceIp",
        "identity.user",
        "identity.userAgent",
        "identity.userArn",
        "path",
        "protocol",
        "requestId",
        "requestTime",
        "requestTimeEpoch",
        "routeKey",
        "stage",
    }
)
_AUTHORIZER = "authorizer."
_NOT_OF_AUTHORIZERS = frozenset({"error", "latency", "status"})
_SOURCE = re.compile(r"request\.(?:header|querystring|path)\..+|request\.body(?:\..+)?|(?:context|stageVariables)\..+")
_LOOKS_SELECTED = re.compile(r"\$\{([^}]*)\}|^\$([A-Za-z].*)$", re.DOTALL)
# Source: API Gateway, request bodies: neither recursive descent nor filter expressions.
_UNSUPPORTED_PATH = re.compile(r"request\.body\..*(?:\.\.|\?\()|request\.body\.\.")

Parameters = Mapping[str, Any]


def _parameters(required: str, optional: str = "") -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(required.split()), frozenset([*optional.split(), "Region"])


# Those that must be there, and those that may.
_OF_SUBTYPES = {
    "AppConfig-GetConfiguration": _parameters(
        "Application Environment Configuration ClientId", "ClientConfigurationVersion"
    ),
    "EventBridge-PutEvents": _parameters("Detail DetailType Source", "Time EventBusName Resources TraceHeader"),
    "Kinesis-PutRecord": _parameters("StreamName Data PartitionKey", "SequenceNumberForOrdering ExplicitHashKey"),
    "SQS-DeleteMessage": _parameters("ReceiptHandle QueueUrl"),
    "SQS-PurgeQueue": _parameters("QueueUrl"),
    "SQS-ReceiveMessage": _parameters(
        "QueueUrl",
        "AttributeNames MaxNumberOfMessages MessageAttributeNames ReceiveRequestAttemptId VisibilityTimeout"
        " WaitTimeSeconds",
    ),
    "SQS-SendMessage": _parameters(
        "QueueUrl MessageBody",
        "DelaySeconds MessageAttributes MessageDeduplicationId MessageGroupId MessageSystemAttributes",
    ),
    "StepFunctions-StartExecution": _parameters("StateMachineArn", "Name Input"),
    "StepFunctions-StartSyncExecution": _parameters("StateMachineArn", "Name Input TraceHeader"),
    "StepFunctions-StopExecution": _parameters("ExecutionArn", "Cause Error"),
}


def problem(subtype: str, parameters: Parameters) -> str:
    """Why AWS makes no integration of *subtype* with these *parameters*; empty if it does."""
    if subtype not in _OF_SUBTYPES:
        return f"Invalid integration subtype specified: {subtype}"
    required, optional = _OF_SUBTYPES[subtype]
    if missing := sorted(required - parameters.keys()):
        return f"Missing required parameters of {subtype}: {', '.join(missing)}"
    if unknown := sorted(parameters.keys() - required - optional):
        return f"Invalid parameters of {subtype}: {', '.join(unknown)}"
    wrong = [f"Invalid source: {one} specified for destination: {name}" for name, one in _invalid(parameters)]
    if not wrong:
        return ""
    return f"Invalid selection expression specified: Validation Result: warnings : [], errors : [{', '.join(wrong)}]"


def _invalid(parameters: Parameters) -> Iterator[tuple[str, str]]:
    for name, given in parameters.items():
        found = _LOOKS_SELECTED.finditer(given) if isinstance(given, str) else ()
        selections = [match[1] if match[1] is not None else match[2] for match in found]
        if not all(_SOURCE.match(one) and not _UNSUPPORTED_PATH.match(one) for one in selections):
            yield name, given


def unknown_variables(parameters: Parameters) -> Iterator[str]:
    """Variables of ``$context`` that *parameters* ask for and no emulator here knows, each once."""
    found = (
        match[1] or match[2]
        for given in parameters.values()
        if isinstance(given, str)
        for match in SELECTED.finditer(given)
    )
    names = (one.removeprefix("context.") for one in found if one.startswith("context."))
    yield from dict.fromkeys(name for name in names if not _is_known(name))


def _is_known(name: str) -> bool:
    if name.startswith(_AUTHORIZER):
        return name.removeprefix(_AUTHORIZER) not in _NOT_OF_AUTHORIZERS
    return name in CONTEXT
