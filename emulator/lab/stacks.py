"""Stacks in an account that environments share: the single stack, and one per environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from emulator import artifact_bucket, stack
from emulator.deployed_code import put_code
from emulator.endpoint import answering, client
from emulator.expansion import expand
from emulator.lab.code import GOOD, zip_of
from emulator.lab.project import SINGLE_TEMPLATE
from emulator.lab.topologies import ENVIRONMENTS, Place, Topology
from emulator.model import Artifact, Endpoint, Project
from emulator.release import make_release, parameters_of
from emulator.template import Template, read_template

SINGLE_STACK = "orders"
_CODE_KEY = "single-stack.zip"
Cancelled = Callable[[], None]


def deploy_single(endpoint: Endpoint, folder: Path, *, cancelled: Cancelled) -> None:
    """
    Deploy ``single-stack.yaml`` of the lab in *folder*.

    Raises:
        DeployError: The emulator refused or failed it.
        NotReady: It ended meanwhile.
    """
    with answering(endpoint):
        artifact_bucket.make(endpoint)
        bucket = artifact_bucket.name_of(endpoint)
        client(endpoint, "s3").put_object(Bucket=bucket, Key=_CODE_KEY, Body=zip_of(GOOD))
        parameters = {"CodeBucket": bucket, "CodeKey": _CODE_KEY}
        template = read_template(folder / SINGLE_TEMPLATE)
        _execute(endpoint, SINGLE_STACK, template, parameters, cancelled=cancelled)


def deploy_each(endpoint: Endpoint, project: Project, artifact: Artifact, *, cancelled: Cancelled) -> None:
    """Deploy every environment's stack into the one account at *endpoint*; raises as :func:`deploy_single`."""
    with answering(endpoint):
        artifact_bucket.make(endpoint)
        put_code(endpoint, artifact, cancelled=cancelled)
        for environment in project.environments:
            release = make_release(artifact, environment.config)
            parameters = parameters_of(artifact, environment.name, release)
            template = artifact_bucket.put_in(
                endpoint, expand(artifact, parameters, region=environment.region, state=project.state)
            )
            _execute(endpoint, project.stack_name(environment.name), template, parameters, cancelled=cancelled)


def _execute(
    endpoint: Endpoint, name: str, template: Template, parameters: Mapping[str, str], *, cancelled: Cancelled
) -> None:
    bucket = artifact_bucket.name_of(endpoint)
    planned = stack.plan(endpoint, name, template, parameters=parameters, tags={}, bucket=bucket, cancelled=cancelled)
    if not planned.is_empty:
        stack.execute(endpoint, planned, cancelled=cancelled)


def is_deployed(endpoint: Endpoint, topology: Topology) -> bool:
    """Whether the account at *endpoint* has all stacks of a topology whose environments share it."""
    names = [SINGLE_STACK] if topology is Topology.SINGLE else [f"{SINGLE_STACK}-{name}" for name in ENVIRONMENTS]
    found = [stack.describe(endpoint, name) for name in names]
    return all(one is not None and one.is_stable for one in found)


def places(topology: Topology, endpoints: Mapping[str, Endpoint]) -> Mapping[str, Place]:
    """
    Every environment of a topology that is deployed.

    Args:
        endpoints: Environment to its account, which may be that of all of them.
    """
    if topology is Topology.SINGLE:
        return _places_of_single(endpoints["prod"])
    return {name: _place_of_own(endpoints[name], name, topology) for name in ENVIRONMENTS}


def _places_of_single(endpoint: Endpoint) -> Mapping[str, Place]:
    """Every environment of the single stack."""
    found = stack.resources(endpoint, SINGLE_STACK)
    return {
        name: Place(
            environment=name,
            path=f"/{Topology.SINGLE.prefix}{name}",
            endpoint=endpoint,
            stack=SINGLE_STACK,
            api=found["Api"],
            stage=name,
            function=found["Function"],
            alias=name,
            table=found[f"{name.capitalize()}Table"],
            queue=found["PlacedQueue"],
            role=found["Role"],
            parameters=f"/{SINGLE_STACK}",
        )
        for name in ENVIRONMENTS
    }


def _place_of_own(endpoint: Endpoint, name: str, topology: Topology) -> Place:
    """An environment that has a stack of its own."""
    stack_name = f"{SINGLE_STACK}-{name}"
    found = stack.resources(endpoint, stack_name)
    return Place(
        environment=name,
        path=f"/{topology.prefix}{name}",
        endpoint=endpoint,
        stack=stack_name,
        api=found["Api"],
        stage=next(physical for logical_id, physical in found.items() if logical_id.endswith("Stage")),
        function=found["ApiFunction"],
        alias=None,
        table=found["OrdersTable"],
        queue=found["PlacedQueue"],
        role=found["ApiFunctionRole"],
        parameters=f"/{stack_name}",
    )
