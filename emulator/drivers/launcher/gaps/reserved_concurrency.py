"""
Gap: MiniStack 1.5.33 holds a reservation against ``$LATEST`` alone, and lets others use what was reserved.

On AWS a function's reservation covers all its versions together and is taken out of the account's pool: functions
without one share the rest, which may not fall below a minimum. AWS's minimum is 100 of 1,000; a smaller emulated pool
keeps the same tenth, and at least one.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html,
    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

# An account's pool on AWS, and the part of it that can't be reserved.
_AWS_POOL, _AWS_MINIMUM = 1000, 100


def apply() -> None:
    """Count calls by AWS's rules, and refuse reservations that leave too little."""
    from ministack.services import lambda_svc

    put = lambda_svc._put_function_concurrency

    @functools.wraps(put)
    def put_checked(name: str, data: Mapping[str, Any]) -> Any:
        wanted = int(data.get("ReservedConcurrentExecutions") or 0)
        if name not in lambda_svc._functions or _leaves_enough(name, wanted):
            return put(name, data)
        return lambda_svc.error_response_json("InvalidParameterValueException", _too_much(), 400)

    lambda_svc._put_function_concurrency = put_checked
    lambda_svc._reserved_concurrency = reserved_for
    lambda_svc._acquire_execution_slot = acquire


def minimum_of(pool: int) -> int:
    """How many calls of a pool can't be reserved."""
    return min(_AWS_MINIMUM, max(1, pool // (_AWS_POOL // _AWS_MINIMUM)))


def reserved_for(function: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    """The reservation of a function, also for the record of one of its versions; None without one."""
    from ministack.services import lambda_svc

    whole = lambda_svc._functions.get(config.get("FunctionName")) or function
    reserved = whole.get("concurrency")
    return None if reserved is None else int(reserved)


def acquire(function: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Take a place for one call; returns what releases it, or None and whose limit it is: function or account."""
    from ministack.services import lambda_svc

    reserved, key = reserved_for(function, config), str(lambda_svc._inflight_key(config))
    running: dict[str, int] = lambda_svc._inflight
    with lambda_svc._inflight_lock:
        if reserved is not None:
            if running.get(key, 0) >= reserved:
                return None, "function"
        elif not _has_unreserved_place(running):
            return None, "account"
        running[key] = running.get(key, 0) + 1
        lambda_svc._inflight_total += 1
    return key, None


def _has_unreserved_place(running: Mapping[str, int]) -> bool:
    """Whether one more call without a reservation may run beside those *running* by function."""
    from ministack.services import lambda_svc

    pool: int = lambda_svc._ACCOUNT_CONCURRENCY_CAP
    # Below the minimum nothing needs to be added up: the usual case, on the way of every request.
    if pool <= 0 or sum(running.values()) < minimum_of(pool):
        return True
    reservations = _reservations()
    here = lambda_svc._inflight_key({"FunctionName": ""})
    unreserved = sum(
        count for key, count in running.items() if key.startswith(here) and key.removeprefix(here) not in reservations
    )
    return unreserved < max(pool - sum(reservations.values()), minimum_of(pool))


def _reservations() -> dict[str, int]:
    """Function name to its reservation, of the account and region at hand."""
    from ministack.services import lambda_svc

    found = ((name, lambda_svc._functions[name].get("concurrency")) for name in list(lambda_svc._functions.keys()))
    return {name: int(reserved) for name, reserved in found if reserved is not None}


def _pool_to_reserve_from() -> int:
    """The project's limit; AWS's when it set none: MiniStack's own protects this machine, and is no quota."""
    from ministack.services import lambda_svc

    pool: int = lambda_svc._ACCOUNT_CONCURRENCY_CAP
    budget = lambda_svc._memory_budget_bytes() * lambda_svc._INFLIGHT_BUDGET / 1024**2
    protecting = max(16, min(_AWS_POOL, int(budget // lambda_svc._INFLIGHT_MIB)))
    return _AWS_POOL if pool <= 0 or pool == protecting else pool


def _leaves_enough(name: str, wanted: int) -> bool:
    others = sum(reserved for other, reserved in _reservations().items() if other != name)
    pool = _pool_to_reserve_from()
    return wanted == 0 or pool - others - wanted >= minimum_of(pool)


def _too_much() -> str:
    return (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
        f"below its minimum value of [{minimum_of(_pool_to_reserve_from())}]."
    )
