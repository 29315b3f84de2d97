"""How environments can be laid out, and one environment as whoever operates it finds it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from emulator.model import Endpoint

ENVIRONMENTS = ("test", "staging", "prod")


class Topology(enum.Enum):
    """What environments share: nothing, an account, or everything down to the function."""

    SINGLE = "single"
    MULTI = "multi"
    SAME_ACCOUNT = "multi-same-account"

    @property
    def prefix(self) -> str:
        """What the proxy's path has in front of an environment's name, e.g. ``single/``."""
        return {Topology.SINGLE: "single/", Topology.MULTI: "", Topology.SAME_ACCOUNT: "same-account/"}[self]

    @property
    def meaning(self) -> str:
        """What it is, in a line."""
        return {
            Topology.SINGLE: "one stack: an API stage, an alias and a table per environment",
            Topology.MULTI: "a stack per environment, each in an account of its own",
            Topology.SAME_ACCOUNT: "a stack per environment, all in one account",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """
    One environment as its operator finds it: the names of its resources.

    Attributes:
        environment: ``test``, ``staging`` or ``prod``.
        path: Where the proxy serves it, e.g. ``/single/prod``.
        endpoint: The account that it lives in; several places may share one.
        alias: Its alias of the function; None where the function is its own.
        role: The role's name.
        queue: The queue's URL.
        parameters: The path of its parameters, e.g. ``/orders-prod``.
    """

    environment: str
    path: str
    endpoint: Endpoint
    stack: str
    api: str
    stage: str
    function: str
    alias: str | None
    table: str
    queue: str
    role: str
    parameters: str

    @property
    def api_path(self) -> str:
        """Where its API answers at its emulator."""
        return f"/_aws/execute-api/{self.api}/{self.stage}"

    @property
    def api_url(self) -> str:
        """The same with no proxy between."""
        return f"{self.endpoint.url}{self.api_path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """
    A topology that runs.

    Attributes:
        driver: What runs its emulators.
        port: The proxy's, on 127.0.0.1.
        places: Environment name to place.
    """

    topology: Topology
    driver: str
    port: int
    places: Mapping[str, Place]
