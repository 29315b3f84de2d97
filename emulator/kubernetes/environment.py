"""
One environment in a cluster: a pod with the embedded emulator, and the service that finds it.

An emulator is one process with its state, so there is one pod, and never two at a time. With a volume it is that of a
StatefulSet: its controller starts no second pod while the first may still run, on a node that is cut off too, so no two
emulators ever write the same state. Without one it is that of a Deployment that ends the old pod before it starts a new
one; the state goes with the pod.
"""

from __future__ import annotations

from typing import Any

from emulator.kubernetes.names import environment_labels, project_labels, selector
from emulator.kubernetes.options import Options
from emulator.kubernetes.seat import LEAST_MEMORY, MIB, Seat
from emulator.model import Environment, Project

Object = dict[str, Any]

PORT = 4566
CONTAINER = "emulator"
ACCOUNT = "MULTISTACK_ACCOUNT_ID"
# The Secret of each namespace that holds what the emulator asks its callers for; it is in no file.
SECRET, SECRET_KEY = "multistack-key", "key"
_STATE, _TEMPORARY = "/var/lib/multistack", "/tmp"  # noqa: S108 (in the pod)
_HEALTH = "/_localstack/health"
# As whom the image runs.
_USER = 1000
# Of a core. What starts takes more, when there is more.
CORES = "100m"
# Seconds until an emulator has written its last checkpoint.
_GRACE = 30


def environment_objects(project: Project, environment: Environment, seat: Seat, options: Options) -> list[Object]:
    """Of *environment*, without their namespace."""
    return [
        _workload(project, environment, seat, options),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _metadata(project, environment),
            "spec": {
                "type": "ClusterIP",
                "selector": {**selector(project.service, environment.name)},
                "ports": [
                    {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}
                ],
            },
        },
    ]


def difference(environment: Environment, base: Seat, seat: Seat, options: Options) -> Object:
    """What of the workload is another one at *seat* than at *base*, as a strategic merge patch."""
    name = environment.name
    container: Object = {"name": CONTAINER, "env": [{"name": ACCOUNT, "value": seat.accounts[name]}]}
    if seat.memory[name] != base.memory[name]:
        container["resources"] = resources(seat.memory[name], environment.container.cpus)
    return {
        "apiVersion": "apps/v1",
        "kind": _kind(options),
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def resources(memory: int | None, cpus: float | None) -> Object:
    """What a pod is sure to have, and where it ends."""
    limits: Object = {}
    if cpus is not None:
        thousandths = round(cpus * 1000)
        limits["cpu"] = f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)
    if memory is not None:
        limits["memory"] = quantity(memory)
    return {
        "requests": {"cpu": CORES, "memory": quantity(LEAST_MEMORY)},
        **({"limits": limits} if limits else {}),
    }


def quantity(size: int) -> str:
    """Bytes as an API server writes them; told otherwise, `kubectl apply` would find a change each time."""
    for unit, name in ((2**40, "Ti"), (2**30, "Gi"), (MIB, "Mi"), (2**10, "Ki")):
        if size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def _kind(options: Options) -> str:
    return "StatefulSet" if options.storage else "Deployment"


def _metadata(project: Project, environment: Environment) -> Object:
    return {"name": environment.name, "labels": {**environment_labels(project.service, environment.name)}}


def _workload(project: Project, environment: Environment, seat: Seat, options: Options) -> Object:
    labels = dict(environment_labels(project.service, environment.name))
    if options.version:
        labels["app.kubernetes.io/version"] = options.version
    spec: Object = {
        "replicas": 1,
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": {**selector(project.service, environment.name)}},
    }
    if options.storage:
        spec["serviceName"] = environment.name
        # With the other policy a pod that never gets ready, for want of an image, is not replaced by a corrected one:
        # https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
        spec["podManagementPolicy"] = "Parallel"
        spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete", "whenScaled": "Retain"}
        spec["volumeClaimTemplates"] = [_claim(project, options.storage)]
    else:
        spec["strategy"] = {"type": "Recreate"}
    spec["template"] = {"metadata": {"labels": dict(labels)}, "spec": _pod(environment, seat, options)}
    metadata = {"name": environment.name, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": _kind(options), "metadata": metadata, "spec": spec}


def _claim(project: Project, storage: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "state", "labels": {**project_labels(project.service)}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}},
    }


def _pod(environment: Environment, seat: Seat, options: Options) -> Object:
    kept = [] if options.storage else [{"name": "state", "emptyDir": {"sizeLimit": "1Gi"}}]
    return {
        "automountServiceAccountToken": False,
        # Variables with the addresses of other services would be in every function's environ.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(environment, seat, options)],
        "volumes": [*kept, {"name": "temporary", "emptyDir": {"sizeLimit": "512Mi"}}],
    }


def _container(environment: Environment, seat: Seat, options: Options) -> Object:
    name = environment.name
    return {
        "name": CONTAINER,
        "image": options.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": [
            # First, as where an overlay's patch puts it: both ways of rendering are then the same.
            {"name": ACCOUNT, "value": seat.accounts[name]},
            {"name": "MULTISTACK_ENVIRONMENT", "value": name},
            {"name": "MULTISTACK_REGION", "value": environment.region},
            {"name": "MULTISTACK_KEY", "valueFrom": {"secretKeyRef": {"name": SECRET, "key": SECRET_KEY}}},
            *_settings(environment),
        ],
        "resources": resources(seat.memory[name], environment.container.cpus),
        # A start reads the state first, and on a busy node that takes its time: two minutes, then it counts as failed.
        "startupProbe": _probe(period=2, failures=60),
        "readinessProbe": _probe(period=5, failures=2),
        # Not much of a hurry: an emulator that is killed loses its last second.
        "livenessProbe": _probe(period=20, failures=4),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "state", "mountPath": _STATE}, {"name": "temporary", "mountPath": _TEMPORARY}],
    }


def _settings(environment: Environment) -> list[Object]:
    concurrency = environment.lambda_concurrency
    return [
        *([{"name": "MULTISTACK_ENFORCE_IAM", "value": "true"}] if environment.enforce_iam else []),
        *([{"name": "MULTISTACK_LAMBDA_CONCURRENCY", "value": str(concurrency)}] if concurrency else []),
    ]


def _probe(*, period: int, failures: int) -> Object:
    # Asked without a key: that is all that anybody learns without one.
    request = {"path": _HEALTH, "port": "http"}
    return {"httpGet": request, "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures}
