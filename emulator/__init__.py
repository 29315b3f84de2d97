"""
Test, staging and prod of a serverless service on your laptop: what tests may import, all of it.

The distribution is multistack-emulator, the import name ``emulator``; ``import emulator as multistack`` reads best::

    import emulator as multistack

    with multistack.environments("test", "prod") as environments:
        assert environments["test"].api.get("/health").status == 200

Nothing is loaded before it is used. Every name that is not in ``__all__`` is private, as are all modules.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.errors import MultistackError
    from emulator.testing.api import Answer, ApiClient
    from emulator.testing.aws import Aws
    from emulator.testing.cases import EnvironmentsMixin
    from emulator.testing.container import MultistackContainer
    from emulator.testing.environment import DeployedService, FunctionResult, RunningEnvironment
    from emulator.testing.guard import ForeignAwsCall
    from emulator.testing.logs import LogLine, Logs
    from emulator.testing.running import Environments, environments

__all__ = [
    "Answer",
    "ApiClient",
    "Aws",
    "DeployedService",
    "Environments",
    "EnvironmentsMixin",
    "ForeignAwsCall",
    "FunctionResult",
    "LogLine",
    "Logs",
    "MultistackContainer",
    "MultistackError",
    "RunningEnvironment",
    "environments",
]

_HOMES = {
    "Answer": "testing.api",
    "ApiClient": "testing.api",
    "Aws": "testing.aws",
    "DeployedService": "testing.environment",
    "Environments": "testing.running",
    "EnvironmentsMixin": "testing.cases",
    "ForeignAwsCall": "testing.guard",
    "FunctionResult": "testing.environment",
    "LogLine": "testing.logs",
    "Logs": "testing.logs",
    "MultistackContainer": "testing.container",
    "MultistackError": "errors",
    "RunningEnvironment": "testing.environment",
    "environments": "testing.running",
}


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
