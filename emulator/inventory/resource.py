"""An inventory as plain data: what stands in an environment's stack, resource by resource, at one moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

Properties = Mapping[str, Any]
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """
    One resource of a stack.

    Attributes:
        parent: Physical id of the function or API that it is a part of; empty for what stands alone.
        properties: Named as in a template, lists of named things as maps; None when the resource is not there.
        unread: Why its properties are not known and so can't be compared; empty when they are.
    """

    type: str
    physical_id: str
    parent: str = ""
    properties: Properties | None = None
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """
    All resources of a stack at one moment, without a secret's value.

    Attributes:
        release: Id of the release that was deployed.
        salt: What hidden values were hashed with; another inventory of the same salt can be compared.
        hidden_parameters: The stack's parameters whose values nobody may see.
        secrets: Names of secrets that were delivered beside the stack; they are among the resources.
        stack: What the stack itself was given.
        resources: By logical id.
    """

    release: str
    at: datetime
    salt: str
    hidden_parameters: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    stack: Properties
    resources: Mapping[str, Resource]

    def to_json(self) -> bytes:
        """What :meth:`from_json` reads."""
        content = {**asdict(self), "format": FORMAT, "at": self.at.isoformat()}
        return json.dumps(content, separators=(",", ":"), default=str).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Inventory | None:
        """The inventory, or None when this multistack can't read it."""
        try:
            found = json.loads(content)
            if found.pop("format") != FORMAT:
                return None
            found["at"] = datetime.fromisoformat(found["at"])
            found |= {name: tuple(found[name]) for name in ("hidden_parameters", "secrets")}
            found["resources"] = {name: Resource(**one) for name, one in found["resources"].items()}
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
