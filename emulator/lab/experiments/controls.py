"""C01 to C04: mistakes that a stack per environment does not keep from prod, in whatever account it is."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from emulator.lab.code import BROKEN
from emulator.lab.experiment import Basis, Expected, Experiment, Script, Variant, fails
from emulator.lab.operator import Operator
from emulator.lab.partner import DEPENDENT, KEY, QUOTA, VARIABLE, Partner, use_up
from emulator.lab.releases import release, set_variables, take_back, version_of
from emulator.lab.topologies import Topology

_AWS = "https://docs.aws.amazon.com"
_PROMOTION = f"{_AWS}/wellarchitected/latest/operational-excellence-pillar/ops_mit_deploy_risks_test_val_chg.html"
_VARIABLES = f"{_AWS}/lambda/latest/dg/configuration-envvars.html"
_DRIFT = f"{_AWS}/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html"
_LIMITS = f"{_AWS}/wellarchitected/latest/reliability-pillar/rel_mitigate_interaction_failure_throttle_requests.html"


def _weak_gate(operator: Operator) -> Generator[None, None, None]:
    """Nobody asked test anything before prod got it."""
    test, prod = operator.test, operator.prod
    before = [(place, version_of(operator, place)) for place in (test, prod)]
    yield
    release(operator, BROKEN)
    release(operator, BROKEN, at=prod)
    yield
    for place, version in before:
        take_back(operator, place, version)


def _wrong_parameter(operator: Operator) -> Generator[None, None, None]:
    prod = operator.prod
    before, variables = version_of(operator, prod), operator.variables(at=prod)
    yield
    set_variables(operator, prod, {**variables, "PAGE_SIZE": "fifty"})
    yield
    operator.configure(at=prod, Environment={"Variables": {**variables}})
    take_back(operator, prod, before)


def _shared_key(operator: Operator) -> Generator[None, None, None]:
    """Both environments call the partner with one key."""
    partner = Partner()
    with partner.answering():
        before = [
            (place, version_of(operator, place), operator.variables(at=place))
            for place in (operator.test, operator.prod)
        ]
        for place, _, variables in before:
            operator.upload(DEPENDENT, at=place)
            set_variables(operator, place, {**variables, VARIABLE: partner.url})
        yield
        calls = f"for i in $(seq {QUOTA}); do curl -H 'X-Api-Key: {KEY}' {partner.url}; done"
        operator.does(calls, lambda: use_up(partner.url, KEY))
        yield
        operator.does("# the next day, when the partner counts anew", partner.renew)
        for place, version, variables in before:
            operator.configure(at=place, Environment={"Variables": {**variables}})
            take_back(operator, place, version)


def _edited_variable(operator: Operator) -> Generator[None, None, None]:
    prod = operator.prod
    before = operator.variables(at=prod)
    yield
    set_variables(operator, prod, {**before, "TABLE": f"{prod.table}-2"})
    yield
    set_variables(operator, prod, before)


def _edited_stage(operator: Operator) -> Generator[None, None, None]:
    """Where environments share a function, prod's table is a variable of its stage."""
    yield
    operator.edit_variable("prod", "table", f"{operator.prod.table}-2")
    yield
    operator.edit_variable("prod", "table", operator.prod.table)


def _everywhere(
    script: Script, expected: Expected, *, why: str, single: Script | None = None
) -> Mapping[Topology, Variant]:
    """Prod sees the same of it, whatever the environments share."""
    return {
        topology: Variant(
            script=single if single and topology is Topology.SINGLE else script, expected=expected, why=why
        )
        for topology in Topology
    }


EXPERIMENTS = (
    Experiment(
        id="C01",
        title="a bad release passes a weak gate",
        meant="Release to test and, as nothing complained, to prod.",
        setting="a gate that asks nothing",
        variants=_everywhere(
            _weak_gate,
            fails(502),
            why="A stack of its own runs whatever is deployed to it; only a gate can refuse that.",
        ),
        sources=(_PROMOTION,),
        is_control=True,
    ),
    Experiment(
        id="C02",
        title="prod's own parameter is wrong",
        meant="Raise prod's page size, and type it as a word.",
        setting="prod's own config",
        variants=_everywhere(
            _wrong_parameter, fails(502), why="It is prod's value and nobody else's, so no other environment tried it."
        ),
        sources=(_VARIABLES,),
        is_control=True,
    ),
    Experiment(
        id="C03",
        title="test uses up the quota of a third party's key",
        meant="Load-test test, which calls a partner with the same key as prod.",
        setting="a third party's key that environments share",
        variants=_everywhere(
            _shared_key, fails(502), why="The partner counts calls by key; accounts and stacks are nothing to it."
        ),
        sources=(_LIMITS,),
        basis=Basis.MODEL,
        not_on={"localstack": "functions in its containers can't reach the partner, which is on this machine"},
        is_control=True,
    ),
    Experiment(
        id="C04",
        title="somebody edits prod by hand",
        meant="Point prod at a new table, in the console.",
        setting="rights to change prod by hand",
        variants=_everywhere(
            _edited_variable,
            fails(502),
            single=_edited_stage,
            why="What a person may change in prod they can get wrong; drift detection finds it afterwards.",
        ),
        sources=(_DRIFT,),
        is_control=True,
    ),
)
