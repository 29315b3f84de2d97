"""Lab 4: the same mistakes where every environment has a stack of its own; and the one that an account still shares."""

from __future__ import annotations

from emulator.lab.topologies import Topology
from emulator.workshop.experiments import MISTAKES, hurt, unhurt
from emulator.workshop.lab import Lab, Step

_SHARED = "X10"

LAB = Lab(
    number=4,
    name="isolated",
    title="The same mistakes, isolated",
    minutes=20,
    goal="no request to prod failed; only what the account limits reaches over, and only within one account",
    checks=(
        *(unhurt(experiment, Topology.MULTI) for experiment in MISTAKES),
        hurt(_SHARED, Topology.SAME_ACCOUNT),
        unhurt(_SHARED, Topology.MULTI),
    ),
    hints=(
        "The commands are those of lab 3, with another `--topology`.",
        "`multi` has an account for each environment, `multi-same-account` a stack for each in one account.",
        f"multistack lab run {' '.join(MISTAKES)} --topology multi; "
        f"multistack lab run {_SHARED} --topology multi-same-account --topology multi",
    ),
    solution=(
        Step("What is typed now, and why prod is not hurt.", "multistack lab show X03"),
        Step(
            "The mistakes of lab 3, each environment with a stack and an account of its own.",
            f"multistack lab run {' '.join(MISTAKES)} --topology multi",
        ),
        Step(
            "A load test in test: concurrency is what an account has, so one account is not enough.",
            f"multistack lab run {_SHARED} --topology multi-same-account --topology multi",
        ),
    ),
)
