"""
The pytest plugin: environments as fixtures. Nothing starts, and little is imported, before a test asks for one.

Every fixture hangs on ``_multistack``: a test that has it among its fixtures is one that uses environments.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator

import pytest

from emulator.errors import MultistackError
from emulator.pytest_plugin import options
from emulator.pytest_plugin.fixtures import (
    _multistack,
    api,
    aws,
    deployed_service,
    environment,
    environments,
    fresh_environment,
    logs,
)
from emulator.pytest_plugin.running import RUN, TestRun, uses_environments

__all__ = [
    "_multistack",
    "api",
    "aws",
    "deployed_service",
    "environment",
    "environments",
    "fresh_environment",
    "logs",
]

_MARK = "environments(*names, isolated=False): run the test in each of these environments, with its state put back"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Each option has its key in pytest's configuration file."""
    group = parser.getgroup("multistack", "environments of multistack")
    group.addoption(
        "--multistack-driver",
        choices=["auto", "embedded", "localstack", "external"],
        help="What runs the environments; default: what the project file says.",
    )
    group.addoption(
        "--multistack-environments",
        metavar="NAME,...",
        help="Run tests in these environments only, and those that name none in each of them.",
    )
    group.addoption(
        "--multistack-keep",
        action="store_true",
        default=None,
        help="Leave the environments running afterwards, for the next run.",
    )
    group.addoption(
        "--multistack-reuse",
        action="store_true",
        default=None,
        help="Take the project's own environments as they are, with their data and their release.",
    )
    parser.addini("multistack_file", "Project file, below the root folder.", default="")
    parser.addini("multistack_driver", "As --multistack-driver.", default="")
    parser.addini("multistack_environments", "As --multistack-environments.", type="args", default=[])
    parser.addini("multistack_keep", "As --multistack-keep.", type="bool", default=False)
    parser.addini("multistack_reuse", "As --multistack-reuse.", type="bool", default=False)
    parser.addini(
        "multistack_scope", f"How long what tests write stays: {', '.join(options.SCOPES)}.", default="session"
    )
    parser.addini("multistack_allow", "Further hosts that AWS calls may reach.", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Note what the tests were started with: they may change it."""
    config.addinivalue_line("markers", _MARK)
    config.stash[RUN] = TestRun(options.read(config, dict(os.environ)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of one environment that names several runs in each."""
    if {"_multistack", "environment"} <= set(metafunc.fixturenames):
        names = options.parameters(metafunc.definition, metafunc.config.stash[RUN].chosen)
        if names is not None:
            metafunc.parametrize("environment", names, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before its fixtures, so that what they write is part of the test."""
    if uses_environments(item):
        with _failing():
            item.config.stash[RUN].begin(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test that passed although it called AWS elsewhere has not passed."""
    result = yield
    item.config.stash[RUN].check_calls(item)
    return result


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """After its fixtures."""
    run = item.config.stash[RUN]
    try:
        result = yield
        run.check_calls(item)
        return result
    finally:
        with _failing():
            run.end(item, nextitem)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What failed shows what the environments saw of it."""
    report = yield
    if report.failed and call.when != "teardown":
        try:
            report.sections += item.config.stash[RUN].report(item)
        except MultistackError as error:
            report.sections.append(("multistack", _text(error)))
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Whoever is the last to use the environments stops them."""
    try:
        session.config.stash[RUN].close()
    except MultistackError as error:
        raise pytest.UsageError(_text(error)) from error


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what goes on running; workers of xdist have no terminal."""
    if kept := config.stash[RUN].kept:
        terminalreporter.write_line(f"multistack: kept {', '.join(kept)}; `multistack down` stops them")


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """What is wrong with the environments fails a test without a traceback: it is not the test's."""
    try:
        yield
    except MultistackError as error:
        raise pytest.fail.Exception(_text(error), pytrace=False) from None


def _text(error: MultistackError) -> str:
    """As the command line says it."""
    hint = [f"hint: {error.hint}"] if error.hint else []
    return "\n".join([f"multistack: {error.message}", *(f"  {line}" for line in error.details), *hint])
