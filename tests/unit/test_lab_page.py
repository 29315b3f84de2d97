"""What was seen of experiments is recorded for every driver, and docs/lab.md shows the record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.capabilities import read_capabilities
from emulator.errors import MultistackError
from emulator.lab.experiment import Experiment
from emulator.lab.experiments import EXPERIMENTS
from emulator.lab.results import Outcome
from emulator.lab.running import why_not_on
from emulator.lab.seen import RECORDED, Recorded, read_seen, record, write_seen
from emulator.lab.topologies import Topology
from tests.lab_page import PAGE, page_of
from tests.unit.lab_results import make_result

_AGAIN = "run `python -m tests.lab_page`; if an experiment changed, with the names of the drivers: `make lab`"
RUNS = {run.driver: run for run in read_seen()}
RESULT = make_result()
FIRST = record([RESULT, replace(RESULT, topology="multi", seen="unhurt", told="nothing")], [])


def test_the_page_shows_the_record() -> None:
    """docs/lab.md has the matrix of each driver as it was recorded."""
    text = PAGE.read_text(encoding="utf-8")
    assert text == page_of(text, read_seen()), _AGAIN


def test_the_page_says_of_whom_the_matrices_are() -> None:
    """A heading and a score for each driver."""
    text = PAGE.read_text(encoding="utf-8")
    assert [f"### {name}\n" in text for name in ("embedded", "localstack")] == [True, True]


@pytest.mark.parametrize("driver", ["embedded", "localstack"])
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: str(one.id))
def test_every_experiment_is_recorded(experiment: Experiment, driver: str) -> None:
    """In every topology prod saw what the experiment says, or the record says why the driver can't do it."""
    found = {one.topology: one for one in RUNS[driver].results if one.experiment == experiment.id}
    assert set(found) == {one.value for one in Topology}, _AGAIN
    reason = why_not_on(experiment, driver)
    for topology, variant in experiment.variants.items():
        result = found[topology.value]
        assert (result.seen, result.reason) == (("", reason) if reason else (variant.expected.effect.value, "")), _AGAIN


def test_no_other_experiment_is_recorded() -> None:
    """One that was taken out is no longer claimed."""
    names = {one.experiment for run in RUNS.values() for one in run.results}
    assert names == {one.id for one in EXPERIMENTS}, _AGAIN


def test_the_embedded_driver_can_do_all() -> None:
    """The driver that everybody has shows every experiment."""
    assert set(RUNS["embedded"].since) == {one.id for one in EXPERIMENTS}


def test_the_emulators_are_those_of_the_capabilities() -> None:
    """A new version of an emulator is tried with experiments as well."""
    known = {run.driver: run.emulator.lower() for run in read_capabilities().runs}
    assert [known[driver].startswith(run.emulator) for driver, run in RUNS.items()] == [True, True]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """And written again it is the same file, so a run that shows nothing new changes only its day."""
    write_seen(read_seen(), tmp_path / "seen.json")
    assert (tmp_path / "seen.json").read_text() == RECORDED.read_text()


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2, "runs": {}}', '{"format": 1, "runs": {"embedded": {}}}'])
def test_a_damaged_record_is_an_error(tmp_path: Path, content: str) -> None:
    """Nobody but an installation writes it."""
    (tmp_path / "seen.json").write_text(content)
    with pytest.raises(MultistackError, match="can't be read"):
        read_seen(tmp_path / "seen.json")


def test_a_run_that_differs_is_not_recorded() -> None:
    """What is shipped as seen was seen as the rules of AWS have it."""
    differs = replace(RESULT, experiment="X09", outcome=Outcome.DIFFERS, reason="expected 500, saw 502")
    with pytest.raises(MultistackError, match="not recorded: X09 ended otherwise than expected"):
        record([RESULT, differs], [])


def test_the_day_stays_while_the_same_is_seen() -> None:
    """It says since when, not when last; another effect in one topology begins anew."""
    again = [replace(one, at="2026-12-01T00:00:00+00:00", told="other words") for one in FIRST[0].results]
    (run,) = record(again, FIRST)
    assert (run.at, run.since) == ("2026-12-01", {"X03": "2026-11-26"})
    (run,) = record([again[0], replace(again[1], seen="fails")], FIRST)
    assert run.since == {"X03": "2026-12-01"}


def test_a_run_takes_the_place_of_one_of_the_same_driver() -> None:
    """And of no other."""
    there = replace(RESULT, driver="localstack", emulator="localstack 4.14.0")
    assert [one.driver for one in record([there], FIRST)] == ["embedded", "localstack"]
    assert len(record([RESULT], FIRST)[0].results) == 1


def test_a_driver_is_told_with_its_emulator() -> None:
    """Since when it was seen, or why it can't be."""
    missing = replace(RESULT, experiment="X16", outcome=Outcome.NOT_ON_DRIVER, seen="", told="", reason="no such rule")
    (run,) = record([RESULT, missing], [])
    assert run.told("X03") == "embedded (ministack 1.5.33) since 2026-11-26"
    assert run.told("X16") == "not on embedded (ministack 1.5.33): no such rule"
    assert run.told("X17") == ""
    (there,) = record([replace(RESULT, driver="localstack", emulator="localstack 4.14.0")], [])
    assert there.told("X03") == "localstack 4.14.0 since 2026-11-26"


def test_the_record_is_small() -> None:
    """It is part of every installation, and a change of it is read."""
    assert len(RECORDED.read_bytes()) < 40_000
    assert json.loads(RECORDED.read_text())["format"] == 1
    assert all(isinstance(run, Recorded) for run in RUNS.values())
