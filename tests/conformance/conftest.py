"""
The conformance suite: one case per rule of AWS that an environment must obey, run against every driver.

    pytest tests/conformance                                     embedded; what is filled, on plain MiniStack as well
    pytest tests/conformance --drivers embedded --record         write the run down for ``multistack capabilities``
    pytest tests/conformance --endpoint localstack=http://…      an emulator that somebody else runs

A case whose gap of MiniStack is filled must fail on MiniStack as it comes: when it no longer does, delete the filling.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from emulator.model import Endpoint
from tests.conformance.account import Account
from tests.conformance.accounts import ACCOUNT_ID, CONCURRENCY, REGION, STARTED, Wanted
from tests.conformance.cases import case_of, unsupported
from tests.conformance.plugin import property_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every case once per driver."""
    if "driver" in metafunc.fixturenames:
        given = _endpoints(metafunc.config)
        names = list(given) or str(metafunc.config.getoption("--drivers")).split(",")
        if unknown := [name for name in names if name not in given and name not in STARTED]:
            raise pytest.UsageError(f"--drivers knows {', '.join(STARTED)}, not {', '.join(unknown)}")
        metafunc.parametrize("driver", names, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect failures exactly where they are declared; what plain MiniStack can do only a record asks."""
    if not config.getoption("--record"):
        spare = {item for item in items if _is_spare(item)}
        config.hook.pytest_deselected(items=list(spare))
        items[:] = [item for item in items if item not in spare]
    for item in items:
        if item.get_closest_marker("case") is None or not isinstance(item, pytest.Function):
            continue
        found, driver = case_of(item), item.callspec.params["driver"]
        reason = unsupported(driver).get(found.id)
        if driver == "ministack" and found.gap:
            reason = f"filled by {found.gap}"
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
        item.user_properties.append(property_of(driver, found))


def _is_spare(item: pytest.Item) -> bool:
    """Whether it only shows that MiniStack needs no addition for its case."""
    if item.get_closest_marker("case") is None or not isinstance(item, pytest.Function):
        return False
    return item.callspec.params["driver"] == "ministack" and case_of(item).gap is None


def _endpoints(config: pytest.Config) -> dict[str, str]:
    named = [given.partition("=") for given in config.getoption("--endpoint")]
    if any(not url for _, _, url in named):
        raise pytest.UsageError("--endpoint takes NAME=URL, such as localstack=http://127.0.0.1:4566")
    return {name: url for name, _, url in named}


@pytest.fixture(scope="session")
def start(
    driver: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Wanted], Endpoint]]:
    """Start an account of the driver that enforces what is wanted, once per kind."""
    given = _endpoints(request.config)
    started: dict[Wanted, Endpoint] = {}
    with contextlib.ExitStack() as running:

        def start(wanted: Wanted) -> Endpoint:
            if driver in given:
                if wanted != Wanted():
                    pytest.skip("an emulator that runs already can't be told what to enforce")
                return Endpoint(environment=driver, url=given[driver], account_id=ACCOUNT_ID, region=REGION)
            if wanted not in started:
                folder = tmp_path_factory.mktemp(driver)
                started[wanted] = running.enter_context(STARTED[driver](folder, wanted))
            return started[wanted]

        yield start


@pytest.fixture
def account(start: Callable[[Wanted], Endpoint]) -> Account:
    """An account as most cases need it."""
    return Account(start(Wanted()))


@pytest.fixture
def enforcing_account(start: Callable[[Wanted], Endpoint]) -> Account:
    """An account that enforces IAM."""
    return Account(start(Wanted(iam=True)))


@pytest.fixture
def small_account(start: Callable[[Wanted], Endpoint]) -> Account:
    """An account in which only :data:`~tests.conformance.accounts.CONCURRENCY` calls can run at once."""
    return Account(start(Wanted(concurrency=CONCURRENCY)))
