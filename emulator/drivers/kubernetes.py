"""
A pod per environment, in the cluster that multistack itself runs in.

Its objects are those of ``multistack render kubernetes``; what is ours is told by labels, and nothing else is touched.
The cluster keeps everything: the key that emulators ask for, how each was started, and its state over stops.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.clock import Clock, clock
from emulator.drivers.cluster import Cluster, Connect, connect
from emulator.drivers.cluster_pods import health_of
from emulator.drivers.unsaved import Unsaved
from emulator.errors import ConfigError, NotReady, file_hint
from emulator.images.recipe import embedded_image
from emulator.kubernetes.environment import PORT, SECRET, SECRET_KEY, environment_objects
from emulator.kubernetes.names import ENVIRONMENT, project_labels, selector
from emulator.kubernetes.namespace import bounds, placed, shared_objects, space_labels
from emulator.kubernetes.options import Options
from emulator.kubernetes.seat import Seat, check_environment, seat_of
from emulator.log_file import LogReader, NoLog
from emulator.model import OWN_IMAGE, DriverName, Endpoint, Environment, Instance, Project, Status
from emulator.state import make_state_folder

_KIND = "StatefulSet"
# On a workload: how its environment was when it was started, as JSON.
_STARTED_AS = "dev.multistack/started-as"
# When that was: what the cluster warned of before is no reason of now.
_STARTED_AT = "dev.multistack/started-at"
# What is noted of an environment in its folder.
_RUNS, _STOPPED = "runs\n", "stopped\n"
# Seconds for a pod to end, its last checkpoint included, and between two looks.
_PATIENCE, _PAUSE = 90.0, 0.5


class KubernetesDriver(Unsaved):
    """
    Runs the pods of one project.

    Args:
        environ: The caller's variables: a pod's say where its cluster is.
        connect: See :func:`emulator.drivers.cluster.connect`.
        pause: Waits between two looks.
        now: Tells the time of a start.
    """

    whose = "an emulator in a cluster"
    instead = "take a snapshot of its volume, if the cluster's storage knows how to; or use `multistack export`"

    def __init__(
        self,
        project: Project,
        *,
        environ: Mapping[str, str],
        connect: Connect = connect,
        pause: float = _PAUSE,
        now: Clock | None = None,
    ) -> None:
        self._project = project
        self._environ = environ
        self._connect = connect
        self._pause = pause
        self._now = now or clock()
        self._connected: Cluster | None = None
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """See :class:`emulator.drivers.base.Driver`."""
        return "kubernetes"

    def may_run(self, environment: Environment) -> bool:
        """Whether it is worth asking the cluster for *environment* although its driver is another one now."""
        try:
            return self._mark(environment).read_text(encoding="utf-8") == _RUNS
        except OSError:
            return False

    def check(self, environment: Environment) -> None:
        """
        Find out what would keep a pod from starting, before the one that runs is stopped for it.

        Raises:
            ConfigError: It needs what a cluster doesn't have.
            NotReady: There is no cluster here.
        """
        check_environment(environment)
        self._cluster()

    def observe(self, environment: Environment) -> Instance:
        """See :class:`emulator.drivers.base.Driver`; its health is what the cluster's probes found."""
        found = self._workload(environment) if self._can_look(environment) else None
        if found is None or found["spec"]["replicas"] == 0:
            return Instance(environment=environment.name, status=Status.STOPPED)
        name, namespace = environment.name, self._seat().namespace
        pods = self._pods(environment)
        field = f"involvedObject.kind={_KIND},involvedObject.name={name},type=Warning"
        warnings = [] if pods else self._cluster().find("Event", {}, namespace=namespace, field=field)
        annotations = found["metadata"].get("annotations", {})
        status, reason = health_of(pods, warnings, since=annotations.get(_STARTED_AT, ""))
        was = json.loads(annotations.get(_STARTED_AS, "{}"))
        endpoint = Endpoint(
            environment=name,
            url=f"http://{name}.{namespace}.svc:{PORT}",
            account_id=was.get("account_id", environment.account_id),
            region=was.get("region", environment.region),
            key=self._key() or "",
        )
        return Instance(
            environment=name, status=status, endpoint=endpoint, settings=was.get("settings", {}), reason=reason
        )

    def start(self, environment: Environment) -> Endpoint:
        """
        See :class:`emulator.drivers.base.Driver`.

        Raises:
            ConfigError: It needs what a cluster doesn't have.
            MultistackError: The cluster refuses an object, or its namespace is somebody else's.
        """
        self.check(environment)
        if self.observe(environment).status is not Status.STOPPED:
            raise NotReady(f"environment {environment.name} already runs")
        seat, options = self._seat(), self._options(environment)
        self._check_namespace(seat)
        self._note(environment, _RUNS)
        for each in (*bounds(self._project, seat, options), *shared_objects(self._project, options)):
            self._cluster().apply(placed(each, seat))
        self._make_key(seat)
        for each in environment_objects(self._project, environment, seat, options):
            if each["kind"] == _KIND:
                at = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
                each["metadata"]["annotations"] = {_STARTED_AS: _started_as(environment), _STARTED_AT: at}
                # What `render` leaves to the cluster's users is ours here: a stop keeps the state, an erase removes it.
                each["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] = "Retain"
            self._cluster().apply(placed(each, seat))
        endpoint = self.observe(environment).endpoint
        if endpoint is None:
            raise NotReady(f"environment {environment.name}: somebody stopped it while it was started")
        return endpoint

    def stop(self, environment: Environment) -> bool:
        """See :class:`emulator.drivers.base.Driver`; its volume stays, and everything that costs no memory."""
        found = self._workload(environment) if self._can_look(environment) else None
        if found is None:
            return False
        was_running = bool(found["spec"]["replicas"] or self._pods(environment))
        if found["spec"]["replicas"]:
            self._cluster().scale(_KIND, environment.name, namespace=self._seat().namespace, replicas=0)
        deadline = time.monotonic() + _PATIENCE
        while self._pods(environment):
            if time.monotonic() >= deadline:
                raise NotReady(
                    f"environment {environment.name}: its pod does not end",
                    hint=f"kubectl -n {self._seat().namespace} describe pod {environment.name}-0",
                )
            time.sleep(self._pause)
        self._note(environment, _STOPPED)
        return was_running

    def erase(self, environment: Environment) -> None:
        """Remove what there is of it in the cluster: all and only what carries its labels."""
        if not self._can_look(environment) or not self._has_namespace():
            return
        namespace, labels = self._seat().namespace, self._labels(environment)
        for kind in (_KIND, "Service", "PersistentVolumeClaim"):
            for found in self._cluster().find(kind, labels, namespace=namespace):
                self._cluster().delete(kind, found["metadata"]["name"], namespace=namespace)
        self._mark(environment).unlink(missing_ok=True)

    def logs(self, environment: Environment, *, tail: int) -> list[str]:
        """See :class:`emulator.drivers.base.Driver`."""
        if not self._can_look(environment):
            return []
        found = [
            self._cluster().log(pod["metadata"]["name"], namespace=self._seat().namespace, tail=tail)
            for pod in self._pods(environment)
        ]
        return [line for lines in found for line in lines][-tail:]

    def log_reader(self, environment: Environment) -> LogReader:
        """See :class:`emulator.drivers.base.Driver`: ``kubectl logs --follow`` does that."""
        return NoLog()

    def leftovers(self) -> list[Environment]:
        """See :class:`emulator.drivers.base.Driver`."""
        if not self._can_look() or not self._has_namespace():
            return []
        known = {environment.name for environment in self._project.environments}
        ours = project_labels(self._project.service)
        found = self._cluster().find(_KIND, ours, namespace=self._seat().namespace)
        return [
            _leftover(one)
            for one in found
            if one["spec"]["replicas"] and one["metadata"]["labels"].get(ENVIRONMENT) not in known
        ]

    def _cluster(self) -> Cluster:
        with self._lock:  # environments are looked at side by side
            if self._connected is None:
                self._connected = self._connect(self._environ)
            return self._connected

    def _options(self, environment: Environment) -> Options:
        image = environment.container.image
        return Options(
            image=embedded_image() if image == OWN_IMAGE else image, proxy_namespace=self._cluster().namespace
        )

    def _seat(self) -> Seat:
        return seat_of(self._project)

    def _labels(self, environment: Environment) -> Mapping[str, str]:
        """What everything of *environment* has, volume claims too."""
        return {**project_labels(self._project.service), **selector(self._project.service, environment.name)}

    def _can_look(self, environment: Environment | None = None) -> bool:
        """
        Whether there is a cluster to ask.

        Raises:
            NotReady: There is none, and *environment* was started in one.
        """
        try:
            self._cluster()
        except NotReady:
            if environment is not None and self._mark(environment).exists():
                raise
            return False
        return True

    def _mark(self, environment: Environment) -> Path:
        """Is there while something of *environment* may be in a cluster, for whoever looks from elsewhere."""
        return self._project.environment_state(environment.name) / "cluster"

    def _note(self, environment: Environment, what: str) -> None:
        mark = self._mark(environment)
        try:
            make_state_folder(self._project.state)
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text(what, encoding="utf-8")
        except OSError as error:
            raise NotReady(
                f"environment {environment.name}: {mark} can't be written: {error.strerror}", hint=file_hint(error)
            ) from error

    def _has_namespace(self) -> bool:
        """Whether there is a namespace of ours to look into."""
        found = self._cluster().get("Namespace", self._seat().namespace)
        return found is not None and self._is_ours(found)

    def _is_ours(self, thing: Mapping[str, Any]) -> bool:
        wanted = {**project_labels(self._project.service), **space_labels(self._seat())}
        labels: Mapping[str, str] = thing["metadata"].get("labels", {})
        return wanted.items() <= labels.items()

    def _check_namespace(self, seat: Seat) -> None:
        found = self._cluster().get("Namespace", seat.namespace)
        if seat.namespace == self._cluster().namespace or (found is not None and not self._is_ours(found)):
            raise ConfigError(
                f"namespace {seat.namespace} is in use for something else",
                hint="give the service another name, or that namespace",
            )
        if found is not None and found.get("status", {}).get("phase") == "Terminating":
            raise NotReady(f"namespace {seat.namespace} is being removed", hint="try again when it is gone")

    def _workload(self, environment: Environment) -> dict[str, Any] | None:
        found = self._cluster().get(_KIND, environment.name, namespace=self._seat().namespace)
        return found if found is not None and self._is_ours(found) else None

    def _pods(self, environment: Environment) -> list[dict[str, Any]]:
        return self._cluster().find("Pod", self._labels(environment), namespace=self._seat().namespace)

    def _key(self) -> str | None:
        found = self._cluster().get("Secret", SECRET, namespace=self._seat().namespace)
        return None if found is None else base64.b64decode(found["data"][SECRET_KEY]).decode()

    def _make_key(self, seat: Seat) -> None:
        """Unless there is one, which somebody else may have made just now."""
        if self._key() is not None:
            return
        value = base64.b64encode(secrets.token_hex(32).encode()).decode()
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "labels": dict(project_labels(self._project.service))},
            "type": "Opaque",
            "immutable": True,
            "data": {SECRET_KEY: value},
        }
        self._cluster().create(placed(secret, seat))


def _started_as(environment: Environment) -> str:
    was = {"account_id": environment.account_id, "region": environment.region, "settings": dict(environment.settings)}
    return json.dumps(was, sort_keys=True)


def _leftover(workload: Mapping[str, Any]) -> Environment:
    was = json.loads(workload["metadata"].get("annotations", {}).get(_STARTED_AS, "{}"))
    return Environment(
        name=workload["metadata"]["name"],
        driver=DriverName.KUBERNETES,
        account_id=was.get("account_id", ""),
        region=was.get("region", ""),
    )
