"""X06, X19: what one CloudFormation stack for all environments makes of a deployment that is meant for test."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from emulator.cfn_yaml import parse
from emulator.endpoint import client
from emulator.errors import DeployError
from emulator.lab.experiment import UNSEEN, Basis, Experiment, in_both_worlds, refused
from emulator.lab.operator import Operator
from emulator.lab.project import SINGLE_TEMPLATE, TEMPLATE, sample_folder
from emulator.lab.templates import described, published, unpublished, with_auto_publish, without_aliases
from emulator.lab.topologies import Place
from emulator.template import Template, expand_sam, read_template

_AWS = "https://docs.aws.amazon.com"
_GRADUAL = f"{_AWS}/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html"
_STUCK = f"{_AWS}/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-continueupdaterollback.html"
_ISSUES = "https://github.com/aws/serverless-application-model/issues"
_STACK_COMPLETE, _STACK_STUCK = "UPDATE_COMPLETE", "UPDATE_ROLLBACK_FAILED"
_PATIENCE, _LOOK = 60.0, 0.05

Change = Callable[[Template], Template]


def _auto_publish(operator: Operator) -> Generator[None, None, None]:
    """The stack as many have it: one function that SAM publishes, under an alias that a parameter names."""
    place = operator.prod
    _deploy(operator, place, without_aliases, line="# aliases are SAM's from now on: sam deploy")
    _deploy_alias(operator, "prod")
    yield
    _deploy_alias(operator, "test")
    yield
    _deploy_alias(operator, "prod")


def _auto_publish_own(operator: Operator) -> Generator[None, None, None]:
    """The same in test's stack."""
    yield
    _deploy(
        operator,
        operator.test,
        lambda template: published(template, "test"),
        line="sam deploy  # AutoPublishAlias: test",
    )
    yield
    _deploy(operator, operator.test, unpublished, line="sam deploy  # no AutoPublishAlias")


def _break_stack(operator: Operator) -> Generator[None, None, None]:
    yield
    operator.aws("lambda", "delete_alias", FunctionName=operator.test.function, Name="test")
    _hold_up(operator, "TestAlias", {"Release": "hotfix"})
    yield
    operator.aws("lambda", "create_alias", FunctionName=operator.test.function, Name="test", FunctionVersion="1")
    _go_on(operator, "TestAlias")


def _break_own_stack(operator: Operator) -> Generator[None, None, None]:
    """The same where the alias is one of test's stack."""
    alias = "ApiFunctionAliaslive"
    _deploy(operator, operator.test, lambda template: published(template, "live"), line="sam deploy")
    yield
    operator.aws("lambda", "delete_alias", FunctionName=operator.test.function, Name="live")
    _hold_up(operator, alias, {"PageSize": "49"})
    yield
    _go_on(operator, alias)


def _hold_up(operator: Operator, alias: str, hotfix: Mapping[str, str]) -> None:
    """Release under test, into a stack whose *alias* is gone; then prod needs a hotfix."""
    prod = operator.prod
    _deploy(
        operator,
        operator.test,
        lambda template: described(template, alias),
        line="sam deploy  # release 2",
        ends=_STACK_STUCK,
    )
    operator.tries(
        "cloudformation",
        "update_stack",
        at=prod,
        StackName=prod.stack,
        UsePreviousTemplate=True,
        Parameters=_parameters(prod, hotfix),
        Capabilities=["CAPABILITY_IAM"],
    )
    refused = operator.typed[-1].answer
    operator.finds(f"prod's hotfix is refused: {refused}", when=bool(refused))
    operator.does(f"aws cloudformation describe-stacks --stack-name {prod.stack}", lambda: _settled(prod))


def _go_on(operator: Operator, lost: str) -> None:
    operator.aws("cloudformation", "continue_update_rollback", StackName=operator.test.stack, ResourcesToSkip=[lost])
    operator.does(
        f"aws cloudformation wait stack-rollback-complete --stack-name {operator.test.stack}",
        lambda: _settled(operator.test),
    )


def _deploy_alias(operator: Operator, name: str) -> None:
    """What ``sam deploy`` sends for ``AutoPublishAlias: !Ref Stage``."""
    _deploy(
        operator,
        operator.test,
        lambda _current: expand_sam(with_auto_publish(), {"Stage": name}, region=operator.test.endpoint.region),
        line=f"sam deploy --parameter-overrides Stage={name}",
        parameters={"Stage": name},
    )


def _deploy(
    operator: Operator,
    place: Place,
    change: Change,
    *,
    line: str,
    parameters: Mapping[str, str] | None = None,
    ends: str = _STACK_COMPLETE,
) -> None:
    """Update an environment's stack, typed as *line*; raises DeployError if that ends in another way."""

    def work() -> None:
        aws = client(place.endpoint, "cloudformation")
        template = change(_template_of(place))
        aws.update_stack(
            StackName=place.stack,
            TemplateBody=json.dumps(template),
            Parameters=_parameters(place, parameters or {}),
            Capabilities=["CAPABILITY_IAM"],
        )
        if (status := _settled(place)) != ends:
            raise DeployError(
                f"the lab's stack {place.stack} ended in {status}, not in {ends}", hint="multistack lab reset"
            )

    operator.does(line, work)


def _settled(place: Place) -> str:
    """The status of an environment's stack, once nothing is in progress."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = client(place.endpoint, "cloudformation").describe_stacks(StackName=place.stack)["Stacks"][0]
        status = str(found["StackStatus"])
        if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            return status
        time.sleep(_LOOK)


def _template_of(place: Place) -> Template:
    """What an environment's stack was last made of."""
    body = client(place.endpoint, "cloudformation").get_template(StackName=place.stack)["TemplateBody"]
    return dict(parse(body) if isinstance(body, str) else body)


def _parameters(place: Place, changed: Mapping[str, str]) -> list[dict[str, Any]]:
    """Of an environment's stack, as they were but for those that change."""
    sample = read_template(sample_folder() / (TEMPLATE if place.alias is None else SINGLE_TEMPLATE))
    kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in sample["Parameters"] if name not in changed]
    return kept + [{"ParameterKey": name, "ParameterValue": value} for name, value in changed.items()]


EXPERIMENTS = (
    Experiment(
        id="X06",
        title="SAM deploys with AutoPublishAlias: test",
        meant="Deploy to test, by giving the stack's parameter Stage the value test.",
        setting="AutoPublishAlias, which names the one alias that SAM keeps",
        variants=in_both_worlds(
            single=_auto_publish,
            multi=_auto_publish_own,
            prod_sees=refused(),
            shared="The template has no alias prod any more, so CloudFormation deletes it.",
            separate="Prod's alias, if it has one, is in a stack that isn't deployed.",
        ),
        sources=(
            f"{_ISSUES}/298",
            f"{_ISSUES}/304",
            _GRADUAL,
        ),
        restores=True,
    ),
    Experiment(
        id="X19",
        title="a failed update leaves the stack in UPDATE_ROLLBACK_FAILED",
        meant="Deploy release 2 to test, whose alias somebody has deleted by hand.",
        setting="one stack for all environments",
        variants=in_both_worlds(
            single=_break_stack,
            multi=_break_own_stack,
            prod_sees=UNSEEN,
            shared="A stack in that state takes no update, and prod's hotfix is one.",
            separate="Prod's stack takes its hotfix while test's is stuck.",
        ),
        sources=(_STUCK,),
        basis=Basis.MODEL,
        needs=("stack-failures/a-rollback-that-fails-blocks-the-stack",),
        restores=True,
    ),
)
