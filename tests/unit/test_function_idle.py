"""Who is idle, and who may be forked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from ministack.core import lambda_runtime

from emulator.drivers.launcher.functions.idle import take_idle
from emulator.drivers.launcher.functions.nursery import is_forkable


@dataclass(frozen=True)
class Worker:
    """What the pool knows of one."""

    last_used: float
    in_use: bool = False


def test_the_last_worker_of_a_function_goes_too() -> None:
    """Only what is busy or was used lately stays."""
    old, busy, fresh = Worker(10), Worker(10, in_use=True), Worker(30)
    pools = {"a": [old, busy], "b": [old], "c": [fresh, old]}
    assert take_idle(pools, before=20) == [old, old, old]
    assert pools == {"a": [busy], "c": [fresh]}


def test_ministack_still_keeps_the_first_worker() -> None:
    """When this fails, MiniStack reaps it by itself: delete idle.py."""
    worker = lambda_runtime.Worker("f", {}, b"")
    worker.last_used = 0
    lambda_runtime._workers["test"] = [worker]
    try:
        assert lambda_runtime.reap_idle_workers(1) == 0
    finally:
        del lambda_runtime._workers["test"]


@pytest.mark.parametrize(
    ("variables", "names", "forkable"),
    [
        pytest.param({"TABLE": "x"}, ["app.py", "orders"], True, id="ordinary"),
        pytest.param({"PYTHONHASHSEED": "1"}, ["app.py"], False, id="read by an interpreter's start"),
        pytest.param({"LD_PRELOAD": "x.so"}, ["app.py"], False, id="read by the loader"),
        pytest.param({}, ["boto3"], False, id="brings a package that is loaded"),
        pytest.param({}, ["json.py"], False, id="brings a module that is loaded"),
        pytest.param({}, ["six.cpython-311-x86_64-linux-gnu.so"], False, id="brings an extension that is loaded"),
    ],
)
def test_only_who_would_not_notice_is_forked(
    tmp_path: Path, variables: dict[str, str], names: list[str], forkable: bool
) -> None:
    """A function that brings its own of anything the zygote has loaded is started."""
    for name in names:
        (tmp_path / name).touch()
    assert is_forkable(variables, [tmp_path, tmp_path / "absent"], frozenset({"boto3", "json", "six"})) is forkable
