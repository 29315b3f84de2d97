"""
Code that a template has in it, packed without a program: LocalStack calls ``zip``, which an image need not have.

The same code gives the same bytes, so the same ``CodeSha256``.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-code.html
"""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
from collections.abc import Mapping
from typing import Any

from localstack.services.lambda_.lambda_utils import get_handler_file_from_name
from localstack.services.lambda_.resource_providers.aws_lambda_function import (
    NODEJS_CFN_RESPONSE_CONTENT,
    PYTHON_CFN_RESPONSE_CONTENT,
)

_EPOCH = (1980, 1, 1, 0, 0, 0)


def code_parameters(properties: Mapping[str, Any]) -> dict[str, Any]:
    """
    A function's ``Code`` as Lambda's API takes it.

    Raises:
        ValueError: The runtime takes no code in a template.
    """
    code = dict(properties.get("Code") or {})
    text = code.get("ZipFile")
    # LocalStack also takes a whole package in base64.
    if text and (packed := _package(text)) is None:
        code["ZipFile"] = _packed(_files(str(text), properties))
    elif text:
        code["ZipFile"] = packed
    return code


def _package(text: Any) -> bytes | None:
    if isinstance(text, bytes):
        return text
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if zipfile.is_zipfile(io.BytesIO(decoded)) else None


def _files(text: str, properties: Mapping[str, Any]) -> dict[str, str]:
    """The handler's module, and the one that answers CloudFormation where it is asked for."""
    runtime = str(properties.get("Runtime") or "").lower()
    if not runtime.startswith(("python", "node")):
        raise ValueError(f"Runtime {runtime} doesn't support inlining code via the 'ZipFile' property.")
    files = {get_handler_file_from_name(properties["Handler"], runtime=runtime): text}
    if runtime.startswith("python") and "import cfnresponse" in text:
        files["cfnresponse.py"] = PYTHON_CFN_RESPONSE_CONTENT
    if runtime.startswith("node") and any(f"require({quote}cfn-response{quote})" in text for quote in "\"'"):
        files |= dict.fromkeys(("cfn-response.js", "node_modules/cfn-response.js"), NODEJS_CFN_RESPONSE_CONTENT)
    return files


def _packed(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return content.getvalue()
