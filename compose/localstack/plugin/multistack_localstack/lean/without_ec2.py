"""
SSM's backend without EC2's, until a command is sent to instances: nothing else of SSM needs it, and it takes 100 MB.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_EC2 = "moto.ec2"


class LateBackends:
    """Stands for ``ec2_backends``: imports EC2 when an account's is asked for."""

    def __getitem__(self, account_id: str) -> Any:
        return importlib.import_module(_EC2).ec2_backends[account_id]


def import_ssm() -> None:
    """Import SSM's models with a stand-in for EC2's; nothing is done where either is there already."""
    if _EC2 in sys.modules or "moto.ssm.models" in sys.modules:
        return
    import moto

    stand_in = ModuleType(_EC2)
    stand_in.ec2_backends = LateBackends()  # type: ignore[attr-defined]
    sys.modules[_EC2] = stand_in
    try:
        importlib.import_module("moto.ssm.models")
    finally:
        if sys.modules.get(_EC2) is stand_in:
            del sys.modules[_EC2]
        if getattr(moto, "ec2", None) is stand_in:
            del moto.ec2
