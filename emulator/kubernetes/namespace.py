"""What a namespace has besides its environments: its bounds, and who may talk to whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.kubernetes.environment import CORES, PORT, Object, environment_objects, quantity
from emulator.kubernetes.names import SPACE, project_labels
from emulator.kubernetes.options import Options
from emulator.kubernetes.seat import LEAST_MEMORY, Seat
from emulator.model import Project

_STORAGE_UNITS = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DNS_NAMESPACE = "kube-system"
_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def objects(project: Project, seat: Seat, options: Options) -> list[Object]:
    """All that is in *seat*'s namespace, that first; each has its namespace and, at a space's, its space's label."""
    found = [*bounds(project, seat, options), *shared_objects(project, options)]
    for environment in project.promotion_order:
        found += environment_objects(project, environment, seat, options)
    return [placed(each, seat) for each in found]


def bounds(project: Project, seat: Seat, options: Options) -> list[Object]:
    """The namespace, and how much fits into it: what differs from seat to seat."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": seat.namespace,
                "labels": {
                    **project_labels(project.service),
                    **space_labels(seat),
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                },
            },
        },
        _named(project, "v1", "ResourceQuota", "environments", {"hard": _hard(seat, options)}),
        _named(project, "v1", "LimitRange", "environments", {"limits": [_container_limits(seat)]}),
    ]


def shared_objects(project: Project, options: Options) -> list[Object]:
    """The rules that are the same in all namespaces of a project, and for all environments in them."""
    ours = {"matchLabels": dict(project_labels(project.service))}
    return [
        _named(
            project,
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "nobody",
            {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        ),
        _named(
            project,
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "proxy",
            {
                "podSelector": ours,
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [_pods_of(options.proxy_namespace)], "ports": [_port("TCP", PORT)]}],
                "egress": [{"to": [_pods_of(_DNS_NAMESPACE)], "ports": [_port("UDP", 53), _port("TCP", 53)]}],
            },
        ),
        # Two at a time would be all the same to their state; but whoever drains a node finds no more than one away.
        _named(
            project,
            "policy/v1",
            "PodDisruptionBudget",
            "environments",
            {"maxUnavailable": 1, "selector": ours, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
        ),
    ]


def space_labels(seat: Seat) -> Mapping[str, str]:
    """Of all that belongs to a space; none for the project's own environments."""
    return {} if seat.space is None else {SPACE: seat.space}


def _named(project: Project, version: str, kind: str, name: str, spec: Object) -> Object:
    metadata = {"name": name, "labels": dict(project_labels(project.service))}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def placed(one: Object, seat: Seat) -> Object:
    """*one* in *seat*'s namespace, with the label of its space."""
    metadata: Object = {**one["metadata"], "labels": {**one["metadata"]["labels"], **space_labels(seat)}}
    if one["kind"] != "Namespace":
        metadata["namespace"] = seat.namespace
    placed = {**one, "metadata": metadata}
    if "template" in one.get("spec", {}):
        template = one["spec"]["template"]
        labels = {**template["metadata"]["labels"], **space_labels(seat)}
        placed["spec"] = {**one["spec"], "template": {**template, "metadata": {"labels": labels}}}
    return placed


def _hard(seat: Seat, options: Options) -> dict[str, Any]:
    """The most that there may be in a namespace: as many pods as environments, and none that the outside reaches."""
    hard = {
        "pods": str(seat.places),
        "services": str(seat.places),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "requests.memory": quantity(LEAST_MEMORY * seat.places),
        "persistentvolumeclaims": str(seat.places if options.storage else 0),
    }
    if options.storage:
        unit = _STORAGE_UNITS[options.storage[-2:]]
        hard["requests.storage"] = quantity(int(options.storage[:-2]) * unit * seat.places)
    if seat.total_memory is not None:
        hard["limits.memory"] = quantity(seat.total_memory)
    return hard


def _container_limits(seat: Seat) -> Object:
    """What a container gets that says nothing of it: those that a person adds."""
    known = [memory for memory in seat.memory.values() if memory is not None]
    return {
        "type": "Container",
        "defaultRequest": {"cpu": CORES, "memory": quantity(LEAST_MEMORY)},
        **({"default": {"memory": quantity(max(known))}} if len(known) == len(seat.memory) else {}),
    }


def _pods_of(namespace: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: namespace}}}


def _port(protocol: str, number: int) -> Object:
    return {"protocol": protocol, "port": number}
