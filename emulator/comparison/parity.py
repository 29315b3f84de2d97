"""All environments held against one of them, in what should be the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emulator.comparison.deployed import Deployed
from emulator.comparison.template import template_differences
from emulator.model import Environment

NOTHING = "-"
_SHORT = 12
# Config keys to be named in a cell; more are counted.
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """
    One thing that environments can have in common.

    Attributes:
        values: Environment to what it has; ``-`` for nothing.
        differing: Environments that are not like the baseline.
        by_design: It may differ; then nothing is differing.
    """

    name: str
    values: Mapping[str, str]
    differing: Sequence[str] = ()
    by_design: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How alike environments are."""

    baseline: str
    aspects: Sequence[Aspect]

    @property
    def holds(self) -> bool:
        """Whether all that should be equal is."""
        return not any(aspect.differing for aspect in self.aspects)


def parity_of(baseline: Environment, others: Sequence[Environment], deployed: Mapping[str, Deployed | None]) -> Parity:
    """
    Every aspect of *others* beside that of *baseline*.

    Args:
        deployed: Environment to what is on record for it, None when nothing is.
    """
    sides = {environment.name: deployed[environment.name] for environment in (baseline, *others)}
    releases = {name: side.deployment.release.id if side else NOTHING for name, side in sides.items()}
    digests = {name: side.deployment.release.digest[:_SHORT] if side else NOTHING for name, side in sides.items()}
    left_out = {
        name: ", ".join(side.deployment.skipped) or "nothing" if side else NOTHING for name, side in sides.items()
    }
    return Parity(
        baseline=baseline.name,
        aspects=[
            Aspect(name="release", values=releases, by_design=True),
            _same("digest", digests, baseline.name),
            _against("template", sides, baseline.name, _template),
            _against("config keys", sides, baseline.name, _config_keys),
            _same("left out", left_out, baseline.name),
            *_settings(baseline, others),
        ],
    )


def _same(name: str, values: Mapping[str, str], baseline: str) -> Aspect:
    differing = [one for one, value in values.items() if value != values[baseline]]
    return Aspect(name=name, values=values, differing=differing)


def _against(
    name: str, sides: Mapping[str, Deployed | None], baseline: str, compare: Callable[[Deployed, Deployed], str]
) -> Aspect:
    """
    Args:
        compare: What to say about an environment that is not like the baseline; nothing when it is.
    """
    base, values, differing = sides[baseline], {}, []
    for one, side in sides.items():
        said = "" if side is None or base is None else compare(base, side)
        values[one] = NOTHING if side is None else said or ("baseline" if one == baseline else "equal")
        if said or (side is None) != (base is None):
            differing.append(one)
    return Aspect(name=name, values=values, differing=differing)


def _template(base: Deployed, side: Deployed) -> str:
    count = sum(1 for _ in template_differences(base.template, side.template))
    return f"{count} difference{'s' if count > 1 else ''}" if count else ""


def _config_keys(base: Deployed, side: Deployed) -> str:
    missing = [key for key in base.keys if key not in side.keys]
    extra = [key for key in side.keys if key not in base.keys]
    return "; ".join(f"{what} {_named(keys)}" for what, keys in (("lacks", missing), ("only here", extra)) if keys)


def _named(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more


def _settings(baseline: Environment, others: Sequence[Environment]) -> list[Aspect]:
    """What the project file says of the emulators themselves."""
    said = {one.name: {"driver": one.driver.value, "region": one.region, **one.settings} for one in (baseline, *others)}
    names = dict.fromkeys(name for settings in said.values() for name in settings)
    return [
        _same(name, {one: settings.get(name, NOTHING) for one, settings in said.items()}, baseline.name)
        for name in names
    ]
