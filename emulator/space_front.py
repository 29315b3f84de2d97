"""The project's one proxy, as commands in one of its spaces see it: they feed it and start it, and don't end it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from emulator.events import Emit
from emulator.front import Front, routes_of
from emulator.known import Known
from emulator.lock import exclusive
from emulator.model import Instance, Project
from emulator.routes import ROUTES_FILE, kept_routes, publish_routes
from emulator.store.opening import publish_routes_of


def front_of(project: Project, *, environ: Mapping[str, str], emit: Emit) -> Front:
    """The proxy's process and routes for commands on *project*, which may be a space."""
    return Front(project, environ=environ, emit=emit) if project.space is None else SpaceFront(project, environ, emit)


class SpaceFront(Front):
    """
    See :class:`emulator.front.Front`.

    Args:
        project: That of the space.
    """

    def __init__(self, project: Project, environ: Mapping[str, str], emit: Emit) -> None:
        if project.space is None or project.within is None:
            raise TypeError(f"{project.home} is no space")
        super().__init__(project.within, environ=environ, emit=emit)
        self._space = project
        self._name = project.space.name

    def environment_url(self, name: str) -> str | None:
        """Where an environment's API answers whoever has the space's token, or None when the proxy does not run."""
        return super().environment_url(f"{self._name}/{name}")

    def ensure_running(self, *, cancelled: Callable[[], None]) -> bool:
        """
        Start the proxy where none answers, one command at a time: several spaces may come up at once.

        One that answers stays as somebody started it, e.g. for other machines: its own requests wake spaces.
        """
        if self.is_serving():
            return False
        with exclusive(self._project.state, "space", emit=self._emit):
            if self.is_serving():
                return False
            if not self._routes.exists():  # the project itself was never up
                publish_routes(self._routes, [])
            return super().ensure_running(cancelled=cancelled)

    def stop(self) -> bool:
        """Nothing: others use it as well."""
        return False

    def publish(
        self, instances: Mapping[str, Instance], known: Mapping[str, Known], *, others: Collection[str] = frozenset()
    ) -> None:
        """Tell the proxy what runs where, by the space's own table."""
        path = self._space.state / ROUTES_FILE
        routes = kept_routes(path, routes_of(self._space, instances, known), instances)
        publish_routes(path, routes)
        publish_routes_of(self._space, routes, emit=self._emit)

    def clear_faults(self, is_over: Callable[[str], bool]) -> None:
        """Nothing: none can be set for a space."""
