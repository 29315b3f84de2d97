"""``python -m tests.benchmarks [NAME]...``: measure, print, and after a complete run write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence

import pytest

from tests.benchmarks import (
    calls,
    capacity,
    classroom,
    cold,
    commands,
    containers,
    dashboard,
    durability,
    fan_out,
    inspecting,
    lab,
    many_functions,
    memory,
    promotion,
    proxying,
    replaying,
    scale,
    spaces,
    startup,
    suites,
    swarm,
    watching,
)
from tests.benchmarks.figures import Figure, Result, say
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.report import as_markdown, as_text
from tests.conftest import REPOSITORY

BENCHMARKS = {
    "startup": startup.run,
    "calls": calls.run,
    "cold": cold.run,
    "state": durability.run,
    "proxy": proxying.run,
    "replay": replaying.run,
    "fan-out": fan_out.run,
    "inspector": inspecting.run,
    "dashboard": dashboard.run,
    "memory": memory.run,
    "commands": commands.run,
    "scale": scale.run,
    "spaces": spaces.run,
    "capacity": capacity.run,
    "suites": suites.run,
    "promotion": promotion.run,
    "lab": lab.run,
    "functions": many_functions.run,
    "watch": watching.run,
    "containers": containers.run,
    "swarm": swarm.run,
    "class": classroom.run,
}
PAGE = REPOSITORY / "docs" / "benchmarks.md"


def main() -> int:
    """Run what is named, by default everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    names = parser.parse_args().names
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return 0 if _run(names) else 1
    except KeyboardInterrupt:
        say("stopped; nothing was written")
        return 130


def _run(names: Sequence[str]) -> bool:
    """Whether everything could be measured."""
    started = time.monotonic()
    machine = describe_machine()
    say(", ".join(f"{name}: {value}" for name, value in machine.items()))
    results = [measured(name, run) for name, run in BENCHMARKS.items() if name in names or not names]
    seconds = time.monotonic() - started
    print(as_text(results))
    if names:
        say(f"{seconds:.0f} s; {PAGE.name} is written by a run of all benchmarks only")
    else:
        PAGE.write_text(as_markdown(results, machine, seconds=seconds))
        say(f"{seconds:.0f} s; wrote {PAGE.relative_to(REPOSITORY)}")
    return not any(result.is_cut for result in results)


def measured(name: str, run: Callable[[], Result]) -> Result:
    """What *run* measured; where it broke, that it did: half an hour of measuring isn't given up for one part."""
    try:
        return run()
    except (Exception, pytest.fail.Exception) as error:  # of any kind, of a test's helpers too
        traceback.print_exc()
        reason = str(error).partition("\n")[0]
        figure = Figure(name=f"`{name}`", required="to be measured", measured=reason, passed=None, how="It broke.")
        return Result(title=f"Not measured: {name}", figures=[figure], tables=[], is_cut=True)


if __name__ == "__main__":
    sys.exit(main())
