"""Experiments and results as text, and as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from emulator.lab.experiment import UNHURT, Experiment, Variant
from emulator.lab.operator import Operator, only_show
from emulator.lab.results import Outcome, Result, TypedLine
from emulator.lab.running import rehearse
from emulator.lab.seen import Recorded
from emulator.lab.topologies import ENVIRONMENTS, Place, Topology
from emulator.model import Endpoint
from emulator.render import prose, table

_COLOURS = {Outcome.AS_EXPECTED: "green", Outcome.DIFFERS: "red", Outcome.NOT_ON_DRIVER: "yellow"}


def summary(experiment: Experiment, recorded: Sequence[Recorded]) -> Mapping[str, Any]:
    """What ``lab list --json`` says of it."""
    return {
        "id": experiment.id,
        "title": experiment.title,
        "control": experiment.is_control,
        "basis": experiment.basis.name.lower(),
        "expected": {one.value: variant.expected.told() for one, variant in experiment.variants.items()},
        "seen": {
            one.driver: {"emulator": one.emulator, "since": one.since[experiment.id]}
            for one in recorded
            if experiment.id in one.since
        },
    }


def details(experiment: Experiment, recorded: Sequence[Recorded]) -> Mapping[str, Any]:
    """What ``lab show --json`` says of it."""
    return {
        **summary(experiment, recorded),
        "meant": experiment.meant,
        "setting": experiment.setting,
        "sources": list(experiment.sources),
        "why": {one.value: variant.why for one, variant in experiment.variants.items()},
        "typed": {one.value: typed_lines(variant, one) for one, variant in experiment.variants.items()},
    }


def typed_lines(variant: Variant, topology: Topology) -> list[TypedLine]:
    """What is typed in a topology, with names that stand for those of a real lab."""
    return rehearse(variant.script, Operator(_places(topology), perform=only_show))


def described(experiment: Experiment, recorded: Sequence[Recorded]) -> str:
    """What ``lab show`` prints."""
    seen = [told for one in recorded if (told := one.told(experiment.id))]
    lines = [
        f"{experiment.id}  {prose(experiment.title)}",
        "",
        f"Meant:    {prose(experiment.meant)}",
        f"Setting:  {prose(experiment.setting)}",
        f"Known:    {experiment.basis.value}",
        f"Seen on:  {'; '.join(seen) or 'no driver yet'}",
    ]
    for topology, variant in experiment.variants.items():
        lines += ["", f"{topology.value}: prod sees {variant.expected.told()}", f"  {prose(variant.why)}"]
        lines += [f"  On {driver} {one.status}: {prose(one.why)}" for driver, one in variant.expected.on.items()]
        phase = ""
        for one in typed_lines(variant, topology):
            lines += [f"  # {one.phase}"] if one.phase != phase else []
            lines.append(f"  {one.line}")
            phase = one.phase
    return "\n".join([*lines, "", *(f"Source: {source}" for source in experiment.sources)])


def in_a_line(experiment: Experiment) -> str:
    """The mistake and what prod sees of it in a single stack, e.g. ``a role is tightened: 502 on all calls``."""
    variants = experiment.variants
    also = variants[Topology.SAME_ACCOUNT].expected is not UNHURT
    told = variants[Topology.SINGLE].expected.told()
    return f"{experiment.title}: {told}{', with a stack each in one account as well' if also else ''}"


def result_line(result: Result) -> str:
    """One result while others still run."""
    what = result.told or result.outcome.value
    outcome = click.style(result.outcome.value, fg=_COLOURS[result.outcome])
    return f"{result.experiment}  {result.topology:18}  {what}; {outcome}{_because(result)}"


def matrix(results: Sequence[Result]) -> str:
    """Experiments by topology; below it what differs from the expected, and what could not be run."""
    topologies = list(dict.fromkeys(result.topology for result in results))
    by_key = {(result.experiment, result.topology): result for result in results}
    rows = [
        [experiment, *(_cell(by_key.get((experiment, topology))) for topology in topologies)]
        for experiment in dict.fromkeys(result.experiment for result in results)
    ]
    lines = [table(["prod sees", *topologies], rows)]
    notes = [result for result in results if result.reason]
    lines += [f"{one.experiment} in {one.topology}: {one.outcome.value}{_because(one)}" for one in notes]
    return "\n".join(lines)


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    text = result.told or result.outcome.value
    colour = "yellow" if not result.seen else "red" if result.is_hurt else "green"
    return click.style(text, fg=colour) + (" (!)" if result.outcome is Outcome.DIFFERS else "")


def _because(result: Result) -> str:
    return f": {result.reason}" if result.reason else ""


def _places(topology: Topology) -> Mapping[str, Place]:
    """An imagined world, to show commands of."""
    is_single = topology is Topology.SINGLE
    return {
        name: Place(
            environment=name,
            path=f"/{topology.prefix}{name}",
            endpoint=Endpoint(environment=name, url="<endpoint>", account_id="<account>", region="<region>"),
            stack="orders" if is_single else f"orders-{name}",
            api="<api-id>" if is_single else f"<api-id-of-{name}>",
            stage=name if is_single else "live",
            function="orders" if is_single else f"orders-{name}",
            alias=name if is_single else None,
            table=f"orders-table-{name}",
            queue="<queue-url>" if is_single else f"<queue-url-of-{name}>",
            role="orders-role" if is_single else f"orders-role-{name}",
            parameters="/orders" if is_single else f"/orders-{name}",
        )
        for name in ENVIRONMENTS
    }
