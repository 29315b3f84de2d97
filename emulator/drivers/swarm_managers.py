"""Which manager of a swarm is asked: any of them knows everything, and does what the others would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from emulator.drivers import engine
from emulator.drivers.engine import NoAnswer
from emulator.drivers.swarm_cluster import need_manager
from emulator.errors import MultistackError, NotReady

if TYPE_CHECKING:
    from docker import DockerClient

# The one that answered last in this process, of those that a project names: a lost host costs seconds each time.
_answered: dict[tuple[str, ...], str] = {}


def connect(managers: Sequence[str], environ: Mapping[str, str], *, allow_remote: bool) -> DockerClient:
    """
    A client of a manager that can be asked for services.

    Args:
        managers: Addresses of engines, of which the first one that can be is taken; without any, the caller's engine.
        environ: The caller's variables: where their engine is, and how engines are spoken to.
        allow_remote: See :func:`emulator.drivers.engine.connect`.

    Raises:
        NotReady: None can be; it says of each why.
    """
    if not managers:
        try:
            return ask(environ, allow_remote=allow_remote)
        except NoAnswer as error:
            raise NotReady(error.message, hint=_ALONE) from error
    named = tuple(managers)
    problems: list[NotReady] = []
    told: list[str] = []
    for where in sorted(named, key=lambda one: one != _answered.get(named)):
        try:
            client = ask({**environ, "DOCKER_HOST": where}, allow_remote=allow_remote)
        except NotReady as error:
            problems.append(error)
            told.append(told_of(where, error))
        else:
            _answered[named] = where
            return client
    # One that answers knows best what is to be done.
    hint = next((one.hint for one in problems if not isinstance(one, NoAnswer)), _SEVERAL)
    raise NotReady(f"no manager of the swarm can be asked: {'; '.join(told)}", hint=hint)


_ALONE = "start Docker there; or set DOCKER_HOST to another manager of the swarm, or name several in swarm.managers"
_SEVERAL = "start Docker on one of them, or name another manager in swarm.managers"


def ask(environ: Mapping[str, str], *, allow_remote: bool, timeout: int = engine.TIMEOUT) -> DockerClient:
    """A client of one manager; raises as :func:`connect`, and of it alone. Its arguments are those of an engine's."""
    client = engine.connect(environ, allow_remote=allow_remote, timeout=timeout)
    need_manager(client)
    return client


def told_of(where: str, error: MultistackError) -> str:
    """Why the manager at *where* can't be asked; it is named once."""
    return error.message if where in error.message else f"{where}: {error.message}"
