"""
A project as a Compose file: a container per environment, and one that deploys into them and serves them.

It is made for Compose 1.29 and 2: no key that one of them refuses, so neither ``version`` nor ``name``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from emulator.drivers import containers
from emulator.drivers.container_functions import NAMING
from emulator.drivers.containers import Image
from emulator.errors import ConfigError
from emulator.model import OWN_IMAGE, Environment, Functions, Project
from emulator.overrides import folded

MARK = "# Rendered by `multistack compose`"
PROXY = "proxy"
# Clear of the embedded driver's and the containers' own ports, so that all can run.
_FIRST_PORT = 4580
_PROXY_PORT = 8080
# Where run.sh of the proxy's image expects the project, and keeps its copy and state.
_PROJECT, _STATE = "/project", "/var/lib/multistack"
_HEALTHY = (
    "import json, urllib.request as web; "
    "answer = web.urlopen('http://127.0.0.1:{port}/_localstack/health', timeout=3); "
    "raise SystemExit('error' in json.load(answer)['services'].values())"
)
_PROXY_HEALTHY = (
    "import os, urllib.request as web; "
    "os.stat('/tmp/ready'); "
    "web.urlopen('http://127.0.0.1:' + os.environ['MULTISTACK_PROXY_PORT'] + '/_multistack/health', timeout=3)"
)
_HEADER = """\
{mark} from {file}: change that, and render again.
#
#   docker compose up       starts and deploys everything; Compose 1.29 is called docker-compose
#   docker compose down     stops it; with --volumes its data goes too
#   docker compose restart proxy
#                           deploys what the project folder holds now
#
# Then: http://127.0.0.1:{port}/. Other ports: {variables}.
"""


def render(project: Project, folder: Path, *, proxy_image: str, source: Path | None) -> str:
    """
    The Compose file of *project*; the same project gives the same text. Created environments are not in it.

    Args:
        folder: Where the file will be: its paths are relative to that.
        proxy_image: What the image of the proxy is called.
        source: The repository of multistack, if images can be built from it.

    Raises:
        ConfigError: An environment can't be one of Compose.
    """
    project = replace(project, environments=project.promotion_order)
    _check(project)
    ports = _ports(project)
    services = {
        one.name: _emulator(project, one, folder, port=ports[one.name], source=source) for one in project.environments
    }
    names = [one.name for one in project.environments]
    content = {
        "services": {**services, PROXY: _proxy(project, folder, image=proxy_image, source=source)},
        "networks": {
            **{one.name: {"internal": True} if one.container.internal else {} for one in project.environments},
            PROXY: {},
        },
        "volumes": {name: {} for name in (*names, PROXY)},
    }
    header = _HEADER.format(
        mark=MARK,
        file=project.file.name,
        port=project.proxy.port or _PROXY_PORT,
        variables=", ".join(_port_variable(name) for name in (PROXY, *names)),
    )
    return header + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _check(project: Project) -> None:
    for environment in project.environments:
        if environment.name == PROXY:
            raise ConfigError(
                f"environment {PROXY} can't be in a Compose file: its proxy has that name",
                hint="give the environment another name",
            )
        if environment.enforce_iam:
            raise ConfigError(
                f"environment {environment.name} can't be in a Compose file: only the embedded driver enforces IAM",
                hint=f"--set environments.{environment.name}.enforce_iam=false",
            )
        if environment.container.functions is Functions.DOCKER and environment.container.image == OWN_IMAGE:
            raise ConfigError(
                f'environment {environment.name}: image {OWN_IMAGE} has no use for lambda = "docker"',
                hint="remove `lambda` under [localstack], or set another image",
            )
    if not project.template.resolve().is_relative_to(project.root.resolve()):
        raise ConfigError(
            f"template {project.template} can't be in a Compose file: only {project.root} is there",
            hint="put it beside the project file",
        )


def _ports(project: Project) -> Mapping[str, int]:
    """Where each environment's emulator is found on 127.0.0.1, unless a variable says otherwise."""
    taken = {one.port for one in project.environments} | {project.proxy.port}
    free = (port for port in range(_FIRST_PORT, 65536) if port not in taken)
    return {one.name: one.port or next(free) for one in project.environments}


def _port_variable(name: str) -> str:
    return f"{folded(name)}_PORT"


def _variable(name: str, port: int) -> str:
    """Compose's own notation for a variable with a default."""
    return f"${{{_port_variable(name)}:-{port}}}"


def _emulator(
    project: Project, environment: Environment, folder: Path, *, port: int, source: Path | None
) -> dict[str, Any]:
    """The service of one environment: what the driver would make, in Compose's words."""
    settings, name = environment.container, environment.name
    image = Image(name=settings.image, id=settings.image, is_own=settings.image == OWN_IMAGE)
    is_open = not settings.internal
    made = containers.arguments(project, environment, image, port=port if is_open else None, token=None)
    variables = {key: value for key, value in made["environment"].items() if key not in NAMING}
    if is_open:
        variables |= containers.addressing(_variable(name, port))
    if not image.is_own:
        variables["LOCALSTACK_AUTH_TOKEN"] = "${LOCALSTACK_AUTH_TOKEN:-}"  # noqa: S105 (whoever starts it has it)
    return {
        "image": settings.image,
        **(_build("localstack", source, folder) if image.is_own else {}),
        **({"hostname": made["hostname"]} if "hostname" in made else {}),
        "environment": dict(sorted(variables.items())),
        **({"ports": [f"127.0.0.1:{_variable(name, port)}:{containers.PORT}"]} if is_open else {}),
        "networks": [name],
        "volumes": [_volume(name, made["name"], target, mount) for target, mount in made["volumes"].items()],
        **_limits(made),
        **({"healthcheck": _health(_HEALTHY.format(port=containers.PORT))} if image.is_own else {}),
        "stop_grace_period": "15s",
    }


def _volume(name: str, own: str, target: str, mount: Mapping[str, str]) -> dict[str, Any]:
    """A mount of the driver; its volume has the service's name."""
    if target == own:
        return {"type": "volume", "source": name, "target": mount["bind"]}
    return {"type": "bind", "source": target, "target": mount["bind"]}


def _limits(made: Mapping[str, Any]) -> dict[str, Any]:
    """What a container may and may not, as the driver says."""
    policy, memory, cores = made["restart_policy"], made.get("mem_limit"), made.get("nano_cpus")
    return {
        **({"mem_limit": memory, "memswap_limit": made["memswap_limit"]} if memory else {}),
        **({"cpus": cores / 1e9} if cores else {}),
        **({"read_only": True} if made.get("read_only") else {}),
        **({"cap_drop": made["cap_drop"]} if made.get("cap_drop") else {}),
        "security_opt": made["security_opt"],
        **({"tmpfs": [f"{path}:{options}" for path, options in made["tmpfs"].items()]} if made.get("tmpfs") else {}),
        "init": made["init"],
        "restart": f"{policy['Name']}:{policy['MaximumRetryCount']}",
    }


def _health(program: str) -> dict[str, Any]:
    return {
        "test": ["CMD", "python", "-S", "-c", program],
        "interval": "3s",
        "timeout": "5s",
        "retries": 5,
        "start_period": "90s",
    }


def _proxy(project: Project, folder: Path, *, image: str, source: Path | None) -> dict[str, Any]:
    port = _variable(PROXY, project.proxy.port or _PROXY_PORT)
    variables = {"MULTISTACK_FILE": f"{_STATE}/project/{project.file.name}", "MULTISTACK_PROXY_PORT": port}
    for one in project.environments:
        own = f"MULTISTACK_ENVIRONMENT_{folded(one.name)}"
        variables[f"{own}_DRIVER"] = "external"
        variables[f"{own}_ENDPOINT"] = f"http://{one.name}:{containers.PORT}"
        variables[f"{own}_PORT"] = "auto"
    names = [one.name for one in project.environments]
    return {
        "image": image,
        **_build("proxy", source, folder),
        "environment": dict(sorted(variables.items())),
        "ports": [f"127.0.0.1:{port}:{port}"],
        "networks": [*names, PROXY],
        "volumes": [
            {"type": "bind", "source": _relative(project.root, folder), "target": _PROJECT, "read_only": True},
            {"type": "volume", "source": PROXY, "target": _STATE},
        ],
        "depends_on": {
            one.name: {"condition": "service_healthy" if one.container.image == OWN_IMAGE else "service_started"}
            for one in project.environments
        },
        "mem_limit": 512 * 2**20,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp:mode=1777"],  # noqa: S108
        "init": True,
        "restart": "on-failure:3",
        "healthcheck": _health(_PROXY_HEALTHY),
        "stop_grace_period": "15s",
    }


def _build(name: str, source: Path | None, folder: Path) -> dict[str, Any]:
    """How to make an image of ours, for ``docker compose build``; nothing without its source."""
    if source is None:
        return {}
    own, base = source / "compose" / name, {"BASE": "${BASE:-python:3.13-slim}"}
    if name == "localstack":
        return {"build": {"context": _relative(own, folder), "args": base}}
    # The proxy is made of all of the repository.
    return {"build": {"context": _relative(source, folder), "dockerfile": f"compose/{name}/Dockerfile", "args": base}}


def _relative(path: Path, folder: Path) -> str:
    found = os.path.relpath(path.resolve(), folder.resolve())
    return found if found.startswith(".") else f"./{found}"
