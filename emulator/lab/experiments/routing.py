"""X13, X15, X17: what steers calls, in an API and in aliases."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from emulator.endpoint import client
from emulator.lab.code import BROKEN, GOOD
from emulator.lab.experiment import Experiment, fails, in_both_worlds, refused
from emulator.lab.operator import Operator
from emulator.lab.topologies import ENVIRONMENTS, Place

_DEPLOYING = "https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html"
_WEIGHTS = "https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html"
_PERMISSIONS = "https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html"
_VARIABLES = (
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/aws-api-gateway-stage-variables-reference.html"
)
_ORDER = "/orders/{id}"


def _edit_route(operator: Operator) -> Generator[None, None, None]:
    """Half of an edit in test's API; then somebody deploys prod's for quite another reason."""
    test, prod = operator.test, operator.prod
    route: dict[str, Any] = {
        "restApiId": test.api,
        "resourceId": _resource(operator, test, _ORDER),
        "httpMethod": "GET",
    }
    before = _deployment(operator, prod)
    yield
    _authorize(operator, route, "AWS_IAM")
    operator.aws(
        "apigateway", "create_deployment", at=prod, restApiId=prod.api, stageName=prod.stage, description="new header"
    )
    yield
    _serve(operator, prod, before)
    _authorize(operator, route, "NONE")


def _leave_weight(operator: Operator) -> Generator[None, None, None]:
    """In one stack every environment's alias hangs on one function, a word apart."""
    test = operator.test
    bad = operator.publish(BROKEN)
    good = operator.aws("lambda", "get_alias", FunctionName=test.function, Name="prod")["FunctionVersion"]
    yield
    _weigh(operator, "prod", good, {bad: 0.3})
    yield
    _weigh(operator, "prod", good, {})
    operator.upload(GOOD)


def _no_such_alias(operator: Operator) -> Generator[None, None, None]:
    test = operator.test
    yield
    bad = operator.publish(BROKEN)
    operator.is_refused(
        "lambda",
        "update_alias",
        FunctionName=test.function,
        Name="prod",
        FunctionVersion=bad,
        RoutingConfig={"AdditionalVersionWeights": {bad: 0.3}},
    )
    yield
    operator.upload(GOOD)


def _switch_stages(operator: Operator) -> Generator[None, None, None]:
    """A script that switches over every stage of the API that it is given."""
    test = operator.test
    version = operator.aws("lambda", "get_alias", FunctionName=test.function, Name="test")["FunctionVersion"]
    operator.aws("lambda", "create_alias", FunctionName=test.function, Name="green", FunctionVersion=version)
    yield
    for stage in ENVIRONMENTS:
        operator.edit_variable(stage, "alias", "green")
    yield
    for stage in ENVIRONMENTS:
        operator.edit_variable(stage, "alias", stage)
    operator.aws("lambda", "delete_alias", FunctionName=test.function, Name="green")


def _switch_own_stage(operator: Operator) -> Generator[None, None, None]:
    """The same in test's API."""
    test = operator.test
    good = operator.publish(GOOD)
    operator.aws("lambda", "create_alias", FunctionName=test.function, Name="green", FunctionVersion=good)
    yield
    _call(operator, f"{test.function}:green")
    yield
    _call(operator, test.function)
    operator.aws("lambda", "delete_alias", FunctionName=test.function, Name="green")


def _resource(operator: Operator, place: Place, path: str) -> str:
    """The id of a resource of an API."""

    def find() -> str:
        found = client(place.endpoint, "apigateway").get_resources(restApiId=place.api, limit=500)["items"]
        return next(str(one["id"]) for one in found if one["path"] == path)

    line = f"aws apigateway get-resources --rest-api-id {place.api} --query \"items[?path=='{path}'].id\" --output text"
    return str(operator.does(line, find, stands_for="resource-id"))


def _deployment(operator: Operator, place: Place) -> str:
    """The deployment that a stage serves."""
    found = operator.aws("apigateway", "get_stage", at=place, restApiId=place.api, stageName=place.stage)
    return str(found["deploymentId"])


def _serve(operator: Operator, place: Place, deployment: str) -> None:
    operator.aws(
        "apigateway",
        "update_stage",
        at=place,
        restApiId=place.api,
        stageName=place.stage,
        patchOperations=[{"op": "replace", "path": "/deploymentId", "value": deployment}],
    )


def _authorize(operator: Operator, route: dict[str, Any], kind: str) -> None:
    change = {"op": "replace", "path": "/authorizationType", "value": kind}
    operator.aws("apigateway", "update_method", **route, patchOperations=[change])


def _call(operator: Operator, function: str) -> None:
    """Let a route of test's API call *function*, whose alias may be named, and deploy that."""
    test = operator.test
    region, account = test.endpoint.region, test.endpoint.account_id
    arn = f"arn:aws:lambda:{region}:{account}:function:{function}"
    uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"
    operator.aws(
        "apigateway",
        "update_integration",
        restApiId=test.api,
        resourceId=_resource(operator, test, _ORDER),
        httpMethod="GET",
        patchOperations=[{"op": "replace", "path": "/uri", "value": uri}],
    )
    operator.aws("apigateway", "create_deployment", restApiId=test.api, stageName=test.stage)


def _weigh(operator: Operator, alias: str, version: str, weights: dict[str, float]) -> None:
    operator.aws(
        "lambda",
        "update_alias",
        FunctionName=operator.test.function,
        Name=alias,
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": weights},
    )


EXPERIMENTS = (
    Experiment(
        id="X13",
        title="a half-done route edit goes out with somebody's redeploy",
        meant="Try an authorizer on a route in test; a colleague deploys prod for a header, meanwhile.",
        setting="one API, whose edits wait for the next deployment of any stage",
        variants=in_both_worlds(
            single=_edit_route,
            multi=_edit_route,
            prod_sees=fails(403),
            shared="A deployment is a snapshot of the whole API, with whatever anybody has half done in it.",
            separate="The edit is in test's API; a deployment of prod's can't hold it.",
        ),
        sources=(_DEPLOYING,),
        needs=("rest-stages/an-edited-authorizer-waits-for-a-deployment",),
    ),
    Experiment(
        id="X15",
        title="a weighted alias is left at 0.3",
        meant="Give a new release 30 % of test's calls, and look at it after lunch.",
        setting="aliases of one function, told apart by a word",
        variants=in_both_worlds(
            single=_leave_weight,
            multi=_no_such_alias,
            prod_sees=fails(502, share=(0.1, 0.6)),
            shared="Prod's alias is next to test's, and a weight on it sends calls of prod to the new version.",
            separate="Test's function has no alias prod, so the command is refused.",
        ),
        sources=(_WEIGHTS,),
        needs=("lambda-aliases/weights-steer-calls-from-a-rest-api",),
        calls=60,
    ),
    Experiment(
        id="X17",
        title="stages are switched to an alias that the API may not call",
        meant="Blue/green in test: switch it over to the alias green.",
        setting="one API with a stage per environment; invoke permissions, which are per alias",
        variants=in_both_worlds(
            single=_switch_stages,
            multi=_switch_own_stage,
            prod_sees=refused(),
            shared="The script switches every stage of the API, and a permission for prod's alias is none for green.",
            separate="Test's API has no stage of prod's.",
        ),
        sources=(
            _PERMISSIONS,
            _VARIABLES,
        ),
        needs=(
            "permissions/a-permission-for-an-alias-is-for-no-other",
            "stage-variables/a-variable-names-the-alias",
        ),
    ),
)
