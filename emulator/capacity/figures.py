"""What one environment costs on each driver, as it was measured and shipped with this version."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from emulator.errors import ConfigError
from emulator.recorded import read_recorded

RECORDED = Path(__file__).with_name("figures.json")
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds: the least and the most that was seen."""

    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where figures come from: how they were taken, the day, the machine, the service that was deployed."""

    how: str
    at: str
    machine: str
    service: str
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """
    What one environment costs; None where nobody measured it. Bytes, and seconds of processor time.

    Attributes:
        memory_started: Of an empty emulator.
        memory_deployed: With the service in it; no function has run for a request.
        memory_loaded: With functions running, after requests to all routes.
        memory_peak: The most that an emulator was while it was deployed into.
        memory_command: Of the process that starts everything; once, not per environment.
        memory_proxy: Of the proxy; once.
        start: Of the emulator, until it is healthy.
        deploy: Of the emulator, until the service answers.
        command_once: Of the command that starts everything, for whatever number of environments.
        command: Of that command, for each environment. One process does this for all, on one core.
        wait: Seconds without processor time until an environment runs, e.g. of a cluster's scheduler.
        cores_at_rest: Seconds per second, while nobody asks anything.
        request: Of one request to the service, in the emulator and its functions.
        disk: State of an environment, freshly deployed.
        disk_space: What a space has beside its environments: the artifact, the ledger.
        image: What each machine pulls; 0 when it needs no image.
    """

    driver: str
    sources: tuple[Source, ...]
    memory_started: float | None = None
    memory_deployed: float | None = None
    memory_loaded: float | None = None
    memory_peak: float | None = None
    memory_command: float | None = None
    memory_proxy: float | None = None
    start: Span | None = None
    deploy: Span | None = None
    command_once: float | None = None
    command: float | None = None
    wait: Span | None = None
    cores_at_rest: float | None = None
    request: float | None = None
    disk: float | None = None
    disk_space: float | None = None
    image: float | None = None
    processes: float | None = None
    threads: float | None = None

    @property
    def unknown(self) -> tuple[str, ...]:
        """What nobody measured."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is None)


def read_figures(path: Path = RECORDED) -> Mapping[str, Figures]:
    """
    Driver to what one of its environments costs.

    Raises:
        MultistackError: The file is missing, broken, or of a newer format: the installation is damaged.
    """
    return read_recorded(path, _by_driver, version=FORMAT, what="the measured figures")


def _by_driver(data: Mapping[str, Any]) -> Mapping[str, Figures]:
    return {driver: _figures(driver, data["drivers"]) for driver in data["drivers"]}


def _figures(driver: str, drivers: Mapping[str, Any]) -> Figures:
    row = drivers[driver]
    values: dict[str, Any] = {
        key: Span(*value) if isinstance(value, list) else value for key, value in row["figures"].items()
    }
    sources = [Source(**{**source, "figures": tuple(source["figures"])}) for source in row["sources"]]
    if "like" not in row:
        return Figures(driver=driver, sources=tuple(sources), **values)
    other = _figures(row["like"], drivers)
    taken = {key: value for key, value in _values(other).items() if key not in (*row["unknown"], *values)}
    sources += [replace(one, figures=named) for one in other.sources if (named := _among(one.figures, taken))]
    return Figures(driver=driver, sources=tuple(sources), **{**taken, **values})


def _among(names: Sequence[str], taken: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in names if name in taken)


def _values(figures: Figures) -> dict[str, Any]:
    left_out = ("driver", "sources")
    return {field.name: getattr(figures, field.name) for field in fields(figures) if field.name not in left_out}


def figures_of(driver: str) -> Figures:
    """
    What an environment of *driver* costs.

    Raises:
        ConfigError: Nobody measured anything of it.
    """
    known = read_figures()
    if driver not in known:
        raise ConfigError(f"nothing was measured of driver {driver}", hint=f"there are figures of {', '.join(known)}")
    return known[driver]


def record(figures: Figures, path: Path = RECORDED) -> None:
    """Put what was measured in the place of what the file says of that driver; a changed figure is one changed line."""
    data = json.loads(path.read_bytes())
    values = {key: value for key, value in _values(figures).items() if value is not None}
    data["drivers"][figures.driver] = {
        "sources": [asdict(source) for source in figures.sources],
        "figures": {
            key: [value.least, value.most] if isinstance(value, Span) else value for key, value in values.items()
        },
    }
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def said_of(sources: Sequence[Source]) -> list[str]:
    """A line per source, for people."""
    return [", ".join(text for text in (one.how, one.at, one.machine, one.service) if text) for one in sources]
