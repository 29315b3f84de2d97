"""Routes to environments of the lab that the lab's own project doesn't know."""

from __future__ import annotations

from emulator.lab.topologies import Place, Topology
from emulator.model import Api, Instance, Route


def route_to(place: Place, topology: Topology, instance: Instance, *, driver: str) -> Route:
    """
    How the proxy reaches a place.

    Args:
        instance: What runs of its account.
    """
    api = Api(logical_id="Api", stage=place.stage, path=place.api_path)
    return Route(
        environment=f"{topology.prefix}{place.environment}",
        account_id=place.endpoint.account_id,
        region=place.endpoint.region,
        driver=driver,
        url=place.endpoint.url,
        process=instance.process,
        release=None,
        digest=None,
        apis=(api,),
        default_api=api.logical_id,
        topology=topology.value,
        started_by="multistack lab up",
    )
