"""The eight labs, in their order."""

from __future__ import annotations

from emulator.workshop.lab import Lab
from emulator.workshop.labs.config import LAB as CONFIG
from emulator.workshop.labs.feature_branch import LAB as FEATURE_BRANCH
from emulator.workshop.labs.isolated import LAB as ISOLATED
from emulator.workshop.labs.parity import LAB as PARITY
from emulator.workshop.labs.promote import LAB as PROMOTE
from emulator.workshop.labs.roll_back import LAB as ROLL_BACK
from emulator.workshop.labs.single_stack import LAB as SINGLE_STACK
from emulator.workshop.labs.three_stacks import LAB as THREE_STACKS

LABS: tuple[Lab, ...] = (
    THREE_STACKS,
    CONFIG,
    SINGLE_STACK,
    ISOLATED,
    PROMOTE,
    ROLL_BACK,
    PARITY,
    FEATURE_BRANCH,
)
