"""
A service of a Docker Swarm per environment, of the embedded emulator's image, with a network of its own.

Which node runs it is the swarm's to choose. Its state is in a volume of that node: while the node stays, it outlives
stops and kills; on another node the emulator comes up empty, and `up` brings the recorded release back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from emulator.drivers import control, swarm_cluster, swarm_images, swarm_managers, swarm_ports, swarm_services
from emulator.drivers.container_log import ContainerLog
from emulator.drivers.containers import PROJECT, is_ours, labels_of
from emulator.drivers.engine import NoAnswer, talking
from emulator.drivers.swarm_belongings import SwarmBelongings
from emulator.drivers.swarm_cluster import Node
from emulator.drivers.swarm_log import ServiceLog
from emulator.drivers.swarm_memory import Memory
from emulator.drivers.swarm_ports import PortTaken
from emulator.drivers.swarm_services import Parts, Service, Task
from emulator.drivers.unsaved import Unsaved
from emulator.endpoint import health
from emulator.errors import NotReady, file_hint
from emulator.images.recipe import embedded_image
from emulator.model import Endpoint, Environment, Instance, Project, Status
from emulator.state import make_state_folder

if TYPE_CHECKING:
    from docker import DockerClient

# Seconds for a node to make a container; a node that is lost is told from a slow one after half a minute.
_PLACING = 60.0
# And for a port to become free that a service had which was removed just now.
_YIELDING = 5.0


class SwarmDriver(Unsaved):
    """
    Runs the services of one project.

    Args:
        environ: The caller's variables: where the engine is, unless the project names managers.
    """

    whose = "an emulator in a swarm, which is in a volume of its node,"
    instead = "name the environments of other drivers; `multistack export` takes its data as a seed"

    def __init__(self, project: Project, *, environ: Mapping[str, str]) -> None:
        self._project = project
        self._environ = environ
        self._client: DockerClient | None = None

    @property
    def version(self) -> str:
        """See :class:`emulator.drivers.base.Driver`."""
        return embedded_image()

    def may_run(self, environment: Environment) -> bool:
        """Whether it is worth asking the swarm for *environment* although its driver is another one now."""
        return self._memory(environment).read().may_run

    def was_used(self) -> bool:
        """Whether any environment of the project, also a former one, may have a service."""
        return any(Memory(folder).read().may_run for folder in self._project.environment_state("").glob("*/"))

    def observe(self, environment: Environment) -> Instance:
        """
        See :class:`emulator.drivers.base.Driver`.

        Raises:
            NotReady: The swarm can't be asked, and may have a service.
        """
        if not self.may_run(environment):
            return Instance(environment=environment.name, status=Status.STOPPED)
        client = self._manager()
        belongings = self._belongings(client, environment)
        found = belongings.service()
        if found is None:
            return Instance(environment=environment.name, status=Status.STOPPED, reason="its service is gone")
        service, nodes = swarm_services.read(found), swarm_cluster.nodes_of(client)
        task = swarm_services.read_tasks(belongings.tasks(service.id), nodes)
        endpoint = self._endpoint(environment, service, task, nodes)
        status, reason = _judge(endpoint, task)
        return Instance(
            environment=environment.name,
            status=status,
            endpoint=endpoint,
            settings=service.settings,
            reason=reason,
        )

    def check(self, environment: Environment) -> None:
        """
        Find out what would keep a service from starting, before the one that runs is stopped for it.

        Raises:
            NotReady: The engine manages no swarm, no node takes anything, or there is no image.
        """
        self._look(self._manager(), environment)

    def _look(self, client: DockerClient, environment: Environment) -> tuple[Mapping[str, Node], str]:
        """The nodes of the swarm, one of which can take it, and what they are told of its image."""
        nodes = swarm_cluster.nodes_of(client)
        swarm_cluster.need_nodes(nodes)
        return nodes, swarm_images.reference(client, environment)

    def start(self, environment: Environment) -> Endpoint:
        """See :class:`emulator.drivers.base.Driver`; returns when a node has made the container."""
        client = self._manager()
        nodes, image = self._look(client, environment)
        belongings, memory = self._belongings(client, environment), self._memory(environment)
        belongings.refuse_other()
        noted = memory.read()
        try:
            make_state_folder(self._project.state)
            key, volume = memory.need_key(), memory.need_volume()
            memory.note(may_run=True)
        except OSError as error:
            raise NotReady(
                f"environment {environment.name}: its folder can't be written: {error.strerror}", hint=file_hint(error)
            ) from error
        belongings.remove_rest()
        home = nodes.get(noted.node)
        parts = Parts(
            image=image,
            config=belongings.make_config(environment, swarm_services.variables(environment)),
            secret=belongings.make_secret(environment, key.encode()),
            network=belongings.make_network(environment),
            volume=f"{belongings.name}-{volume}",
            node=noted.node if home is not None and home.is_ready and home.is_active else "",
        )
        if environment.port:
            return self._make(client, environment, belongings, parts, port=environment.port)
        return swarm_ports.on_free_port(
            belongings.name,
            lambda port: self._try(client, environment, belongings, parts, port=port),
            taken=lambda: self._taken(client),
            before=noted.port,
        )

    def _try(
        self, client: DockerClient, environment: Environment, belongings: SwarmBelongings, parts: Parts, *, port: int
    ) -> Endpoint:
        try:
            return self._make(client, environment, belongings, parts, port=port)
        except PortTaken:
            found = belongings.service()
            if found is not None:
                belongings.remove_service(found["ID"])
            raise

    def _make(
        self, client: DockerClient, environment: Environment, belongings: SwarmBelongings, parts: Parts, *, port: int
    ) -> Endpoint:
        wanted = swarm_services.template(self._project, environment, parts)
        spec = swarm_services.endpoint_spec(environment, port)
        try:
            with talking(belongings.where):
                made = client.api.create_service(
                    wanted, name=belongings.name, labels=labels_of(self._project, environment), endpoint_spec=spec
                )
        except NotReady as error:
            if swarm_ports.is_conflict(error.message):
                raise PortTaken(error.message, hint=error.hint) from error
            raise
        began = time.monotonic()
        while True:
            nodes = swarm_cluster.nodes_of(client)
            task = swarm_services.read_tasks(belongings.tasks(made["ID"]), nodes)
            found = belongings.service()
            if task.works and found is not None:
                break
            if found is not None and (home := nodes.get(parts.node)) is not None and not home.is_ready:
                self._let_move(client, environment, belongings, found)  # it was lost just now, and has the state
                parts = replace(parts, node="")
            takers = {one.id for one in nodes.values() if one.is_ready and one.is_active and parts.node in ("", one.id)}
            is_taken = swarm_ports.is_conflict(task.reason)
            patience = _YIELDING if is_taken and not environment.port else _PLACING
            if found is None or time.monotonic() > began + patience or (takers and task.without_image >= takers):
                why = task.reason if found else "its service was removed"
                raise (PortTaken if is_taken else NotReady)(
                    f"{belongings.where}: no node runs it: {why}", hint=swarm_images.hint_about(environment, why)
                )
            time.sleep(0.1)
        if parts.node:
            self._let_move(client, environment, belongings, found)
        self._memory(environment).note(node=task.node, port=port)
        endpoint = self._endpoint(environment, swarm_services.read(found), task, nodes)
        if endpoint is None:
            raise NotReady(f"{belongings.where}: the swarm does not know the address of its node", hint=_ADVERTISE)
        return endpoint

    def _let_move(
        self, client: DockerClient, environment: Environment, belongings: SwarmBelongings, found: Mapping[str, Any]
    ) -> None:
        """It began where its state is; should that node be lost, another one may have it. This restarts nothing."""
        spec = found["Spec"]
        template = {**spec["TaskTemplate"], "Placement": {"Constraints": [*environment.swarm.placement]}}
        with talking(belongings.where):
            client.api.update_service(
                found["ID"],
                found["Version"]["Index"],
                task_template=template,
                name=spec["Name"],
                labels=spec["Labels"],
                endpoint_spec=spec["EndpointSpec"],
                mode=spec["Mode"],
            )

    def stop(self, environment: Environment) -> bool:
        """See :class:`emulator.drivers.base.Driver`; the state stays in the volume of its node."""
        memory = self._memory(environment)
        if not memory.read().may_run:
            return False
        client = self._manager()
        belongings = self._belongings(client, environment)
        found, nodes = belongings.service(), swarm_cluster.nodes_of(client)
        if found is not None:
            task = swarm_services.read_tasks(belongings.tasks(found["ID"]), nodes)
            if task.works:
                memory.note(node=task.node)
            belongings.remove_service(found["ID"])
        belongings.remove_rest()
        memory.note(may_run=False)
        return found is not None

    def erase(self, environment: Environment) -> None:
        """See :class:`emulator.drivers.base.Driver`; a volume of another node is left behind, and never used again."""
        memory = self._memory(environment)
        noted = memory.read()
        if not noted.volume:
            return
        memory.note(volume="", node="")
        client = self._manager()
        belongings = self._belongings(client, environment)
        belongings.remove_volume(f"{belongings.name}-{noted.volume}")

    def logs(self, environment: Environment, *, tail: int) -> list[str]:
        """See :class:`emulator.drivers.base.Driver`."""
        found = self._said(environment) if self.may_run(environment) else None
        if found is None:
            return []
        found.wait()
        return ContainerLog(lambda: found, kept=lambda: b"").new_lines()[-tail:]

    def log_reader(self, environment: Environment) -> ContainerLog:
        """See :class:`emulator.drivers.base.Driver`; it begins anew with each service."""
        return ContainerLog(lambda: self._said(environment), kept=lambda: b"")

    def _said(self, environment: Environment) -> ServiceLog | None:
        client = self._manager()
        try:
            found = self._belongings(client, environment).service()
        except NoAnswer:
            self._client = None  # whoever follows a log looks again, and then another manager may answer
            raise
        return None if found is None else ServiceLog(client, found["ID"])

    def leftovers(self) -> list[Environment]:
        """See :class:`emulator.drivers.base.Driver`."""
        client = self._manager()
        known = {environment.name for environment in self._project.environments}
        with talking("services"):
            found = client.api.services(filters={"label": f"{PROJECT}={self._project.home}"})
        specs = [one["Spec"] for one in found if is_ours(self._project, one["Spec"]["Name"], one["Spec"].get("Labels"))]
        environments = [swarm_services.leftover(spec["Labels"]) for spec in specs]
        return [environment for environment in environments if environment.name not in known]

    def _taken(self, client: DockerClient) -> set[int]:
        with talking("services"):
            return swarm_ports.ports_of(client.api.services())

    def _endpoint(
        self, environment: Environment, service: Service, task: Task, nodes: Mapping[str, Node]
    ) -> Endpoint | None:
        """By the node that has it; with the routing mesh by any that is ready, the same one each time."""
        ready = sorted((one for one in nodes.values() if one.is_ready and one.address), key=lambda one: one.address)
        host = next((one for one in ready if service.is_mesh or one.id == task.node), None)
        if host is None:
            return None
        return Endpoint(
            environment=environment.name,
            url=f"http://{host.address}:{service.port}",
            account_id=service.account_id,
            region=service.region,
            key=self._memory(environment).key(),
        )

    def _manager(self) -> DockerClient:
        if self._client is None:  # asked once: it takes as long as all else that an observation asks
            project = self._project
            self._client = swarm_managers.connect(project.managers, self._environ, allow_remote=project.allow_remote)
        return self._client

    def _belongings(self, client: DockerClient, environment: Environment) -> SwarmBelongings:
        return SwarmBelongings(client, self._project, environment.name)

    def _memory(self, environment: Environment) -> Memory:
        return Memory(self._project.environment_state(environment.name))


_ADVERTISE = "join its nodes with `--advertise-addr`"


def _judge(endpoint: Endpoint | None, task: Task) -> tuple[Status, str]:
    unready = Status.STARTING if task.is_young else Status.UNHEALTHY
    if endpoint is None or not task.works:
        return unready, task.reason
    if health(endpoint, timeout=2.0) is None:
        return unready, f"its emulator does not answer ({endpoint.url})"
    condition = control.condition(endpoint, timeout=2.0)
    return (Status.UNHEALTHY if condition.loss else Status.READY), condition.loss or condition.problem
