"""Mistakes with aliases that stand for environments, and with the versions behind them."""

from __future__ import annotations

from collections.abc import Generator

from emulator.lab.code import BROKEN, GOOD
from emulator.lab.experiment import WRONG_DATA, Basis, Experiment, fails, in_both_worlds
from emulator.lab.operator import Operator
from emulator.lab.releases import LONGER

_ALIASES = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html"
_VERSIONS = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html"


def _version_of(operator: Operator, alias: str) -> str:
    found = operator.aws("lambda", "get_alias", FunctionName=operator.test.function, Name=alias)
    return str(found["FunctionVersion"])


def _move(operator: Operator, alias: str, version: str) -> None:
    operator.aws("lambda", "update_alias", FunctionName=operator.test.function, Name=alias, FunctionVersion=version)


def _wrong_alias(operator: Operator) -> Generator[None, None, None]:
    before = _version_of(operator, "prod")
    bad = operator.publish(BROKEN)
    yield
    _move(operator, "prod", bad)
    yield
    _move(operator, "prod", before)
    operator.upload(GOOD)


def _no_such_alias(operator: Operator) -> Generator[None, None, None]:
    yield
    bad = operator.publish(BROKEN)
    operator.is_refused("lambda", "update_alias", FunctionName=operator.test.function, Name="prod", FunctionVersion=bad)
    yield
    operator.upload(GOOD)


def _unpublished(operator: Operator) -> Generator[None, None, None]:
    before = _version_of(operator, "prod")
    _move(operator, "prod", "$LATEST")
    yield
    operator.upload(BROKEN)
    yield
    operator.upload(GOOD)
    _move(operator, "prod", before)


def _own_function(operator: Operator) -> Generator[None, None, None]:
    yield
    operator.upload(BROKEN)
    yield
    operator.upload(GOOD)


def _set_table(operator: Operator, table: str) -> str:
    """A version that has the table in its variables."""
    operator.configure(Environment={"Variables": {**operator.variables(), "TABLE": table}})
    published = operator.aws("lambda", "publish_version", FunctionName=operator.test.function)
    return str(published["Version"])


def _frozen_config(operator: Operator) -> Generator[None, None, None]:
    before = {name: _version_of(operator, name) for name in ("test", "prod")}
    for name, package in (("prod", GOOD), ("test", LONGER)):
        operator.upload(package)
        _move(operator, name, _set_table(operator, operator.places[name].table))
        operator.edit_variable(name, "table", None)
    tested = _version_of(operator, "test")
    yield
    _move(operator, "prod", tested)
    yield
    for name, version in before.items():
        operator.edit_variable(name, "table", operator.places[name].table)
        _move(operator, name, version)
    operator.upload(GOOD)


def _own_config(operator: Operator) -> Generator[None, None, None]:
    operator.upload(LONGER)
    yield
    operator.upload(LONGER, at=operator.prod)
    yield
    for place in (operator.test, operator.prod):
        operator.upload(GOOD, at=place)


EXPERIMENTS = (
    Experiment(
        id="X01",
        title="a bad version, put into prod's alias instead of test's",
        meant="Try a new version in test: `update-alias --name test`.",
        setting="an alias per environment of one function",
        variants=in_both_worlds(
            single=_wrong_alias,
            multi=_no_such_alias,
            prod_sees=fails(502),
            shared="One word apart, the same command with the same rights moves prod.",
            separate="Test's function has no alias prod, so the typing error is refused.",
        ),
        sources=(_ALIASES,),
        needs=("stage-variables/a-variable-names-the-alias",),
    ),
    Experiment(
        id="X04",
        title="prod's alias left on $LATEST, and a developer uploads code",
        meant="Upload half-done code to try it in test.",
        setting="an alias that points to $LATEST",
        variants=in_both_worlds(
            single=_unpublished,
            multi=_own_function,
            prod_sees=fails(502),
            shared="$LATEST is what every upload changes, and prod's alias follows it.",
            separate="The upload reaches test's function only.",
        ),
        sources=(_VERSIONS,),
        needs=("stage-variables/a-variable-names-the-alias",),
    ),
    Experiment(
        id="X05",
        title="tables in environment variables, and the tested version promoted",
        meant="Promote to prod the very version that was tested.",
        setting="environment variables, which a version freezes",
        variants=in_both_worlds(
            single=_frozen_config,
            multi=_own_config,
            prod_sees=WRONG_DATA,
            shared="A version freezes code and variables together: test's table comes along.",
            separate="Code is promoted; variables belong to each environment's own function.",
        ),
        sources=(_VERSIONS,),
        basis=Basis.CHECKED,
        needs=("stage-variables/a-variable-names-the-alias",),
    ),
)
