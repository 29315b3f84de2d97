"""
What experiments showed on each driver, recorded for `multistack lab show`, and the matrices in docs/lab.md.

``python -m tests.lab_page DRIVER...`` runs all experiments on each of these drivers in a folder that goes afterwards,
records them in ``emulator/lab/seen.json``, and writes the page; without a driver it only writes the page. The
``results.json`` of a lab in which all were run does in place of a driver. A run in which something differs from what
was expected is not recorded.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from emulator.errors import MultistackError
from emulator.lab.experiments import EXPERIMENTS
from emulator.lab.report.markdown import matrix_lines
from emulator.lab.report.matrix import rows_of, subtitle
from emulator.lab.results import RESULTS_FILE, Result, read_results
from emulator.lab.seen import Recorded, read_seen, record, write_seen
from tests.conftest import ProjectFolder

PAGE = Path(__file__).resolve().parent.parent / "docs" / "lab.md"
_BLOCK = re.compile(r"(<!-- matrix: made by tests/lab_page\.py -->\n).*?(<!-- end of matrix -->)", re.DOTALL)
# Seconds for all experiments. They take one minute, on containers four.
_PATIENCE = 1200


def page_of(text: str, runs: Sequence[Recorded]) -> str:
    """The page *text* with the matrices of *runs*."""
    made = "\n\n".join(_matrix_of(run) for run in runs)
    return _BLOCK.sub(lambda found: f"{found[1]}\n{made}\n\n{found[2]}", text)


def _matrix_of(run: Recorded) -> str:
    rows = rows_of(EXPERIMENTS, run.results, driver=run.driver)
    told = subtitle(run.results, driver=run.driver)
    return "\n".join([f"### {run.driver}", "", f"{told[0].upper()}{told[1:]}:", "", *matrix_lines(rows)])


def run_all(driver: str) -> list[Result]:
    """
    The results of all experiments on *driver*.

    Raises:
        MultistackError: They could not be run.
    """
    with tempfile.TemporaryDirectory() as root:
        folder = ProjectFolder(Path(root) / "work", Path(root) / "home", {"MULTISTACK_DRIVER": driver})
        folder.folder.mkdir()
        (Path(root) / "home").mkdir()
        try:
            done = folder.run("lab", "run", "--all", "--wait", "300", check=False, timeout=_PATIENCE)
            results = read_results(folder.folder / ".multistack/lab" / RESULTS_FILE)
        finally:
            folder.run("lab", "down")
    if done.returncode not in (0, 7):
        raise MultistackError(f"not recorded: {done.stderr}")
    return results


def main(names: Sequence[str]) -> None:
    """Run, record, and put the matrices into the page."""
    for name in names:
        results = read_results(Path(name)) if name.endswith(RESULTS_FILE) else run_all(name)
        write_seen(record(results, read_seen()))
    PAGE.write_text(page_of(PAGE.read_text(encoding="utf-8"), read_seen()), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MultistackError as error:
        sys.exit(error.message)
