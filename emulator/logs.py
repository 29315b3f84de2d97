"""The log lines of environments: what their functions print and what their emulators say, merged by time."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from emulator import stack
from emulator.drivers.registry import Drivers
from emulator.endpoint import client
from emulator.errors import ConfigError, MultistackError, NotReady
from emulator.model import Endpoint, Environment, Project, Status
from emulator.parallel import Cancellation, run_parallel

EMULATOR = "emulator"
POLL = 0.3  # seconds between two looks while following
# While nothing is logged looks become rarer, up to so many seconds apart: each costs every emulator some requests.
_LONGEST_POLL, _SLOWER = 2.0, 1.3
# How far back, in milliseconds, each look goes behind the newest event seen: events of calls that end at the same time
# are stored in any order.
_OVERLAP = 2000
# The most events that CloudWatch Logs, and MiniStack, put into one answer. Source: FilterLogEvents, ``limit``.
_PAGE = 10_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_STAMP = re.compile(
    r"\[?(?P<second>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)"
    r"(?:[.,](?P<fraction>\d{1,6}))?"
    r"(?: ?(?P<zone>Z|[+-]\d\d:?\d\d))?\]? "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """
    One thing that was logged; the names of the attributes are the keys of ``logs --json``.

    Attributes:
        at: In UTC.
        source: Logical id of the function, or ``emulator``.
        message: Without trailing newline; may have several lines.
    """

    at: datetime
    environment: str
    source: str
    message: str


def parse_duration(text: str) -> timedelta:
    """
    ``90s``, ``10m``, ``1h30m`` or ``2d`` as a duration.

    Raises:
        ConfigError: It is none of these.
    """
    if not _DURATION.fullmatch(text):
        raise ConfigError(f"--since: {text!r} is no duration", hint="use for example 30s, 10m, 1h30m or 2d")
    parts = re.findall(r"([\d.]+)([smhd])", text)
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError as error:
        raise ConfigError(f"--since: {text!r} is too long", hint="leave --since out to see everything") from error


def system_zone(file: Path = Path("/etc/localtime")) -> tzinfo:
    """The machine's time zone, in which emulators write: they are not told of the caller's ``TZ``."""
    try:
        with file.open("rb") as content:
            return ZoneInfo.from_file(content)
    except (OSError, ValueError):
        return UTC


class LogParser:
    """
    Turns an emulator's log lines into entries.

    Args:
        zone: That of times without one.
    """

    def __init__(self, environment: str, *, zone: tzinfo) -> None:
        self._environment = environment
        self._zone = zone
        self._last: datetime | None = None

    def feed(self, lines: Sequence[str], *, otherwise: datetime) -> list[LogEntry]:
        """
        The entries of further lines; a line without a time belongs to the entry before it.

        Args:
            otherwise: The time of lines that no line with a time precedes or follows.
        """
        found: list[tuple[datetime | None, list[str]]] = []
        for line in lines:
            at, message = self._split(line)
            if at is not None or not found:
                found.append((at or self._last, [message]))
            else:
                found[-1][1].append(message)
            self._last = at or self._last
        first = next((at for at, _ in found if at is not None), otherwise)
        return [
            LogEntry(at=at or first, environment=self._environment, source=EMULATOR, message=text)
            for at, messages in found
            if (text := "\n".join(messages).strip("\n"))
        ]

    def _split(self, line: str) -> tuple[datetime | None, str]:
        match = _STAMP.match(line)
        try:
            at = datetime.fromisoformat(match["second"] + (match["zone"] or "")) if match else None
        except ValueError:
            at = None
        if match is None or at is None:
            return None, line.rstrip()
        at = at.replace(microsecond=int((match["fraction"] or "0").ljust(6, "0")), tzinfo=at.tzinfo or self._zone)
        return at.astimezone(UTC), line[match.end() :].rstrip()


_EventKey = tuple[int, str | None, str | None, str]  # milliseconds, stream, id, message


class LogGroup:
    """
    One log group, read so that every event comes once, whenever and in whatever order it was stored.

    MiniStack gives the events of functions no ids, and a function may print the same line twice in a millisecond, so
    events are told apart by how often the same one was seen.

    Args:
        since: Milliseconds since the epoch; None for everything.
    """

    def __init__(self, name: str, *, since: int | None) -> None:
        self._name = name
        self._since = since
        self._newest: int | None = None
        self._seen: Counter[_EventKey] = Counter()

    def new_events(self, logs: Any) -> list[Mapping[str, Any]]:
        """
        Events stored since the last call, oldest first; nothing is forgotten when the call fails.

        Args:
            logs: A client of CloudWatch Logs; only ``filter_log_events`` is used.
        """
        start = self._since if self._newest is None else max(self._since or 0, self._newest - _OVERLAP)
        counted: Counter[_EventKey] = Counter()
        new = []
        for event in filter_events(logs, self._name, start):
            key = (event["timestamp"], event.get("logStreamName"), event.get("eventId"), event["message"])
            counted[key] += 1
            if counted[key] > self._seen[key]:
                new.append(event)
        # What disappeared with an emulator's restart may come back with its state, so old keys stay for the overlap.
        newest = max([self._newest or 0, *(event["timestamp"] for event in new)])
        self._newest = newest or None
        kept = self._seen | counted
        self._seen = Counter({key: count for key, count in kept.items() if key[0] >= newest - _OVERLAP})
        return new


def filter_events(logs: Any, group: str, start: int | None) -> Iterator[Mapping[str, Any]]:
    """
    All events of a group from *start* on, page by page.

    MiniStack 1.5.33 cuts its answer at the limit without a ``nextToken``; then the next page starts at the time of the
    last event, and as many events of that time are skipped as were already given.
    """
    arguments: dict[str, Any] = {"logGroupName": group, "limit": _PAGE}
    skip = 0
    while True:
        if start is not None:
            arguments["startTime"] = start
        answer = logs.filter_log_events(**arguments)
        events = answer["events"]
        yield from events[skip:]
        arguments.pop("nextToken", None)
        if token := answer.get("nextToken"):
            arguments["nextToken"], skip = token, 0
        elif len(events) < _PAGE:
            return
        elif (last := int(events[-1]["timestamp"])) == start:
            yield {"timestamp": last, "message": f"(more than {_PAGE} lines in a millisecond; the rest is left out)"}
            start, skip = last + 1, 0
        else:
            start = last
            skip = sum(event["timestamp"] == last for event in events)


class EnvironmentLog:
    """
    All that one environment logs; every call gives what came since the one before.

    Args:
        since: Entries before it are left out; None for everything.
    """

    def __init__(
        self, project: Project, environment: Environment, drivers: Drivers, *, since: datetime | None, zone: tzinfo
    ) -> None:
        self._environment = environment
        self._driver = drivers.of(environment)
        self._stack = project.stack_name(environment.name)
        self._own = self._driver.log_reader(environment)
        self._parser = LogParser(environment.name, zone=zone)
        self._since = since
        self._groups_since = since
        self._has_looked = False
        self._groups: dict[str, LogGroup] = {}
        self._group_names: dict[tuple[Endpoint, str], str] = {}

    def emulator_entries(self) -> list[LogEntry]:
        """What the emulator said since the last call, also when it does not run any more."""
        entries = self._parser.feed(self._own.new_lines(), otherwise=datetime.now(UTC))
        return [entry for entry in entries if self._since is None or entry.at >= self._since]

    def function_entries(self) -> list[LogEntry]:
        """
        What the functions of the stack printed since the last call; nothing when the environment is not ready.

        Raises:
            NotReady: The emulator ended or failed meanwhile.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        began = datetime.now(UTC)
        instance = self._driver.observe(self._environment)
        try:
            if instance.status is not Status.READY or instance.endpoint is None:
                return []
            return self._read_groups(instance.endpoint)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            raise NotReady(f"environment {self._environment.name}: its logs can't be read: {error}") from error
        finally:
            # A group that shows up later may hold what was stored long ago, by an emulator that was down till now.
            if not self._has_looked:
                self._has_looked, self._groups_since = True, max(filter(None, (self._groups_since, began)))

    def _read_groups(self, endpoint: Endpoint) -> list[LogEntry]:
        logs = client(endpoint, "logs")
        pages = logs.get_paginator("describe_log_groups").paginate()
        there = {group["logGroupName"] for page in pages for group in page["logGroups"]}
        since = int(self._groups_since.timestamp() * 1000) if self._groups_since else None
        entries = []
        for name, source in group_sources(self._functions(endpoint)).items():
            if name in there:
                group = self._groups.setdefault(name, LogGroup(name, since=since))
                entries += [self._entry(event, source) for event in group.new_events(logs)]
        return entries

    def _functions(self, endpoint: Endpoint) -> Mapping[str, str]:
        """Logical id of each function of the stack to the log group it writes to."""
        if stack.describe(endpoint, self._stack) is None:
            return {}
        found = client(endpoint, "cloudformation").describe_stack_resources(StackName=self._stack)["StackResources"]
        return {
            resource["LogicalResourceId"]: self._group_of(endpoint, resource["PhysicalResourceId"])
            for resource in found
            if resource["ResourceType"] == "AWS::Lambda::Function" and resource.get("PhysicalResourceId")
        }

    def _group_of(self, endpoint: Endpoint, function: str) -> str:
        if (endpoint, function) not in self._group_names:
            found = client(endpoint, "lambda").get_function_configuration(FunctionName=function)
            name = (found.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{function}"
            self._group_names[endpoint, function] = name
        return self._group_names[endpoint, function]

    def _entry(self, event: Mapping[str, Any], source: str) -> LogEntry:
        return LogEntry(
            at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
            environment=self._environment.name,
            source=source,
            message=event["message"].rstrip("\r\n"),
        )


def group_sources(groups: Mapping[str, str]) -> Mapping[str, str]:
    """Log group to what its entries are called: the only function that writes to it, else the group itself."""
    writers = Counter(groups.values())
    return {group: logical_id if writers[group] == 1 else group for logical_id, group in groups.items()}


def merge(entries: Sequence[LogEntry], *, tail: int | None = None) -> list[LogEntry]:
    """By time, entries of the same time in the order given; only the last *tail* of them."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    return ordered if tail is None else ordered[max(0, len(ordered) - tail) :]


def read_logs(
    logs: Mapping[str, EnvironmentLog], *, cancellation: Cancellation
) -> tuple[list[LogEntry], list[MultistackError]]:
    """What all environments logged since the last call, unsorted, and why the functions of some can't be read now."""
    entries = [entry for log in logs.values() for entry in log.emulator_entries()]
    results = run_parallel(list(logs), lambda name: logs[name].function_entries(), cancellation)
    entries += [entry for result in results.values() if not isinstance(result, MultistackError) for entry in result]
    return entries, [result for result in results.values() if isinstance(result, MultistackError)]


def follow(
    logs: Mapping[str, EnvironmentLog], *, cancellation: Cancellation, sleep: Callable[[float], None] = time.sleep
) -> Iterator[list[LogEntry]]:
    """New entries, batch by batch, for ever; an environment that is down comes back when it is up again."""
    pause = POLL
    while True:
        entries, _ = read_logs(logs, cancellation=cancellation)
        pause = POLL if entries else min(pause * _SLOWER, _LONGEST_POLL)
        yield merge(entries)
        sleep(pause)
