"""Which worker of MiniStack's pool a call gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ministack.core import lambda_runtime

from emulator.drivers.launcher.functions.calls import lease
from emulator.drivers.launcher.functions.worker import FunctionWorker

CONFIG = {"FunctionName": "leased", "FunctionArn": "arn:aws:lambda:eu-west-1:111111111111:function:leased"}


@pytest.fixture
def pool() -> Iterator[list[Any]]:
    """The workers of one function, none yet."""
    key = lambda_runtime._worker_key("leased", CONFIG, "$LATEST")
    yield lambda_runtime._workers.setdefault(key, [])
    del lambda_runtime._workers[key]


def worker_with(code: bytes) -> FunctionWorker:
    """One that has not been called yet."""
    return FunctionWorker("leased", CONFIG, code, language=None)  # type: ignore[arg-type]


def test_a_worker_with_the_code_of_the_call_is_used_again(pool: list[Any]) -> None:
    """It is warm."""
    warm = worker_with(b"new")
    pool.append(warm)
    assert lease(CONFIG, bytes(bytearray(b"new"))) is warm


def test_a_worker_with_other_code_is_let_go(pool: list[Any]) -> None:
    """A call that began before an update put it there after the update; it must not serve those that come."""
    stale = worker_with(b"old")
    pool.append(stale)
    got = lease(CONFIG, b"new")
    assert (got.code_zip, got.in_use, pool) == (b"new", True, [got])
    assert stale._is_discarded
