"""
Gap: MiniStack 1.5.33 makes a function or a layer whose code object isn't in the bucket.

It answers every call with something else than the release; on AWS the stack fails.

Source:
    https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCode.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REASON = (
    "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist. "
    "(s3://{bucket}/{key})"
)

Properties = Mapping[str, Any]


def apply() -> None:
    """Look for the object before a function or a layer is made; MiniStack's update looks by itself."""
    from ministack.services.cloudformation import provisioners

    for kind, name, where in (
        ("AWS::Lambda::Function", "_lambda_create", "Code"),
        ("AWS::Lambda::LayerVersion", "_lambda_layer_create", "Content"),
    ):
        create = _requiring(provisioners._RESOURCE_HANDLERS[kind]["create"], where)
        provisioners._RESOURCE_HANDLERS[kind]["create"] = create
        # A renamed function is made by this name.
        setattr(provisioners, name, create)


def _requiring(created: Any, where: str) -> Any:
    def create(logical_id: str, properties: Properties, stack_name: str) -> Any:
        code = properties.get(where) or {}
        if code.get("S3Bucket") and code.get("S3Key") and not _is_there(code):
            raise ValueError(_REASON.format(bucket=code["S3Bucket"], key=code["S3Key"]))
        return created(logical_id, properties, stack_name)

    return create


def _is_there(code: Properties) -> bool:
    from ministack.services import lambda_svc

    version = code.get("S3ObjectVersion")
    return lambda_svc._fetch_code_from_s3(code["S3Bucket"], code["S3Key"], version_id=version) is not None
