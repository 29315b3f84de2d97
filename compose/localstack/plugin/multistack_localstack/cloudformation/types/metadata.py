"""``AWS::CDK::Metadata``: the CDK puts it into every template; it is nothing but its name."""

from __future__ import annotations

from typing import Any

from multistack_localstack.cloudformation.types import Ignored


class Metadata(Ignored):
    """A resource that isn't there."""

    def __init__(self) -> None:
        super().__init__("AWS::CDK::Metadata")
