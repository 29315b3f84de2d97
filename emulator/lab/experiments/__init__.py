"""All experiments, in the order of their numbers."""

from __future__ import annotations

from difflib import get_close_matches

from emulator.errors import ConfigError
from emulator.lab.experiment import Experiment
from emulator.lab.experiments import (
    aliases,
    controls,
    data,
    limits,
    routing,
    side_effects,
    stage_variables,
    updates,
)

_GROUPS = (aliases, stage_variables, limits, data, routing, side_effects, updates, controls)
EXPERIMENTS: tuple[Experiment, ...] = tuple(
    sorted((one for group in _GROUPS for one in group.EXPERIMENTS), key=lambda one: (one.is_control, one.id))
)


def find_experiment(name: str) -> Experiment:
    """
    An experiment by its id, in whatever case.

    Raises:
        ConfigError: There is none.
    """
    known = {one.id: one for one in EXPERIMENTS}
    if name.upper() not in known:
        near = get_close_matches(name.upper(), known, n=1)
        raise ConfigError(
            f"there is no experiment {name}",
            hint=f"did you mean {near[0]}?" if near else "`multistack lab list` shows them",
        )
    return known[name.upper()]
