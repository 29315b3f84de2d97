"""All experiments, in the order of their numbers."""

from __future__ import annotations

from difflib import get_close_matches

from emulator.errors import ConfigError
from emulator.lab.experiment import Experiment
from emulator.lab.experiments.aliases import EXPERIMENTS as ALIASES
from emulator.lab.experiments.controls import EXPERIMENTS as CONTROLS
from emulator.lab.experiments.data import EXPERIMENTS as DATA
from emulator.lab.experiments.limits import EXPERIMENTS as LIMITS
from emulator.lab.experiments.routing import EXPERIMENTS as ROUTING
from emulator.lab.experiments.side_effects import EXPERIMENTS as SIDE_EFFECTS
from emulator.lab.experiments.stage_variables import EXPERIMENTS as STAGE_VARIABLES
from emulator.lab.experiments.updates import EXPERIMENTS as UPDATES

_ALL = (*ALIASES, *CONTROLS, *DATA, *LIMITS, *ROUTING, *SIDE_EFFECTS, *STAGE_VARIABLES, *UPDATES)
EXPERIMENTS: tuple[Experiment, ...] = tuple(sorted(_ALL, key=lambda one: (one.is_control, one.id)))


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
