"""What a workshop needs of a machine, looked at the evening before: programs, texts, memory, and one trial."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from emulator.doctor.check import Check, Verdict
from emulator.errors import MultistackError
from emulator.lab.project import sample_folder
from emulator.workshop.folder import erase, make, texts_folder
from emulator.workshop.lab import Lab
from emulator.workspace import Workspace

_MEGABYTE = 1024 * 1024
# Five emulators at the most, where topologies are compared, and functions.
_MEMORY = 1024 * _MEGABYTE
_DISK = 500 * _MEGABYTE
# Seconds for three environments: beyond it a learner waits more than sixty for some step.
_SLOW = 30.0

Trial = Callable[[], float]


def programs(path: str) -> Iterator[Check]:
    """
    The programs that learners type.

    Args:
        path: The variable PATH, with the folder of multistack's own programs.
    """
    for name, what, verdict in (
        ("bash", "the texts are written for it", Verdict.PROBLEM),
        ("curl", "every lab asks environments with it", Verdict.PROBLEM),
        ("git", "lab 8 can't be started without it", Verdict.PROBLEM),
        ("aws", "labs 1 and 7 ask and edit by hand with it: `pip install awscli` where multistack is", Verdict.PROBLEM),
    ):
        found = shutil.which(name, path=path)
        yield Check(
            name=name,
            verdict=Verdict.OK if found else verdict,
            found=found or "not found",
            advice="" if found else f"{what}; install it while there is a network",
        )


def pytest_check(is_importable: bool) -> Check:
    """Whether smoke tests can run."""
    if is_importable:
        return Check(name="pytest", verdict=Verdict.OK, found="can be imported")
    advice = "smoke tests are run with it in labs 5, 6 and 8: `pip install pytest` where multistack is"
    return Check(name="pytest", verdict=Verdict.PROBLEM, found="not found", advice=advice)


def material() -> Check:
    """The sample and the texts."""
    folders = (sample_folder(), texts_folder())
    found = ", ".join(str(folder) for folder in folders)
    if all(folder.is_dir() for folder in folders):
        return Check(name="material", verdict=Verdict.OK, found=found)
    return Check(name="material", verdict=Verdict.PROBLEM, found=f"not in {found}", advice="install multistack anew")


def memory(available: int) -> Check:
    """Whether three environments and a lab's topologies fit."""
    found = f"{available // _MEGABYTE} MB available"
    if available >= _MEMORY:
        return Check(name="memory", verdict=Verdict.OK, found=found)
    return Check(name="memory", verdict=Verdict.WARNING, found=found, advice="close other programs before you begin")


def disk(free: int) -> Check:
    """Whether all labs fit."""
    found = f"{free // _MEGABYTE} MB free"
    if free >= _DISK:
        return Check(name="disk", verdict=Verdict.OK, found=found)
    return Check(name="disk", verdict=Verdict.WARNING, found=found, advice="500 MB is enough for all labs")


def trial(run: Trial) -> Check:
    """Lab 1's environments, really started."""
    try:
        seconds = run()
    except MultistackError as error:
        advice = f"{error.hint or ''} {' '.join(error.details[:3])}".strip()
        return Check(name="trial", verdict=Verdict.PROBLEM, found=error.message, advice=advice)
    found = f"three environments up in {seconds:.1f} s"
    if seconds <= _SLOW:
        return Check(name="trial", verdict=Verdict.OK, found=found)
    return Check(name="trial", verdict=Verdict.WARNING, found=found, advice="labs will take longer here than they say")


def run_trial(lab: Lab, *, open_workspace: Callable[[Path], Workspace]) -> float:
    """
    Start a lab's environments in a folder of their own, and remove everything again; the seconds they took.

    Raises:
        MultistackError: They did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="multistack-workshop-") as root:
        workspace = open_workspace(make(Path(root), lab))
        began = time.monotonic()
        try:
            with workspace.changing("workshop doctor"):
                results = workspace.lifecycle.up(workspace.project.environments, timeout=60.0)
            for result in results.values():
                if isinstance(result, MultistackError):
                    raise result
            return time.monotonic() - began
        finally:
            erase(workspace)


def examine(path: str, *, run: Trial | None) -> Iterator[Check]:
    """
    Everything, the trial last.

    Args:
        path: See :func:`programs`.
        run: None for no trial.
    """
    yield material()
    yield from programs(path)
    yield pytest_check(importlib.util.find_spec("pytest") is not None)
    yield memory(psutil.virtual_memory().available)
    yield disk(shutil.disk_usage(Path.cwd()).free)
    if run is not None:
        yield trial(run)
