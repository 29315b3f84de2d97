"""What options, pytest's configuration file and markers say about environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# How long what tests write stays: a narrower scope begins with the state that the deployment left.
SCOPES = ("session", "module", "class", "function")
MARKER = "environments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """
    What was chosen for a run; an option goes before the configuration file.

    Attributes:
        names: Only these environments; empty for no restriction.
        allowed: Hosts that AWS calls may reach beside the environments.
        cwd: Where pytest was started.
        environ: The variables that it was started with.
    """

    file: Path | None
    driver: str | None
    names: tuple[str, ...]
    is_kept: bool
    is_reused: bool
    scope: str
    allowed: tuple[str, ...]
    cwd: Path
    environ: Mapping[str, str]


def read(config: pytest.Config, environ: Mapping[str, str]) -> Chosen:
    """
    What *config* says.

    Raises:
        UsageError: The scope is none.
    """
    given = config.getoption("multistack_environments")
    names = given.split(",") if given else config.getini("multistack_environments")
    scope = str(config.getini("multistack_scope"))
    if scope not in SCOPES:
        raise pytest.UsageError(f"multistack_scope = {scope}: use one of {', '.join(SCOPES)}")
    file = config.getini("multistack_file")
    return Chosen(
        file=config.rootpath / file if file else None,
        driver=_either(config, "driver") or None,
        names=tuple(name.strip() for name in names if name.strip()),
        is_kept=bool(_either(config, "keep")),
        is_reused=bool(_either(config, "reuse")),
        scope=scope,
        allowed=tuple(config.getini("multistack_allow")),
        cwd=config.invocation_params.dir,
        environ=environ,
    )


def _either(config: pytest.Config, name: str) -> Any:
    given = config.getoption(f"multistack_{name}")
    return config.getini(f"multistack_{name}") if given is None else given


def marked(node: pytest.Item) -> tuple[str, ...]:
    """
    The environments that the nearest marker names; empty without one.

    A marker that says anything else fails the test.
    """
    mark = node.get_closest_marker(MARKER)
    if mark is None:
        return ()
    if unknown := [*(one for one in mark.args if not isinstance(one, str)), *(mark.kwargs.keys() - {"isolated"})]:
        takes = f"@pytest.mark.{MARKER} takes names of environments and isolated=True"
        pytest.fail(f"{takes}, not {unknown[0]!r}", pytrace=False)
    return tuple(mark.args)


def is_isolated(node: pytest.Item) -> bool:
    """Whether the nearest marker that says so wants the state put back for the test."""
    marks = node.iter_markers(MARKER)
    return bool(next((mark.kwargs["isolated"] for mark in marks if "isolated" in mark.kwargs), False))


def parameters(node: pytest.Item, chosen: Chosen) -> Sequence[Any] | None:
    """The environments that a test of one environment runs in, a parameter each; None for the project's first."""
    names = marked(node)
    if not names:
        return chosen.names or None
    kept = [name for name in names if name in chosen.names or not chosen.names]
    if kept:
        return kept
    reason = f"it runs in {', '.join(names)} only, and --multistack-environments is {','.join(chosen.names)}"
    return [pytest.param(names[0], marks=pytest.mark.skip(reason=reason))]


def key_of(node: pytest.Item, chosen: Chosen) -> str | None:
    """What of the tests has the state to itself: the test, its class or its module; None if it shares it with all."""
    if is_isolated(node) or chosen.scope == "function":
        return node.nodeid
    kinds = {"class": (pytest.Class, pytest.Module), "module": (pytest.Module,)}.get(chosen.scope, ())
    parent = next(filter(None, (node.getparent(kind) for kind in kinds)), None)
    return parent.nodeid if parent else None
