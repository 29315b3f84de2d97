"""Faults as somebody writes them, checked and made data of."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from emulator.errors import ConfigError
from emulator.faults.fault import Effects, Latency
from emulator.faults.words import read_bandwidth, read_rate, read_seconds, read_share, read_size
from emulator.spans import read_span

_LATENCIES = 'a time such as "300ms", a range such as "100ms..2s", or percentiles such as "p50=20ms,p99=2s"'
_ROUTE = re.compile(r"(?:([A-Za-z]+) +)?(/[\x21-\x7e\x80-\xff]*)")
_PERCENTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,3})?)=(.+)")

_T = TypeVar("_T")


def read_route(text: str) -> tuple[str | None, str]:
    """
    Method, None for any, and path of a route such as ``/orders/*`` or ``POST /orders``.

    Raises:
        ConfigError: It is none.
    """
    match = _ROUTE.fullmatch(text)
    if match is None or "?" in match[2]:
        raise _wrong("--route", '"/orders/*", "POST /orders" or "/**": a method or none, and a path', text)
    return match[1] and match[1].upper(), match[2]


def read_option(option: str, text: str | None, read: Callable[[str], _T]) -> _T | None:
    """
    The value of an option; None where it isn't given.

    Raises:
        ConfigError: *read* refuses it.
    """
    try:
        return None if text is None else read(text)
    except ValueError as error:
        raise _wrong(option, str(error), text or "") from error


def read_effects(
    *,
    latency: str | None = None,
    throttle: str | None = None,
    error: int | None = None,
    drop: bool = False,
    bandwidth: str | None = None,
    cut: str | None = None,
) -> Effects:
    """
    Effects from options of ``fault set``.

    Raises:
        ConfigError: There are none, one can't be read, or they can't be together.
    """
    effects = Effects(
        latency=read_option("--latency", latency, read_latency),
        throttle=read_option("--throttle", throttle, read_rate),
        error=error,
        drop=drop,
        bandwidth=read_option("--bandwidth", bandwidth, read_bandwidth),
        cut=read_option("--cut", cut, read_size),
    )
    if effects == Effects():
        raise ConfigError(
            "a fault without an effect", hint="add --latency, --error, --drop, --throttle, --bandwidth or --cut"
        )
    given = {"--error": error is not None, "--drop": drop}
    instead = [option for option, is_given in given.items() if is_given]
    later = {"--bandwidth": bandwidth, "--cut": cut}
    needless = instead[1:] + [option for option, value in later.items() if value is not None and instead]
    if needless:
        raise ConfigError(
            f"{needless[0]} has no effect beside {instead[0]}, which keeps requests from the environment",
            hint="set two faults, each with a --share",
        )
    return effects


def read_latency(text: str) -> Latency:
    """
    A distribution from ``300ms``, ``100ms..2s`` or ``p50=20ms,p99=2s``.

    Raises:
        ValueError: The message completes "must be …".
    """
    if text.startswith("p"):
        return Latency(_percentiles(text))
    shortest, dots, longest = text.partition("..")
    low, high = read_seconds(shortest), read_seconds(longest if dots else shortest)
    if low > high:
        raise ValueError(_LATENCIES)
    return Latency(((0.0, low), (1.0, high)))


def read_share_option(text: str | None) -> float:
    """
    The value of ``--share``; all requests where it isn't given.

    Raises:
        ConfigError: It is no share.
    """
    found = read_option("--share", text, read_share)
    return 1.0 if found is None else found


def read_lasting(text: str | None) -> timedelta | None:
    """
    The value of ``--for``; None where it isn't given.

    Raises:
        ConfigError: It is no span of time, or none that lasts.
    """
    lasts = read_option("--for", text, read_span)
    if lasts is not None and lasts <= timedelta():
        raise ConfigError(f"--for must be longer than nothing, not {text!r}")
    return lasts


def _percentiles(text: str) -> tuple[tuple[float, float], ...]:
    points = [(0.0, 0.0)]
    for part in text.split(","):
        match = _PERCENTILE.fullmatch(part.strip())
        if match is None:
            raise ValueError(_LATENCIES)
        point = (float(match[1]) / 100, read_seconds(match[2]))
        if point[0] <= points[-1][0] or point[1] < points[-1][1]:
            raise ValueError("percentiles that grow, such as p50=20ms,p99=2s")
        points.append(point)
    return (*points, (1.0, points[-1][1]))


def _wrong(option: str, allowed: str, text: str) -> ConfigError:
    return ConfigError(f"{option} must be {allowed}, not {text!r}")
