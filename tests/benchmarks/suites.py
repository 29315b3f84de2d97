"""A user's pytest suite: how long until its first test begins, and what the plugin adds to each further one."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.benchmarks.figures import Figure, Result, Table, say, spread
from tests.benchmarks.sample import fresh_project
from tests.conftest import ProjectFolder

_RUNS, _TESTS, _IMPORTS = 3, 40, 10
# The monotonic clock is that of the machine: the same in every process.
_SUITE = f"""
import json, pathlib, time, pytest

began = {{}}

@pytest.fixture(autouse=True, scope="module")
def write():
    yield
    pathlib.Path("began.json").write_text(json.dumps(began))

@pytest.mark.parametrize("number", range({_TESTS}))
def test_api(api, number):
    began.setdefault("api", []).append(time.monotonic())

@pytest.mark.parametrize("number", range({_TESTS}))
def test_plain(number):
    began.setdefault("plain", []).append(time.monotonic())

@pytest.mark.environments("test", isolated=True)
@pytest.mark.parametrize("number", range({_TESTS}))
def test_isolated(api, number):
    began.setdefault("isolated", []).append(time.monotonic())
    assert api.post("/orders", json={{"item": "tea", "qty": 1, "price": 2.5}}).status == 201
    began.setdefault("done", []).append(time.monotonic())
"""
_IMPORT = "import time; began = time.perf_counter(); import emulator; print(time.perf_counter() - began)"


def run() -> Result:
    """Measure a suite on the sample service, and what importing its API costs."""
    first, api, plain, isolated = [], [], [], []
    with fresh_project() as folder:
        (folder.folder / "test_suite.py").write_text(_SUITE)
        for _ in range(_RUNS):
            started = time.monotonic()
            began = _run(folder)
            first.append(began["api"][0] - started)
            api += _gaps(began["api"])
            plain += _gaps(began["plain"])
            isolated += [after - before for before, after in zip(began["done"], began["isolated"][1:], strict=False)]
    imports = [_import() for _ in range(_IMPORTS)]
    bare = statistics.median(plain)
    further, isolation = statistics.median(api) - bare, statistics.median(isolated) - bare
    say(f"suites: first test after {statistics.median(first):.1f} s, {further * 1000:.0f} ms for each further one")
    return Result(
        title="Test suites",
        figures=[
            _figure("first test of a suite begins", 4.0, statistics.median(first), f"median of {_RUNS} runs of pytest"),
            _figure("plugin time of a further test", 0.05, further, "beside the same test without fixtures"),
            _figure(
                "state put back for a test", 0.2, isolation, "after a test that wrote, beside one without fixtures"
            ),
            _figure("`import emulator`", 0.15, statistics.median(imports), f"median of {_IMPORTS} processes"),
        ],
        tables=[
            Table(
                title="A suite of pytest",
                columns=["what", "median", "least", "greatest"],
                rows=[
                    ["pytest's start to the first test", *spread(first)],
                    ["from test to test, with `api`", *_milliseconds(api)],
                    ["from test to test, without fixtures", *_milliseconds(plain)],
                    ["from an isolated test that wrote to the next", *_milliseconds(isolated)],
                    ["`import emulator`", *_milliseconds(imports)],
                ],
                note="Each run builds, starts an environment and deploys; the first one has nothing built yet.",
            )
        ],
    )


def _figure(name: str, required: float, measured: float, how: str) -> Figure:
    def shown(seconds: float) -> str:
        return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"

    told = shown(round(measured, 1)) if measured >= 1 else shown(measured)
    return Figure(name=name, required=f"< {shown(required)}", measured=told, passed=measured < required, how=f"{how}.")


def _milliseconds(values: Sequence[float]) -> list[str]:
    return spread([value * 1000 for value in values], unit="ms", digits=0)


def _gaps(moments: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


def _run(folder: ProjectFolder) -> dict[str, list[float]]:
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "multistack", "-p", "no:cacheprovider", "test_suite.py"],
        cwd=folder.folder,
        env={**folder.command_environ(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=True,
    )
    found: dict[str, list[float]] = json.loads((folder.folder / "began.json").read_text())
    return found


def _import() -> float:
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, timeout=60, check=True)
    return float(done.stdout)
