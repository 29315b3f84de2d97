"""
Manifests and driver against a real cluster, in namespaces of the tests' own that are removed in the end.

It is the one whose kubeconfig MULTISTACK_TEST_KUBECONFIG names, and never one that somebody's
tools happen to use. Nodes need the image; an API server without any does as well, and pods are not waited for.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from emulator.drivers.cluster import Cluster, cluster_of
from emulator.drivers.kubernetes import KubernetesDriver
from emulator.errors import NotReady
from emulator.images.recipe import embedded_image
from emulator.kubernetes.files import one_file
from emulator.kubernetes.names import project_labels
from emulator.kubernetes.namespace import objects
from emulator.kubernetes.options import Options
from emulator.kubernetes.seat import seats_of, spaces_called
from emulator.model import DriverName, Environment, Project, Status
from emulator.spaces.creating import series

KUBECONFIG = os.environ.get("MULTISTACK_TEST_KUBECONFIG", "")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not KUBECONFIG, reason="no cluster: MULTISTACK_TEST_KUBECONFIG names the kubeconfig of one"),
    pytest.mark.timeout(900),
]
TEST = Environment(name="test", driver=DriverName.KUBERNETES, account_id="111111111111", region="eu-west-1")
PROD = replace(TEST, name="prod", account_id="333333333333")
PATIENCE = 300.0
# The second number of the oldest version that knows all that is said.
OLDEST = 27


@dataclass(frozen=True)
class Real:
    """
    A cluster.

    Attributes:
        has_nodes: Whether any is ready.
    """

    cluster: Cluster
    has_nodes: bool

    def ask(self, path: str) -> Any:
        """What the API says there."""
        return json.loads(self.cluster.client.request("get", path, serialize=False).data)

    def found(self, thing: Mapping[str, Any]) -> dict[str, Any]:
        """The object as the cluster has it."""
        metadata = thing["metadata"]
        found = self.cluster.get(thing["kind"], metadata["name"], namespace=metadata.get("namespace", ""))
        assert found is not None, thing
        return found


@pytest.fixture(scope="module")
def real() -> Real:
    """The one to test on."""
    from kubernetes.config import new_client_from_config

    cluster = cluster_of(new_client_from_config(KUBECONFIG), namespace="multistack-tests")
    ask = Real(cluster, has_nodes=False).ask
    minor = int(ask("/version")["minor"].rstrip("+"))
    if minor < OLDEST:
        pytest.skip(f"the cluster is of version 1.{minor}, and the guide asks for 1.{OLDEST}")
    ready = [one for node in ask("/api/v1/nodes")["items"] for one in node["status"]["conditions"]]
    return Real(cluster, any((one["type"], one["status"]) == ("Ready", "True") for one in ready))


@pytest.fixture
def project(real: Real, tmp_path: Path) -> Iterator[Project]:
    """A project of two environments whose name nobody else has."""
    service = f"try-{secrets.token_hex(4)}"
    template = tmp_path / "template.yaml"
    yield Project(file=tmp_path / "multistack.toml", service=service, template=template, environments=(TEST, PROD))
    labels = ",".join(f"{key}={value}" for key, value in project_labels(service).items())
    for one in real.ask(f"/api/v1/namespaces?labelSelector={labels}")["items"]:
        real.cluster.delete("Namespace", one["metadata"]["name"], namespace="")


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(1)


def is_within(wanted: Any, found: Any) -> bool:
    """Whether all of *wanted* is in *found*, to which a cluster adds what goes without saying."""
    if isinstance(wanted, Mapping):
        return all(key in found and is_within(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(wanted) == len(found) and all(map(is_within, wanted, found))
    return bool(wanted == found)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl applies manifests")
@pytest.mark.parametrize("storage", ["1Gi", None])
def test_a_cluster_takes_what_render_writes_and_drops_nothing(
    real: Real, project: Project, storage: str | None
) -> None:
    """Three spaces; a field that the API server doesn't know it would leave out without a word."""
    options = Options(image=embedded_image(), storage=storage)
    seats = seats_of(project, spaces_called(series("learner", 3, option="--spaces"), {}), options)
    subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, "apply", "-f", "-"],
        input=one_file(project, seats, options).encode(),
        check=True,
        timeout=PATIENCE,
    )
    for wanted in (each for seat in seats for each in objects(project, seat, options)):
        assert is_within(wanted, found_of(real, wanted)), wanted


def found_of(real: Real, thing: Mapping[str, Any]) -> dict[str, Any]:
    """The object as the cluster has it; the driver itself makes no Deployment."""
    if thing["kind"] != "Deployment":
        return real.found(thing)
    metadata = thing["metadata"]
    found: dict[str, Any] = real.ask(f"/apis/apps/v1/namespaces/{metadata['namespace']}/deployments/{metadata['name']}")
    return found


def test_the_driver_starts_stops_and_erases(real: Real, project: Project) -> None:
    """Where there are nodes, until pods are ready, and gone; the volume stays until the end."""
    driver = KubernetesDriver(project, environ={}, connect=lambda _environ: real.cluster)
    assert driver.observe(TEST).status is Status.STOPPED
    endpoint = driver.start(TEST)
    driver.start(PROD)
    assert (endpoint.url, len(endpoint.key)) == (f"http://test.{project.service}.svc:4566", 64)
    with pytest.raises(NotReady, match="already runs"):
        driver.start(TEST)
    if real.has_nodes:
        wait_for(lambda: driver.observe(TEST).status is Status.READY)
    else:
        assert driver.observe(TEST).status is Status.STARTING
    assert driver.stop(TEST) is True
    assert driver.observe(TEST).status is Status.STOPPED
    labels = project_labels(project.service)
    if real.has_nodes:
        assert real.cluster.find("PersistentVolumeClaim", {**labels, **only(TEST)}, namespace=project.service) != []
    driver.start(TEST)
    assert driver.stop(TEST) is True
    assert driver.stop(TEST) is False
    driver.erase(TEST)
    wait_for(lambda: not real.cluster.find("StatefulSet", {**labels, **only(TEST)}, namespace=project.service))
    assert [one["metadata"]["name"] for one in real.cluster.find("Service", labels, namespace=project.service)] == [
        "prod"
    ]
    assert [
        one.name
        for one in KubernetesDriver(
            replace(project, environments=(TEST,)), environ={}, connect=lambda _environ: real.cluster
        ).leftovers()
    ] == ["prod"]


def only(environment: Environment) -> Mapping[str, str]:
    """The label of what is of *environment*."""
    return {"dev.multistack/environment": environment.name}
