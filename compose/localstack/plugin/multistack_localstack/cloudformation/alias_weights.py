"""
``UpdateAlias`` with weights: LocalStack 4.14 leaves out an argument of its own check, and answers 500.

Source:
    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateAlias.html
"""

from __future__ import annotations

import contextvars
import functools
from typing import Any

from localstack.aws.api import RequestContext
from localstack.services.lambda_ import api_utils
from localstack.services.lambda_.provider import LambdaProvider
from localstack.services.lambda_.provider_utils import get_function_version

# The version that an update moves its alias to; the check of weights holds them against it.
_target: contextvars.ContextVar[Any] = contextvars.ContextVar("target")


def apply() -> None:
    """Let an update look its version up before weights are checked."""
    update, check = LambdaProvider.update_alias, LambdaProvider._create_routing_config_model

    @functools.wraps(update)
    def update_alias(  # noqa: PLR0917
        self: LambdaProvider,
        context: RequestContext,
        function_name: str,
        name: str,
        function_version: str | None = None,
        description: str | None = None,
        routing_config: Any = None,
        revision_id: str | None = None,
        **others: Any,
    ) -> Any:
        if routing_config and routing_config.get("AdditionalVersionWeights"):
            _target.set(_version(self, context, function_name, name, function_version))
        return update(
            self,
            context,
            function_name,
            name,
            function_version=function_version,
            description=description,
            routing_config=routing_config,
            revision_id=revision_id,
            **others,
        )

    def checked(self: LambdaProvider, weights: Any, version: Any = None) -> Any:
        return check(self, weights, _target.get() if version is None else version)

    LambdaProvider.update_alias = update_alias  # type: ignore[method-assign]
    LambdaProvider._create_routing_config_model = checked  # type: ignore[method-assign]


def _version(
    provider: LambdaProvider, context: RequestContext, function_name: str, alias: str, version: str | None
) -> Any:
    """The version that *alias* is moved to, or stays at."""
    account_id, region = api_utils.get_account_and_region(function_name, context)
    name = api_utils.get_function_name(function_name, context)
    function = provider._get_function(function_name=name, region=region, account_id=account_id)
    found = function.aliases.get(alias)
    qualifier = version or (found.function_version if found else "$LATEST")
    return get_function_version(function_name=name, qualifier=qualifier, region=region, account_id=account_id)
