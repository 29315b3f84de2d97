"""
The matrix in docs/lab.md, made from a run.

``python -m tests.lab_page RESULTS`` writes it, where RESULTS is the ``.multistack/lab/results.json`` of
``multistack lab run --all``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from emulator.lab.experiments import EXPERIMENTS
from emulator.lab.report.markdown import matrix_lines
from emulator.lab.report.matrix import rows_of, subtitle
from emulator.lab.results import Result, read_results

PAGE = Path(__file__).resolve().parent.parent / "docs" / "lab.md"
BLOCK = re.compile(r"(<!-- matrix: made by tests/lab_page\.py -->\n).*?(<!-- end of matrix -->)", re.DOTALL)


def matrix_of(results: Sequence[Result]) -> str:
    """What each driver showed."""
    parts = []
    for driver in sorted({one.driver for one in results}):
        rows = rows_of(EXPERIMENTS, results, driver=driver)
        told = subtitle(results, driver=driver)
        parts.append("\n".join([f"{told[0].upper()}{told[1:]}:", "", *matrix_lines(rows)]))
    return "\n\n".join(parts)


def main(path: str) -> None:
    """Put the matrix into the page."""
    made = matrix_of(read_results(Path(path)))
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda found: f"{found[1]}\n{made}\n\n{found[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
