"""
Further containers, which a LocalStack with the engine's socket makes for functions.

Source:
    https://docs.localstack.cloud/aws/capabilities/config/configuration/#lambda; LocalStack 4.14,
    ``docker_runtime_executor.py`` for their names.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from emulator.errors import ConfigError, NotReady
from emulator.model import Environment, Functions

# Where LocalStack looks for the engine.
SOCKET = "/var/run/docker.sock"
# On each of them: the name of the container whose functions it runs.
_MAKER = "dev.multistack.functions-of"
_NAME, _NETWORK, _FLAGS = "MAIN_CONTAINER_NAME", "LAMBDA_DOCKER_NETWORK", "LAMBDA_DOCKER_FLAGS"
# Where the names are not the driver's, LocalStack has to find its own by itself.
NAMING = frozenset({_NAME, _NETWORK, _FLAGS})


def variables(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """
    What lets the LocalStack in container *name* make them as ours.

    It is told its name: by its host name it would find whichever container happens to be called so.

    Args:
        labels: What they shall carry besides.
    """
    flags = [part for key, value in {**labels, _MAKER: name}.items() for part in ("--label", f"{key}={value}")]
    return {
        "LAMBDA_RUNTIME_EXECUTOR": "docker",
        _NAME: name,
        _NETWORK: name,
        _FLAGS: shlex.join(flags),
    }


def is_function_of(name: str, found: str, labels: Mapping[str, str] | None) -> bool:
    """Whether the container that is called *found* was made by the LocalStack in container *name*."""
    return (labels or {}).get(_MAKER) == name and found.removeprefix("/").startswith(f"{name}-lambda-")


def filters(name: str) -> dict[str, str]:
    """How the engine finds those of container *name*."""
    return {"label": f"{_MAKER}={name}"}


def socket_for(environment: Environment, address: str, *, is_own: bool) -> str | None:
    """
    The socket of the engine at *address* that *environment* is to get; None for none.

    Args:
        is_own: Its image is one of ours.

    Raises:
        ConfigError: That image has no use for it.
        NotReady: The engine has no socket that a container could get.
    """
    if environment.container.functions is not Functions.DOCKER:
        return None
    if is_own:
        raise ConfigError(
            f"environment {environment.name}: image {environment.container.image} runs functions in itself, and has no"
            ' use for lambda = "docker"',
            hint='set image = "localstack/localstack:4.14.0" under [localstack], or remove `lambda`',
        )
    path = socket_path(address)
    if path is None:
        raise NotReady(
            f'environment {environment.name}: lambda = "docker" needs the engine\'s unix socket, and the engine is at'
            f" {address}",
            hint="use an engine with a unix socket on this machine",
        )
    return path


def socket_path(address: str) -> str | None:
    """The file that an engine's *address* means; None for one that is no unix socket of this machine."""
    scheme, _, rest = address.partition("://")
    return "/" + rest.lstrip("/") if scheme in ("unix", "http+unix") else None
