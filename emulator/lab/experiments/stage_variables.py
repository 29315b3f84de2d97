"""Mistakes with stage variables that tell environments apart."""

from __future__ import annotations

from collections.abc import Generator

from emulator.lab.experiment import WRONG_DATA, Experiment, Script, fails, in_both_worlds
from emulator.lab.operator import Operator
from emulator.lab.topologies import Place

_STAGE_VARIABLES = "https://docs.aws.amazon.com/apigateway/latest/developerguide/stage-variables.html"
_REFUSED = "Test's API has no stage prod, so the typing error is refused."


def _edit(name: str, value: str) -> list[dict[str, str]]:
    return [{"op": "replace", "path": f"/variables/{name}", "value": value}]


def _set(operator: Operator, stage: str, name: str, value: str) -> None:
    operator.aws(
        "apigateway",
        "update_stage",
        restApiId=operator.test.api,
        stageName=stage,
        patchOperations=_edit(name, value),
    )


def _misspelt(operator: Operator) -> Generator[None, None, None]:
    yield
    _set(operator, "prod", "alias", "tset")
    yield
    _set(operator, "prod", "alias", "prod")


def _wrong_table(operator: Operator) -> Generator[None, None, None]:
    yield
    _set(operator, "prod", "table", operator.test.table)
    yield
    _set(operator, "prod", "table", operator.prod.table)


def _no_such_stage(name: str, value_of: str) -> Script:
    """The same edit, typed by whoever works on a test that has an API of its own."""

    def script(operator: Operator) -> Generator[None, None, None]:
        yield
        test: Place = operator.test
        value = test.table if value_of == "table" else value_of
        operator.tries(
            "apigateway",
            "update_stage",
            restApiId=test.api,
            stageName="prod",
            patchOperations=_edit(name, value),
        )
        yield

    return script


EXPERIMENTS = (
    Experiment(
        id="X02",
        title="prod's stage variable `alias` set to `tset`",
        meant="Set the stage variable of test.",
        setting="the stage variable `alias` in the integration's URI",
        variants=in_both_worlds(
            single=_misspelt,
            multi=_no_such_stage("alias", "tset"),
            prod_sees=fails(500, localstack=502),
            shared="The edit is live at once, and nothing checks that the alias exists.",
            separate=_REFUSED,
        ),
        sources=(_STAGE_VARIABLES,),
        seen={"embedded": "2026-11-26"},
        needs=("stage-variables/a-variable-names-the-alias",),
    ),
    Experiment(
        id="X03",
        title="prod's stage variable `table` set to test's table",
        meant="Point test at its new table.",
        setting="the stage variable `table`",
        variants=in_both_worlds(
            single=_wrong_table,
            multi=_no_such_stage("table", "table"),
            prod_sees=WRONG_DATA,
            shared="Prod answers 200 with test's orders: no alarm goes off.",
            separate=_REFUSED,
        ),
        sources=(_STAGE_VARIABLES,),
        seen={"embedded": "2026-11-26"},
        needs=("stage-variables/a-function-sees-the-variables",),
    ),
)
