"""X07 to X10: what environments use up together, because it is one function's or one account's."""

from __future__ import annotations

from collections.abc import Generator

from emulator.lab.experiment import Experiment, in_both_worlds, refused
from emulator.lab.load import prepared_load
from emulator.lab.operator import Operator
from emulator.lab.releases import SLOW, release, take_back, version_of

_CONCURRENCY = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"
_POOL = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html"
_DELETION = "https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html"
_RESERVED = 4
_CALLERS = 20


def _delete(operator: Operator) -> Generator[None, None, None]:
    yield
    operator.aws("lambda", "delete_function", FunctionName=operator.test.function)
    yield


def _load_on_reservation(operator: Operator) -> Generator[None, None, None]:
    # Where they share a function there is but one reservation to make.
    reserved = {place.function: place for place in (operator.test, operator.prod)}.values()
    before = version_of(operator, operator.test)
    with prepared_load(operator, operator.test, callers=_CALLERS) as load:
        release(operator, SLOW)
        for place in reserved:
            operator.aws(
                "lambda",
                "put_function_concurrency",
                at=place,
                FunctionName=place.function,
                ReservedConcurrentExecutions=_RESERVED,
            )
        yield
        load.start()
        yield
        load.end()
        for place in reserved:
            operator.aws("lambda", "delete_function_concurrency", at=place, FunctionName=place.function)
        take_back(operator, operator.test, before)


def _stop_runaway(operator: Operator) -> Generator[None, None, None]:
    name = operator.test.function
    yield
    operator.aws("lambda", "put_function_concurrency", FunctionName=name, ReservedConcurrentExecutions=0)
    yield
    operator.aws("lambda", "delete_function_concurrency", FunctionName=name)


def _load_on_account(operator: Operator) -> Generator[None, None, None]:
    with prepared_load(operator, operator.test, callers=_CALLERS) as load:
        before = version_of(operator, operator.test)
        release(operator, SLOW)
        yield
        load.start()
        yield
        load.end()
        take_back(operator, operator.test, before)


EXPERIMENTS = (
    Experiment(
        id="X07",
        title="the test function is deleted",
        meant="Tidy up: the test function is no longer needed.",
        setting="one function for all environments",
        variants=in_both_worlds(
            single=_delete,
            multi=_delete,
            prod_sees=refused(),
            shared="There is no test function: the one there is goes, with every version and alias.",
            separate="Test's function is test's alone.",
        ),
        sources=(_DELETION,),
        needs=("lambda-deletion/deleting-a-function-removes-its-versions-and-aliases",),
        restores=True,
    ),
    Experiment(
        id="X08",
        title="a load test on test uses up the reserved concurrency",
        meant="See how a slow release of test behaves under load.",
        setting="reserved concurrency, of which a function has one for all its versions",
        variants=in_both_worlds(
            single=_load_on_reservation,
            multi=_load_on_reservation,
            prod_sees=refused(share=(0.5, 1.0)),
            shared="Calls of every version and alias take their places from one reservation.",
            separate="Prod's function has a reservation of its own, which calls to test can't take.",
        ),
        sources=(_CONCURRENCY,),
        needs=("concurrency/a-reservation-covers-all-versions",),
    ),
    Experiment(
        id="X09",
        title="reserved concurrency is set to 0",
        meant="Stop a runaway job in test.",
        setting="reserved concurrency, of which a function has one for all its versions",
        variants=in_both_worlds(
            single=_stop_runaway,
            multi=_stop_runaway,
            prod_sees=refused(),
            shared="A reservation of 0 refuses every call of the function, whatever alias it came by.",
            separate="Only test's function is stopped.",
        ),
        sources=(_CONCURRENCY,),
        needs=("concurrency/a-reservation-of-0-refuses-every-call",),
    ),
    Experiment(
        id="X10",
        title="a load test on test, with no reservation",
        meant="See how a slow release of test behaves under load.",
        setting="the account's unreserved concurrency",
        variants=in_both_worlds(
            single=_load_on_account,
            multi=_load_on_account,
            prod_sees=refused(share=(0.3, 1.0)),
            same_account=refused(share=(0.3, 1.0)),
            shared="Functions without a reservation share one pool per account and region, which test empties.",
            separate="The pool is the account's: a stack of its own is not enough, an account of its own is.",
        ),
        sources=(_POOL,),
    ),
)
