"""The eight labs, in their order."""

from __future__ import annotations

from emulator.workshop.lab import Lab
from emulator.workshop.labs import (
    config,
    feature_branch,
    isolated,
    parity,
    promote,
    roll_back,
    single_stack,
    three_stacks,
)

LABS: tuple[Lab, ...] = (
    three_stacks.LAB,
    config.LAB,
    single_stack.LAB,
    isolated.LAB,
    promote.LAB,
    roll_back.LAB,
    parity.LAB,
    feature_branch.LAB,
)
