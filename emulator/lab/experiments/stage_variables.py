"""Mistakes with stage variables that tell environments apart."""

from __future__ import annotations

from collections.abc import Generator

from emulator.lab.experiment import WRONG_DATA, Experiment, in_both_worlds, refused
from emulator.lab.operator import Operator

_STAGE_VARIABLES = "https://docs.aws.amazon.com/apigateway/latest/developerguide/stage-variables.html"
_REFUSED = "Test's API has no stage prod, so the typing error is refused."


def _misspelt(operator: Operator) -> Generator[None, None, None]:
    yield
    operator.edit_variable("prod", "alias", "tset")
    yield
    operator.edit_variable("prod", "alias", "prod")


def _misspelt_elsewhere(operator: Operator) -> Generator[None, None, None]:
    yield
    operator.edit_variable("prod", "alias", "tset", is_refused=True)
    yield


def _wrong_table(operator: Operator) -> Generator[None, None, None]:
    yield
    operator.edit_variable("prod", "table", operator.test.table)
    yield
    operator.edit_variable("prod", "table", operator.prod.table)


def _wrong_table_elsewhere(operator: Operator) -> Generator[None, None, None]:
    yield
    operator.edit_variable("prod", "table", operator.test.table, is_refused=True)
    yield


EXPERIMENTS = (
    Experiment(
        id="X02",
        title="prod's stage variable `alias` set to `tset`",
        meant="Set the stage variable of test.",
        setting="the stage variable `alias` in the integration's URI",
        variants=in_both_worlds(
            single=_misspelt,
            multi=_misspelt_elsewhere,
            prod_sees=refused(),
            shared="The edit is live at once, and nothing checks that the alias exists.",
            separate=_REFUSED,
        ),
        sources=(_STAGE_VARIABLES,),
        needs=("stage-variables/a-variable-names-the-alias",),
    ),
    Experiment(
        id="X03",
        title="prod's stage variable `table` set to test's table",
        meant="Point test at its new table.",
        setting="the stage variable `table`",
        variants=in_both_worlds(
            single=_wrong_table,
            multi=_wrong_table_elsewhere,
            prod_sees=WRONG_DATA,
            shared="Prod answers 200 with test's orders: no alarm goes off.",
            separate=_REFUSED,
        ),
        sources=(_STAGE_VARIABLES,),
        needs=("stage-variables/a-function-sees-the-variables",),
    ),
)
