"""
``{{resolve:…}}``: values that a stack doesn't keep, read when a resource is made.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localstack.services.cloudformation.engine.v2.resolving import DynamicReference, perform_dynamic_reference_lookup
from localstack.services.cloudformation.engine.validations import ValidationError

_REFERENCE = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^{}]+)\}\}")


def fill_in(value: Any, *, account_id: str, region: str) -> Any:
    """
    *value* with its dynamic references replaced by what they refer to now.

    Raises:
        ValidationError: There is no such parameter, secret or key.
    """
    if isinstance(value, Mapping):
        return {key: fill_in(part, account_id=account_id, region=region) for key, part in value.items()}
    if isinstance(value, list):
        return [fill_in(part, account_id=account_id, region=region) for part in value]
    if not isinstance(value, str) or "{{resolve:" not in value:
        return value

    def read(match: re.Match[str]) -> str:
        try:
            found = perform_dynamic_reference_lookup(DynamicReference(match[1], match[2]), account_id, region)
        except Exception as error:  # whatever the other service refuses by is the reference's fault, and in the message
            raise ValidationError(f"Could not resolve {match[0]}: {error}") from error
        if found is None:
            raise ValidationError(f"Could not resolve {match[0]}")
        return str(found)

    return _REFERENCE.sub(read, value)
