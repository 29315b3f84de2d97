"""The swarm that environments run on: who can be asked for them, and which machines take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emulator.doctor.check import Check, Verdict
from emulator.drivers import engine, swarm_managers
from emulator.drivers.swarm_cluster import Node, need_nodes, nodes_of
from emulator.errors import MultistackError, NotReady
from emulator.model import DriverName, Project
from emulator.space_list import read_spaces

# Seconds for one answer of one manager.
_PATIENCE = 5


def examine_swarm(project: Project, *, environ: Mapping[str, str], allow_remote: bool) -> list[Check]:
    """What its managers answer; one row when none does, and no row when nothing of *project* runs on a swarm."""
    try:
        spaces = read_spaces(project.state)
    except MultistackError as error:
        return [Check(name="spaces", verdict=Verdict.PROBLEM, found=error.message, advice=error.hint or "")]
    drivers = {one.driver for one in project.environments} | {one.driver for one in spaces.values()}
    if DriverName.SWARM not in drivers:
        return []
    found: dict[str, Mapping[str, Node] | MultistackError] = {}
    for where in project.managers or (environ.get("DOCKER_HOST", ""),):
        try:
            manager = {**environ, "DOCKER_HOST": where}
            client = swarm_managers.ask(manager, allow_remote=allow_remote, timeout=_PATIENCE)
            found[where or engine.address(environ)] = nodes_of(client)
        except MultistackError as error:
            found[where] = error
    known = next((one for one in found.values() if not isinstance(one, MultistackError)), None)
    return [check_managers(found), *([] if known is None else [check_nodes(list(known.values()))])]


def check_managers(found: Mapping[str, Mapping[str, Node] | MultistackError]) -> Check:
    """
    Whether services can be asked for.

    Args:
        found: Address of each manager that is named to what it knows of the nodes, or why it can't be asked.
    """
    name = "swarm managers"
    lost = {where: one for where, one in found.items() if isinstance(one, MultistackError)}
    told = "; ".join(swarm_managers.told_of(where, one) for where, one in lost.items())
    hints = "; ".join(dict.fromkeys(one.hint for one in lost.values() if one.hint))
    if len(lost) == len(found):
        return Check(name=name, verdict=Verdict.PROBLEM, found=told, advice=f"nothing can start: {hints}")
    answering = ", ".join(where for where in found if where not in lost)
    if lost:
        found_text = f"{len(found) - len(lost)} of {len(found)} answer ({answering}); {told}"
        return Check(name=name, verdict=Verdict.WARNING, found=found_text, advice=f"another one is asked now: {hints}")
    return Check(name=name, verdict=Verdict.OK, found=answering)


def check_nodes(nodes: Sequence[Node]) -> Check:
    """Whether there is a machine that takes environments, and which don't."""
    name = "swarm nodes"
    kinds = {
        "ready": [one.name for one in nodes if one.is_ready and one.is_active],
        "drained or paused": [one.name for one in nodes if one.is_ready and not one.is_active],
        "not heard of": [one.name for one in nodes if not one.is_ready],
    }
    told = "; ".join(f"{len(names)} {kind}: {', '.join(sorted(names))}" for kind, names in kinds.items() if names)
    try:
        need_nodes({one.id: one for one in nodes})
    except NotReady as error:
        return Check(name=name, verdict=Verdict.PROBLEM, found=told, advice=f"{error.message}: {error.hint}")
    if kinds["not heard of"]:
        advice = "what ran there is started elsewhere; see `docker node ls`"
        return Check(name=name, verdict=Verdict.WARNING, found=told, advice=advice)
    return Check(name=name, verdict=Verdict.OK, found=told)
