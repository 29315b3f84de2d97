"""
Gap: MiniStack 1.5.33 knows no ``Fn::GetAtt`` of a network's address range, from which templates divide subnets.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpc.html
"""

from __future__ import annotations

import functools
from typing import Any

_TYPE = "AWS::EC2::VPC"


def apply() -> None:
    """Tell it with the others when a network is made or changed."""
    from ministack.services import ec2
    from ministack.services.cloudformation import provisioners

    def telling(made: Any) -> Any:
        @functools.wraps(made)
        def make(*arguments: Any, **more: Any) -> Any:
            physical_id, attributes = made(*arguments, **more)
            network = ec2._vpcs.get(physical_id) or {}
            return physical_id, {**attributes, "CidrBlock": network.get("CidrBlock", "")}

        return make

    handlers = provisioners._RESOURCE_HANDLERS[_TYPE]
    handlers.update({name: telling(handlers[name]) for name in ("create", "update") if name in handlers})
