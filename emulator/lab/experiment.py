"""
What an experiment is: a mistake, as it is typed, and what prod is expected to see of it.

A script is a generator that stops twice::

    def wrong_alias(operator):
        bad = operator.publish(BROKEN)                      # set-up: prod must be well after it
        yield
        operator.aws("lambda", "update_alias", ...)         # the mistake
        yield
        operator.aws("lambda", "update_alias", ...)         # how it is undone

The same script is shown and run (see :mod:`emulator.lab.operator`), so that what is told is what was done. It therefore
takes no decision on what a call answered. What must end in any case belongs into a ``with`` or ``finally``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from emulator.lab.operator import Operator
from emulator.lab.topologies import Topology
from emulator.lab.traffic import ORDERS, Measurement, Probe

Script = Callable[[Operator], Generator[None, None, None]]


class Effect(enum.Enum):
    """What prod sees of a mistake."""

    UNHURT = "unhurt"
    FAILS = "fails"
    WRONG_DATA = "wrong data"
    # No request shows it: the script found it, e.g. lines in prod's log.
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Otherwise:
    """The *status* that calls fail with on one driver, and *why* it isn't that of AWS."""

    status: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """
    What the rules of AWS say prod sees.

    Attributes:
        statuses: Those of the calls that fail.
        share: Least and most share of the calls after the mistake that are hurt.
        on: Driver to the other status there, where it is known to answer with another one.
    """

    effect: Effect
    statuses: frozenset[int] = frozenset()
    share: tuple[float, float] = (0.9, 1.0)
    on: Mapping[str, Otherwise] = field(default_factory=dict)

    def differs(self, seen: Effect, measured: Measurement, driver: str) -> str:
        """How what was seen differs from it; empty if it does not."""
        if seen is not self.effect:
            return f"expected {self.effect.value}, saw {seen.value}"
        statuses = self._statuses(driver)
        if seen is Effect.FAILS and measured.failed_statuses != statuses:
            return f"expected {_listed(statuses)}, saw {_listed(measured.failed_statuses)}"
        least, most = self.share
        if seen in (Effect.FAILS, Effect.WRONG_DATA) and not least <= measured.share <= most:
            return f"expected {least:.0%} to {most:.0%} of the calls to be hurt, saw {measured.share:.0%}"
        return ""

    def told(self, driver: str = "") -> str:
        """In words, e.g. ``502 on all calls``."""
        if self.effect is not Effect.FAILS:
            return _WORDS[self.effect]
        most = "all" if self.share[1] == 1.0 else "some"
        return f"{_listed(self._statuses(driver))} on {most} calls"

    def _statuses(self, driver: str) -> frozenset[int]:
        other = self.on.get(driver)
        return self.statuses if other is None else frozenset({other.status})


_WORDS = {
    Effect.UNHURT: "nothing",
    Effect.WRONG_DATA: "200 with wrong data",
    Effect.UNSEEN: "harm that no request shows",
}


def _listed(statuses: frozenset[int]) -> str:
    return " or ".join(str(status) for status in sorted(statuses)) or "no failure"


UNHURT = Expected(effect=Effect.UNHURT)
WRONG_DATA = Expected(effect=Effect.WRONG_DATA)
UNSEEN = Expected(effect=Effect.UNSEEN)


def fails(status: int, *, share: tuple[float, float] = (0.9, 1.0), **on: Otherwise) -> Expected:
    """Calls that fail with *status*, or, on a driver named in *on*, with that one."""
    return Expected(effect=Effect.FAILS, statuses=frozenset({status}), share=share, on=on)


def refused(*, share: tuple[float, float] = (0.9, 1.0)) -> Expected:
    """Calls that Lambda refuses: a REST API answers 500, and 502 only where a function ran and failed."""
    return fails(500, share=share, localstack=Otherwise(502, "it answers every call of Lambda that fails alike"))


class Basis(enum.Enum):
    """How well it is known that AWS behaves so."""

    CHECKED = "checked: AWS's documentation or the cited issue says so"
    MODEL = "model: follows from AWS's rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """
    An experiment in one topology.

    Attributes:
        script: See the top of this module.
        expected: What prod sees.
        why: Why it sees that, in a sentence.
    """

    script: Script
    expected: Expected
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """
    One mistake, made alike in each topology.

    Attributes:
        id: E.g. ``X03``; of a control ``C01``.
        title: The mistake in a line.
        meant: What the operator wanted to do, in a sentence.
        setting: What makes it possible, e.g. ``the stage variable table``.
        sources: Pages of AWS, issues.
        needs: Conformance cases that a driver must pass, see :mod:`emulator.capabilities`.
        not_on: Driver to the reason why it can't be run there, beyond what the cases say.
        probes: What prod is asked.
        calls: How often, after the mistake.
        restores: Whether its undo can't bring prod back, but only the state from before.
        is_control: Multi-stack is expected to lose as well.
    """

    id: str
    title: str
    meant: str
    setting: str
    variants: Mapping[Topology, Variant]
    sources: Sequence[str]
    basis: Basis = Basis.CHECKED
    needs: Sequence[str] = ()
    not_on: Mapping[str, str] = field(default_factory=dict)
    probes: Sequence[Probe] = ORDERS
    calls: int = 25
    restores: bool = False
    is_control: bool = False


def in_both_worlds(
    *, single: Script, multi: Script, prod_sees: Expected, shared: str, separate: str, same_account: Expected = UNHURT
) -> Mapping[Topology, Variant]:
    """
    The variants of most experiments: the same script wherever each environment has its stack.

    Args:
        prod_sees: In single-stack.
        shared: Why prod is hurt in single-stack.
        separate: Why it isn't where it has a stack of its own.
        same_account: What it sees where the stacks are in one account.
    """
    return {
        Topology.SINGLE: Variant(script=single, expected=prod_sees, why=shared),
        Topology.MULTI: Variant(script=multi, expected=UNHURT, why=separate),
        Topology.SAME_ACCOUNT: Variant(script=multi, expected=same_account, why=separate),
    }
