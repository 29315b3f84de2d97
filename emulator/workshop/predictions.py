"""What a learner's answers predicted when an experiment was run for the first time: before anybody saw what it does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from emulator.model import STATE_FOLDER
from emulator.process import write_atomically
from emulator.workshop import answers

FILE = "predictions.json"


def key_of(experiment: str) -> str:
    """What the prediction is called in the file of answers."""
    return f"{experiment.lower()}_predicted"


def read_predictions(folder: Path, experiments: Iterable[str]) -> Mapping[str, str]:
    """Experiment to what the answers in *folder* predict of it now; nothing where there are no answers."""
    if not (folder / answers.FILE).exists():
        return {}
    found = answers.Answers(folder)
    return {name: found.answer(key_of(name)) for name in experiments}


def noted(folder: Path) -> Mapping[str, str]:
    """Experiment to what was predicted before its first run; nothing of what nobody predicted, or was never run."""
    try:
        content = json.loads(_path(folder).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def note(folder: Path, experiment: str, predicted: Mapping[str, str]) -> None:
    """
    Keep what was *predicted* of an experiment that has just been run, unless it was run before.

    Args:
        predicted: As :func:`read_predictions` gave it before the run.
    """
    known = noted(folder)
    if experiment in predicted and experiment not in known:
        content = {**known, experiment: predicted[experiment]}
        write_atomically(_path(folder), json.dumps(content, indent=1).encode())


def _path(folder: Path) -> Path:
    return folder / STATE_FOLDER / FILE
