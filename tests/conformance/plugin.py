"""Options of the conformance suite and the record of its runs; loaded from the top, where pytest asks for both."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from emulator.capabilities import (
    RECORDED,
    Capabilities,
    Case,
    Outcome,
    Result,
    Run,
    read_capabilities,
    write_capabilities,
)
from tests.conformance.accounts import emulator_version
from tests.conformance.page import write_page


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this suite."""
    group = parser.getgroup("conformance")
    group.addoption("--drivers", default="embedded,ministack", help="Emulators to start, by name.")
    group.addoption("--endpoint", action="append", default=[], metavar="NAME=URL", help="One that runs already.")
    group.addoption("--record", action="store_true", help="Write the run down for `multistack capabilities`.")


def pytest_configure(config: pytest.Config) -> None:
    """Collect results where all of them arrive: in the one process that starts the workers."""
    if not config.getoption("--record"):
        return
    if config.getoption("keyword") or config.getoption("markexpr") or any("test_" in arg for arg in config.args):
        raise pytest.UsageError("--record writes down the whole suite: leave out -k, -m and names of tests")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(RECORDED), "conformance-recorder")


def property_of(driver: str, case: Case) -> tuple[str, str]:
    """What a test's report carries for the recorder."""
    return "case", json.dumps([driver, asdict(case)])


class _Recorder:
    """Gathers reports; in the end replaces the runs of the drivers that were run, and keeps the others'."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cases: dict[str, Case] = {}
        self._results: dict[str, dict[str, Result]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A failed set-up counts as much as a failed call."""
        carried = dict(report.user_properties).get("case")
        if carried is None or report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        driver, fields = json.loads(str(carried))
        case = Case(**fields)
        self._cases[case.id] = case
        results = self._results.setdefault(driver, {})
        # A case with several parameters is as good as its worst.
        if case.id not in results or results[case.id].outcome is not Outcome.FAILED:
            results[case.id] = _result(report)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Only cases that still exist stay; a run that was broken off knows too few of them."""
        if not self._cases or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        kept = read_capabilities(self._path).runs if self._path.exists() else []
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        runs = {run.driver: run for run in kept}
        for driver, results in self._results.items():
            runs[driver] = Run(driver=driver, emulator=emulator_version(driver), at=today, results=results)
        cases = sorted(self._cases.values(), key=lambda case: case.id)
        write_capabilities(Capabilities(cases=cases, runs=list(runs.values())), self._path)
        write_page()


def _result(report: pytest.TestReport) -> Result:
    if hasattr(report, "wasxfail"):
        return Result(outcome=Outcome.UNSUPPORTED, reason=report.wasxfail.removeprefix("reason: "))
    if report.skipped and isinstance(report.longrepr, tuple):
        return Result(outcome=Outcome.NOT_RUN, reason=str(report.longrepr[2]).removeprefix("Skipped: "))
    return Result(outcome=Outcome.PASSED if report.passed else Outcome.FAILED)
