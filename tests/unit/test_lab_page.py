"""The matrix in docs/lab.md is that of the experiments as they are now."""

from __future__ import annotations

import re

import pytest

from emulator.lab.experiment import UNHURT, Experiment
from emulator.lab.experiments import EXPERIMENTS
from emulator.lab.report.matrix import COLUMNS, Sign
from tests.lab_page import BLOCK, PAGE


def _rows() -> dict[str, list[str]]:
    block = BLOCK.search(PAGE.read_text(encoding="utf-8"))
    assert block is not None
    lines = [line for line in block[0].splitlines() if re.match(r"\| [XC]\d\d \|", line)]
    return {cells[1]: cells[2:-1] for cells in ([cell.strip() for cell in line.split("|")] for line in lines)}


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: str(one.id))
def test_the_page_shows_what_is_expected(experiment: Experiment) -> None:
    """Every experiment has its row, made from a run in which prod saw what the experiment says."""
    title, *cells = _rows()[experiment.id]
    signs = [Sign.WELL if experiment.variants[topology].expected is UNHURT else Sign.HURT for topology in COLUMNS]
    assert (title, [cell[0] for cell in cells]) == (experiment.title, [sign.value for sign in signs])


def test_the_page_shows_no_other_experiment() -> None:
    """One that was taken out is no longer claimed."""
    assert list(_rows()) == [one.id for one in EXPERIMENTS]
