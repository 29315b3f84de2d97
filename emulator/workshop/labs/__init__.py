"""The eight labs, in their order."""

from __future__ import annotations

from emulator.workshop.lab import Lab
from emulator.workshop.labs import (
    config,
    feature_branch,
    parity,
    promote,
    roll_back,
    three_stacks,
)

LABS: tuple[Lab, ...] = (
    three_stacks.LAB,
    config.LAB,
    promote.LAB,
    roll_back.LAB,
    parity.LAB,
    feature_branch.LAB,
)
