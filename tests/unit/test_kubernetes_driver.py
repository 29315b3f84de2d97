"""The driver `kubernetes`, against an API server that holds all it is sent to the API's schemas."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from emulator.drivers.cluster import Cluster, cluster_of, connect
from emulator.drivers.cluster_pods import health_of
from emulator.drivers.kubernetes import KubernetesDriver
from emulator.errors import ConfigError, MultistackError, NotReady
from emulator.images.recipe import embedded_image
from emulator.kubernetes.namespace import objects
from emulator.kubernetes.options import Options
from emulator.kubernetes.seat import seat_of
from emulator.model import DriverName, Environment, Instance, Project, Space, Status
from tests.cluster_double import Double, serving

TEST = Environment(name="test", driver=DriverName.KUBERNETES, account_id="111111111111", region="eu-west-1")
PROD = replace(TEST, name="prod", account_id="333333333333", enforce_iam=True)
STRANGER = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "orders", "labels": {"team": "theirs"}}}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two environments in a cluster."""
    return Project(
        file=tmp_path / "multistack.toml",
        service="orders",
        template=tmp_path / "template.yaml",
        environments=(TEST, PROD),
    )


@pytest.fixture
def double() -> Iterator[Double]:
    """An API server with nothing in it."""
    with serving() as found:
        yield found


def driver_of(double: Double, project: Project, *, at: datetime | None = None) -> KubernetesDriver:
    """The driver of a pod in the namespace gateway."""
    client = ApiClient(Configuration(host=double.url))

    def here(_environ: Mapping[str, str]) -> Cluster:
        return cluster_of(client, namespace="gateway")

    return KubernetesDriver(project, environ={}, connect=here, pause=0, now=None if at is None else lambda: at)


def test_what_never_ran_is_stopped(double: Double, project: Project) -> None:
    """Nothing to stop, erase or show is no error, and nothing is made."""
    driver = driver_of(double, project)
    assert driver.observe(TEST) == Instance(environment="test", status=Status.STOPPED)
    assert (driver.stop(TEST), driver.logs(TEST, tail=5), driver.leftovers()) == (False, [], [])
    driver.erase(TEST)
    assert (double.objects, {method for method, _ in double.requests}) == ({}, {"GET"})


def test_a_start_makes_the_objects_that_render_writes(double: Double, project: Project) -> None:
    """Each passed the API's schemas; what is told apart is how it was started, and that a stop keeps the volume."""
    driver = driver_of(double, project)
    endpoint = driver.start(TEST)
    driver.start(PROD)
    assert (endpoint.url, endpoint.account_id) == ("http://test.orders.svc:4566", "111111111111")
    rendered = objects(project, seat_of(project), Options(image=embedded_image(), proxy_namespace="gateway"))
    for wanted in rendered:
        metadata = wanted["metadata"]
        found = double.objects[metadata.get("namespace", ""), wanted["kind"], metadata["name"]]
        if wanted["kind"] == "StatefulSet":
            assert found["metadata"].pop("annotations")
            assert found["spec"]["persistentVolumeClaimRetentionPolicy"].pop("whenDeleted") == "Retain"
            del wanted["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"]
        assert found == wanted
    rest = sorted(double.kinds())
    for wanted in rendered:
        rest.remove(wanted["kind"])
    assert rest == ["PersistentVolumeClaim", "PersistentVolumeClaim", "Pod", "Pod", "Secret"]


def test_the_key_is_made_once_and_kept_by_the_cluster(double: Double, project: Project) -> None:
    """All environments of a namespace ask for it; one that somebody made is taken as it is."""
    driver = driver_of(double, project)
    first, second = driver.start(TEST), driver.start(PROD)
    secret = double.objects["orders", "Secret", "multistack-key"]
    assert first.key == second.key == base64.b64decode(secret["data"]["key"]).decode()
    assert len(first.key) == 64
    assert first.key not in repr(first)
    observed = driver_of(double, project).observe(TEST).endpoint
    assert observed is not None
    assert observed.key == first.key


def test_a_running_one_says_how_it_was_started(double: Double, project: Project) -> None:
    """What the project says now may be something else: that is for `up` to see."""
    driver_of(double, project).start(PROD)
    changed = replace(PROD, enforce_iam=False, region="us-east-1", account_id="444444444444")
    found = driver_of(double, project).observe(changed)
    assert (found.status, found.settings["IAM enforcement"]) == (Status.READY, "on")
    assert found.endpoint is not None
    assert (found.endpoint.account_id, found.endpoint.region) == ("333333333333", "eu-west-1")


def test_a_second_start_is_refused(double: Double, project: Project) -> None:
    """One environment has one emulator."""
    driver = driver_of(double, project)
    driver.start(TEST)
    with pytest.raises(NotReady, match="environment test already runs"):
        driver.start(TEST)


def test_a_stop_keeps_the_volume_and_an_erase_removes_it(double: Double, project: Project) -> None:
    """Stopping twice is no error; the other environment is left alone, and so is what is not ours."""
    driver = driver_of(double, project)
    driver.start(TEST)
    driver.start(PROD)
    theirs = {"name": "state-test-0-theirs", "namespace": "orders", "labels": {"dev.multistack/environment": "test"}}
    double.put({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": theirs})
    assert (driver.stop(TEST), driver.stop(TEST)) == (True, False)
    assert driver.observe(TEST) == Instance(environment="test", status=Status.STOPPED)
    assert ("orders", "PersistentVolumeClaim", "state-test-0") in double.objects
    driver.erase(TEST)
    rest = {(kind, name) for _, kind, name in double.objects if "test" in name}
    assert rest == {("PersistentVolumeClaim", "state-test-0-theirs")}
    assert driver.observe(PROD).status is Status.READY
    driver.start(TEST)
    assert driver.observe(TEST).status is Status.READY


def test_an_erase_leaves_the_namespace_and_its_key(double: Double, project: Project) -> None:
    """As docs/guides/kubernetes.md tells: nothing that takes memory or holds data."""
    driver = driver_of(double, project)
    driver.start(TEST)
    driver.stop(TEST)
    driver.erase(TEST)
    left = {"Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "PodDisruptionBudget", "Secret"}
    assert set(double.kinds()) == left


def test_a_namespace_of_somebody_else_is_left_alone(double: Double, project: Project) -> None:
    """Neither made ours nor looked into for what could be removed; nor is the namespace of multistack itself used."""
    double.put(STRANGER)
    workload = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "test", "namespace": "orders"}}
    double.put({**workload, "spec": {"replicas": 1}})
    before = dict(double.objects)
    driver = driver_of(double, project)
    with pytest.raises(ConfigError, match="namespace orders is in use for something else"):
        driver.start(TEST)
    driver.erase(TEST)
    assert (driver.stop(TEST), driver.leftovers(), double.objects) == (False, [], before)
    with pytest.raises(ConfigError, match="namespace gateway is in use"):
        driver_of(double, replace(project, service="gateway")).start(TEST)


def test_a_space_is_a_namespace_of_its_own(double: Double, project: Project) -> None:
    """With its label; what runs for the project itself is not its."""
    space = Space(name="learner-01", number=1, at=datetime(2026, 11, 27, tzinfo=UTC))
    driver_of(double, project).start(TEST)
    inside = driver_of(double, replace(project, space=space))
    assert inside.observe(TEST).status is Status.STOPPED
    assert inside.start(TEST).url == "http://test.orders-learner-01.svc:4566"
    labels = double.objects["", "Namespace", "orders-learner-01"]["metadata"]["labels"]
    assert labels["dev.multistack/space"] == "learner-01"
    keys = {double.objects[namespace, "Secret", "multistack-key"]["data"]["key"] for namespace in _namespaces(double)}
    assert len(keys) == 2


def _namespaces(double: Double) -> list[str]:
    return [name for _, kind, name in double.objects if kind == "Namespace"]


def test_a_leftover_is_what_runs_but_is_not_in_the_file(double: Double, project: Project) -> None:
    """An environment taken out of the project file can still be found, and stopped."""
    driver_of(double, project).start(PROD)
    smaller = driver_of(double, replace(project, environments=(TEST,)))
    (leftover,) = smaller.leftovers()
    assert (leftover.name, leftover.driver, leftover.account_id) == ("prod", DriverName.KUBERNETES, "333333333333")
    assert smaller.stop(leftover) is True
    assert smaller.leftovers() == []


def test_logs_are_the_last_lines(double: Double, project: Project) -> None:
    """Oldest first, and no more than asked for."""
    driver, double.log = driver_of(double, project), "one\ntwo\nthree\n"
    driver.start(TEST)
    assert driver.logs(TEST, tail=2) == ["two", "three"]


def test_what_the_cluster_refuses_is_told_in_its_words(double: Double, project: Project) -> None:
    """With what to do where it is a matter of rights; a cluster that is gone is not a bug of ours."""
    double.denied = {"ResourceQuota"}
    with pytest.raises(
        MultistackError, match="refuses ResourceQuota environments: resourcequotas is forbidden"
    ) as told:
        driver_of(double, project).start(TEST)
    assert "rights" in (told.value.hint or "")
    gone = elsewhere(project, "http://127.0.0.1:1")
    with pytest.raises(NotReady, match="the cluster does not answer"):
        gone.observe(TEST)


def elsewhere(project: Project, url: str) -> KubernetesDriver:
    """The driver of a cluster that is elsewhere."""
    configuration = Configuration(host=url)
    configuration.retries = False
    return KubernetesDriver(
        project, environ={}, connect=lambda _environ: cluster_of(ApiClient(configuration), namespace="gateway")
    )


def test_the_api_server_refuses_what_no_schema_has(double: Double) -> None:
    """What the tests here are worth: a field too many, a namespace that isn't there, another's version."""
    cluster = cluster_of(ApiClient(Configuration(host=double.url)), namespace="gateway")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "orders"}, "spec": {}}
    with pytest.raises(MultistackError, match='namespaces "orders" not found'):
        cluster.apply(service)
    double.put(STRANGER)
    cluster.apply(service)
    with pytest.raises(MultistackError, match="'ports' was unexpected"):
        cluster.apply({**service, "ports": []})
    with pytest.raises(MultistackError, match="version or namespace"):
        cluster.apply({**STRANGER, "kind": "Secret", "metadata": service["metadata"], "apiVersion": "v2"})


def test_state_cannot_be_carried(double: Double, project: Project) -> None:
    """It lies in the cluster's volume, of which the API tells nothing."""
    with pytest.raises(MultistackError, match="in a cluster can't be saved"):
        driver_of(double, project).save(TEST, Path("/nowhere"))
    with pytest.raises(MultistackError, match="in a cluster can't be replaced"):
        driver_of(double, project).load(TEST, Path("/nowhere"))


def test_environments_side_by_side_share_a_connection(double: Double, project: Project) -> None:
    """The client's modules import each other lazily: two threads that begin with it would wait for each other."""
    made: list[Cluster] = []

    def here(_environ: Mapping[str, str]) -> Cluster:
        made.append(cluster_of(ApiClient(Configuration(host=double.url)), namespace="gateway"))
        return made[-1]

    environments = tuple(replace(TEST, name=f"e{number}") for number in range(8))
    driver = KubernetesDriver(replace(project, environments=environments), environ={}, connect=here, pause=0)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(driver.start, environments))
    assert len({endpoint.url for endpoint in found}) == 8
    assert len(made) == len({endpoint.key for endpoint in found}) == 1


def test_outside_of_a_cluster_nothing_starts(project: Project) -> None:
    """No address of an environment leads there from a laptop: a port-forward ends with the command that made it."""
    with pytest.raises(NotReady, match="driver kubernetes works inside of a cluster") as told:
        connect({})
    assert "multistack render kubernetes" in (told.value.hint or "")
    driver = KubernetesDriver(project, environ={})
    with pytest.raises(NotReady, match="driver kubernetes works inside of a cluster"):
        driver.start(TEST)


def test_outside_of_a_cluster_what_never_ran_is_stopped(double: Double, project: Project) -> None:
    """What was started in one can't be called stopped by somebody who can't look; what never was can be removed."""
    driver_of(double, project).start(TEST)
    outside = KubernetesDriver(project, environ={})
    with pytest.raises(NotReady, match="driver kubernetes works inside of a cluster"):
        outside.stop(TEST)
    assert (outside.stop(PROD), outside.logs(PROD, tail=1), outside.leftovers()) == (False, [], [])
    assert outside.observe(PROD) == Instance(environment="prod", status=Status.STOPPED)
    outside.erase(PROD)
    inside = driver_of(double, project)
    assert (inside.may_run(TEST), inside.may_run(PROD)) == (True, False)
    inside.stop(TEST)
    assert inside.may_run(TEST) is False
    inside.erase(TEST)
    assert outside.stop(TEST) is False


def pod(status: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    """A pod as the API tells of it."""
    return {"metadata": {"name": "test-0", "creationTimestamp": "2026-11-27T08:00:00Z", **metadata}, "status": status}


def condition(kind: str, status: str, **more: str) -> dict[str, str]:
    """One of a pod's."""
    return {"type": kind, "status": status, **more}


def contained(**state: Any) -> dict[str, Any]:
    """The status of a pod whose container is so."""
    return {
        "phase": "Running",
        "conditions": [condition("PodScheduled", "True"), condition("Ready", "False")],
        "containerStatuses": [state],
    }


KILLED = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
NO_ROOM = "0/2 nodes are available: 2 Insufficient memory."


@pytest.mark.parametrize(
    ("pods", "warnings", "expected"),
    [
        pytest.param([], [], (Status.STARTING, ""), id="no pod yet"),
        pytest.param(
            [],
            [
                {"lastTimestamp": "2026-11-27T08:00:00Z", "message": "old"},
                {"lastTimestamp": "2026-11-27T08:00:05Z", "message": "exceeded quota: environments"},
            ],
            (Status.UNHEALTHY, "it has no pod: exceeded quota: environments"),
            id="quota",
        ),
        pytest.param(
            [
                pod(
                    {
                        "phase": "Pending",
                        "conditions": [
                            condition("PodScheduled", "False", reason="Unschedulable", message=NO_ROOM),
                        ],
                    }
                )
            ],
            [],
            (Status.STARTING, f"Unschedulable: {NO_ROOM}"),
            id="no room",
        ),
        pytest.param(
            [pod(contained(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}))],
            [],
            (Status.UNHEALTHY, "ImagePullBackOff: no such image"),
            id="no image",
        ),
        pytest.param(
            [pod(contained(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=KILLED, restartCount=4))],
            [],
            (Status.UNHEALTHY, "CrashLoopBackOff: it ended with OOMKilled (137)"),
            id="crashes",
        ),
        pytest.param(
            [pod(contained(state={"waiting": {"reason": "CreateContainerConfigError", "message": "no secret"}}))],
            [],
            (Status.UNHEALTHY, "CreateContainerConfigError: no secret"),
            id="no secret",
        ),
        pytest.param(
            [pod(contained(state={"waiting": {"reason": "ContainerCreating"}}))], [], (Status.STARTING, ""), id="begins"
        ),
        pytest.param(
            [pod({"phase": "Failed", "reason": "Evicted"})],
            [],
            (Status.UNHEALTHY, "its pod ended: Evicted"),
            id="evicted",
        ),
        pytest.param(
            [
                pod(
                    {
                        "phase": "Running",
                        "conditions": [condition("Ready", "True")],
                        "containerStatuses": [{"state": {"running": {}}, "restartCount": 2, "lastState": KILLED}],
                    }
                )
            ],
            [],
            (Status.READY, "its container was started anew 2 times, after OOMKilled (137)"),
            id="ready again",
        ),
        pytest.param(
            [
                pod({"phase": "Running", "conditions": [condition("Ready", "True")]}, deletionTimestamp="now"),
                pod({"phase": "Pending"}, creationTimestamp="2026-11-27T08:00:09Z"),
            ],
            [],
            (Status.STARTING, ""),
            id="one that ends",
        ),
    ],
)
def test_reasons_are_the_clusters(
    pods: list[dict[str, Any]], warnings: list[dict[str, Any]], expected: tuple[Status, str]
) -> None:
    """What the kubelet and the scheduler say is what `status` says."""
    assert health_of(pods, warnings) == expected


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        pytest.param({"lastTimestamp": "2026-11-27T08:59:59Z"}, False, id="of an earlier start"),
        pytest.param({"lastTimestamp": "2026-11-27T09:00:00Z"}, True, id="in the same second"),
        pytest.param({"lastTimestamp": None, "eventTime": "2026-11-27T09:00:00.000001Z"}, True, id="new kind"),
        pytest.param({"metadata": {"creationTimestamp": "2026-11-27T08:00:00Z"}}, False, id="made only"),
        pytest.param(
            {
                "metadata": {"creationTimestamp": "2026-11-27T08:00:00Z"},
                "eventTime": "2026-11-27T08:00:00.000000Z",
                "series": {"count": 2, "lastObservedTime": "2026-11-27T09:00:01.000000Z"},
            },
            True,
            id="goes on",
        ),
    ],
)
def test_an_earlier_starts_warnings_are_no_reason(event: Mapping[str, Any], counts: bool) -> None:
    """A cluster keeps events for an hour."""
    status, _ = health_of([], [{"message": "exceeded quota", **event}], since="2026-11-27T09:00:00Z")
    assert status is (Status.UNHEALTHY if counts else Status.STARTING)


def test_a_start_notes_its_time(double: Double, project: Project) -> None:
    """What was wrong with the start before is not told of this one."""
    double.pod_status = {}
    about = {"kind": "StatefulSet", "name": "test"}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "test.1", "namespace": "orders"},
        "involvedObject": about,
        "type": "Warning",
        "message": "exceeded quota",
        "lastTimestamp": "2026-11-27T08:00:00Z",
    }
    double.put(event)
    driver = driver_of(double, project, at=datetime(2026, 11, 27, 9, tzinfo=UTC))
    driver.start(TEST)
    assert driver.observe(TEST).status is Status.STARTING
    double.put({**event, "lastTimestamp": "2026-11-27T09:00:02Z"})
    assert driver.observe(TEST).reason == "it has no pod: exceeded quota"
