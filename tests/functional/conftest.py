"""Fixtures of several modules."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from emulator.process import read_record
from tests.functional.raw_proxy import IMPATIENT, TIMEOUT, Proxy, Upstream, start_proxy, wait_until


@pytest.fixture(scope="module")
def running_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """One for all tests of a module: whatever one of them does, the next finds it well."""
    with _proxy(tmp_path_factory, TIMEOUT) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def impatient_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """One that gives an environment up soon, for tests that wait for that."""
    with _proxy(tmp_path_factory, IMPATIENT) as proxy:
        yield proxy


@contextlib.contextmanager
def _proxy(tmp_path_factory: pytest.TempPathFactory, timeout: float) -> Iterator[Proxy]:
    with start_proxy(tmp_path_factory.mktemp("proxy"), timeout=timeout) as proxy:
        wait_until(lambda: read_record(proxy.log.parent) is not None)
        yield proxy
        log = proxy.log.read_text()
    assert "Traceback" not in log


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Answers with what arrived until a test says otherwise."""
    with contextlib.closing(Upstream()) as upstream:
        yield upstream


@pytest.fixture
def proxy(running_proxy: Proxy, upstream: Upstream) -> Proxy:
    """The module's proxy, leading to this test's upstream as environment test."""
    running_proxy.publish(upstream.url)
    return running_proxy
