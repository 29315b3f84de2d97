"""
Gap: MiniStack 1.5.33 stores the weights of an alias, and sends every call to its first version.

On AWS an alias with a weight sends that share of its calls to its second version, whoever calls it; the version is
chosen for each call, and the function sees the alias in its own ARN. Here the choice is made where a qualifier becomes
a version, which API Gateway, function URLs, event source mappings and every other service ask.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html
"""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

# A function's or a version's record in MiniStack: ``config``, ``code_zip`` and more.
Record = Mapping[str, Any]

# The ARN of the weighted alias that the Invoke request under way names.
_called_as: ContextVar[str | None] = ContextVar("multistack_called_as", default=None)


def apply() -> None:
    """Let every way to a function choose the version of an alias by its weights."""
    _choose_where_qualifiers_resolve()
    _choose_for_invoke()
    _describe_the_first_version()


def weights_of(alias: Mapping[str, Any]) -> Mapping[str, float]:
    """Second version to its share of calls; empty for an alias of one version."""
    return (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


def choose(alias: Mapping[str, Any]) -> str:
    """The version that one call of *alias* runs."""
    for version, weight in weights_of(alias).items():
        if random.random() < weight:  # noqa: S311 - shares of traffic, not secrets
            return version
    return str(alias.get("FunctionVersion", "$LATEST"))


def called_as(record: Record, arn: str) -> dict[str, Any]:
    """A copy of *record* that runs under another ARN than its own."""
    return {**record, "config": {**record["config"], "FunctionArn": arn}}


def _choose_where_qualifiers_resolve() -> None:
    from ministack.services import lambda_svc

    resolve = lambda_svc._effective_func_record_for_qualifier

    @functools.wraps(resolve)
    def resolve_weighted(function: Record | None, qualifier: str | None) -> tuple[Record | None, Record | None]:
        alias = function["aliases"].get(qualifier) if function and qualifier else None
        record, config = resolve(function, choose(alias) if alias else qualifier)
        if alias is None or record is None:
            return record, config
        called = called_as(record, alias["AliasArn"])
        return called, called["config"]

    lambda_svc._effective_func_record_for_qualifier = resolve_weighted


def _choose_for_invoke() -> None:
    """Invoke looks its alias up by itself: give it the chosen version, and the function the alias's ARN."""
    from ministack.services import lambda_svc

    invoke = lambda_svc._invoke
    execute = lambda_svc._execute_function_with_config_scope

    @functools.wraps(invoke)
    async def invoke_weighted(
        name: str,
        event: Any,
        headers: Mapping[str, str],
        path_qualifier: str | None = None,
        query_params: Mapping[str, Any] | None = None,
    ) -> Any:
        qualifier = lambda_svc._qualifier_from_path_or_query(path_qualifier, query_params)
        alias = _alias(name, qualifier)
        if alias is None or not weights_of(alias):
            return await invoke(name, event, headers, path_qualifier, query_params)
        token = _called_as.set(alias["AliasArn"])
        try:
            return await invoke(name, event, headers, choose(alias), query_params)
        finally:
            _called_as.reset(token)

    @functools.wraps(execute)
    def execute_as_called(record: Record, event: Any) -> Any:
        return execute(as_called(record), event)

    lambda_svc._invoke = invoke_weighted
    lambda_svc._execute_function_with_config_scope = execute_as_called


def _alias(name: str, qualifier: str | None) -> Mapping[str, Any] | None:
    from ministack.services import lambda_svc

    function = lambda_svc._functions.get(name) if qualifier else None
    found: Mapping[str, Any] | None = function["aliases"].get(qualifier) if function else None
    return found


def as_called(record: Record) -> Record:
    """
    *record* under the ARN of the weighted alias that the Invoke request under way names.

    Once for each request: what the function itself causes is not called by that alias.
    """
    arn = _called_as.get()
    if arn is None:
        return record
    _called_as.set(None)
    return called_as(record, arn)


def _describe_the_first_version() -> None:
    """GetFunction of a weighted alias answers with its first version, never with a random one."""
    from ministack.services import lambda_svc

    for name in ("_get_function", "_get_function_config"):
        setattr(lambda_svc, name, _first_version(getattr(lambda_svc, name)))


def _first_version(describe: Any) -> Any:
    @functools.wraps(describe)
    def describe_first(name: str, qualifier: str | None = None) -> Any:
        alias = _alias(name, qualifier)
        weighted = alias is not None and weights_of(alias)
        return describe(name, alias["FunctionVersion"] if alias and weighted else qualifier)

    return describe_first
