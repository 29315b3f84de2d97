"""What came out of the experiments that a learner ran in a lab's folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from emulator.lab.project import lab_folder
from emulator.lab.results import RESULTS_FILE, Outcome, Result, read_results
from emulator.lab.topologies import Topology
from emulator.workshop.lab import Check
from emulator.workshop.scene import Scene

# Those that the labs run in a single stack, and where each environment has a stack.
MISTAKES = ("X03", "X05", "X06")


def result(folder: Path, experiment: str, topology: Topology) -> Result | None:
    """The last one; None when the experiment was not run."""
    found = [
        one
        for one in read_results(lab_folder(folder) / RESULTS_FILE)
        if (one.experiment, one.topology) == (experiment, topology.value)
    ]
    return max(found, key=lambda one: one.at, default=None)


def seen_status(found: Result) -> int:
    """What prod answered while it was hurt, most of the time; 200 when it was not."""
    hurt = Counter(one.status for one in found.timeline if one.verdict != "good" and one.at >= 0)
    return hurt.most_common(1)[0][0] if hurt else 200


def ran(experiment: str, topology: Topology) -> Check:
    """It was run, and ended as the rules of AWS say."""
    return Check(
        f"{experiment} was run in {topology.value}",
        lambda scene: _not_run(experiment, topology, result(scene.folder, experiment, topology)),
    )


def unhurt(experiment: str, topology: Topology) -> Check:
    """Prod answered each request as it should."""

    def look(scene: Scene) -> str | None:
        found = result(scene.folder, experiment, topology)
        is_hurt = found is not None and found.is_hurt
        return _not_run(experiment, topology, found) or ("prod was hurt; run it again" if is_hurt else None)

    return Check(f"{experiment} in {topology.value}: every request to prod was good", look)


def hurt(experiment: str, topology: Topology) -> Check:
    """Prod failed, or had wrong data, unless the driver can't do it."""

    def look(scene: Scene) -> str | None:
        found = result(scene.folder, experiment, topology)
        is_well = found is not None and found.outcome is not Outcome.NOT_ON_DRIVER and not found.is_hurt
        return _not_run(experiment, topology, found) or ("prod was not hurt; run it again" if is_well else None)

    return Check(f"{experiment} in {topology.value}: prod was hurt", look)


def _not_run(experiment: str, topology: Topology, found: Result | None) -> str | None:
    if found is None:
        return f"not yet: `multistack lab run {experiment} --topology {topology.value}`"
    if found.outcome is Outcome.DIFFERS:
        return f"it ended in another way than it should ({found.reason}): `multistack lab reset`, then run it again"
    return None
