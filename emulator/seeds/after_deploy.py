"""The seed of an environment right after its first deployment."""

from __future__ import annotations

from collections.abc import Callable

from emulator.endpoint import answering
from emulator.errors import MultistackError
from emulator.events import Emit, Event
from emulator.model import Endpoint, Environment, Project
from emulator.seeds.folders import read_seed
from emulator.seeds.mark import read_mark
from emulator.seeds.seeding import sow
from emulator.seeds.targets import check_template, without_target
from emulator.template import Template


def prepare_seed(
    project: Project,
    environment: Environment,
    endpoint: Endpoint,
    template: Template,
    *,
    restores: bool,
    emit: Emit,
) -> Callable[[], None] | None:
    """
    What is to be called after *template* was deployed; None when *environment* needs no seed.

    It needs one when the project has one for it and its data never had it: it is new, was reset, or lost its state.

    Args:
        restores: It is a release on record, older than the seed perhaps: what that has for others is left out.

    Raises:
        ConfigError: A file of the seed is wrong; nothing was deployed yet.
    """
    if not environment.seeds or not project.seeds_after_deploy:
        return None
    stack = project.stack_name(environment.name)
    with answering(endpoint):
        if read_mark(endpoint, stack).is_complete:
            return None
    seed = read_seed(environment.seeds, root=project.root)
    if not restores:
        check_template(seed, template)
    elif lacking := without_target(seed, template):
        seed = seed.without(lacking)
        emit(
            Event(environment.name, "warning:", f"the release has nothing that takes the seed of {', '.join(lacking)}")
        )

    def put() -> None:
        try:
            done = sow(endpoint, stack, seed)
        except MultistackError as error:
            message = f"environment {environment.name} has its release, but not its seed: {error.message}"
            hint = f"{error.hint}; then `multistack seed {environment.name}`" if error.hint else None
            raise type(error)(message, hint=hint or f"multistack seed {environment.name}") from error
        told = ", ".join(f"{one.resource} {one.total}" for one in done)
        emit(Event(environment.name, "seeded", told))

    return put
