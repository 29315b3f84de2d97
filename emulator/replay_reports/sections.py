"""A replay as sections of a report: for a terminal, or as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from emulator.differences import Difference, Kind, Part
from emulator.replay.results import RECORDED, Latencies, Replay, Replayed, Verdict
from emulator.reports import Section

# Requests and findings that are shown; --json has them all.
_REQUESTS = 50
_FINDINGS = 20


def replay_sections(found: Replay) -> list[Section]:
    """What ``multistack replay`` tells."""
    return [section for section in (_summary(found), _latencies(found), *_bad(found), *_notes(found)) if section]


def _summary(found: Replay) -> Section:
    return Section(title=title_of(found), note=verdict_of(found))


def title_of(found: Replay) -> str:
    """What was replayed where, e.g. ``orders against staging``."""
    return f"{found.corpus} against {found.environment}"


def verdict_of(found: Replay) -> str:
    """In one line how it ended."""
    counts = [f"{count} {verdict.value}" for verdict, count in found.counts.items() if count]
    took = f"{found.seconds:.1f} s, {found.rate:.0f}/s"
    return f"{', '.join(counts) or 'nothing to send'}; compared with {baseline_of(found)}; {took}"


def baseline_of(found: Replay) -> str:
    """What answers were held against."""
    return "what was recorded" if found.baseline == RECORDED else found.baseline


def latency_rows(found: Replay) -> list[list[str]]:
    """One row for each side that took time."""
    sides = [(found.environment, found.latencies), (baseline_of(found), found.baseline_latencies)]
    return [[name, *_milliseconds(one)] for name, one in sides if one is not None]


LATENCY_COLUMNS = ("", "median", "95 %", "99 %", "longest")


def _milliseconds(one: Latencies) -> list[str]:
    return [f"{seconds * 1000:.1f} ms" for seconds in (one.median, one.p95, one.p99, one.longest)]


def _latencies(found: Replay) -> Section | None:
    rows = latency_rows(found)
    return Section(title="Latency", columns=LATENCY_COLUMNS, rows=rows) if rows else None


FINDING_COLUMNS = ("line", "request", "times", "where", "expected", "answered")


def _bad(found: Replay) -> Iterator[Section]:
    groups = grouped(found.bad)
    if not groups:
        return
    rows = [row for one, count in groups[:_REQUESTS] for row in finding_rows(one, count)]
    left = sum(count for _, count in groups[_REQUESTS:])
    note = f"{left} more requests differ" if left else ""
    yield Section(title="Differences", columns=FINDING_COLUMNS, rows=rows, note=note)


def grouped(bad: Sequence[Replayed]) -> list[tuple[Replayed, int]]:
    """The first of those that differ in the same way, with how many they are."""
    first: dict[tuple[str, ...], Replayed] = {}
    counts: dict[tuple[str, ...], int] = {}
    for one in bad:
        key = (one.method, one.target, *one.lines())
        first.setdefault(key, one)
        counts[key] = counts.get(key, 0) + 1
    return [(first[key], count) for key, count in counts.items()]


def finding_rows(one: Replayed, count: int = 1) -> list[list[str]]:
    """
    A row for each difference of a request, or for why there is no answer.

    With another status, the body is that of an error: what differs in it says nothing more.
    """
    name = [str(one.line), f"{one.method} {one.target}", str(count)]
    if one.difference is None:
        return [[*name, one.verdict.value, "", one.reason]]
    findings = list(one.difference.findings)
    shown = [each for each in findings if each.place.part is Part.STATUS] or findings[:_FINDINGS]
    rows = [
        [
            *name,
            str(each.place),
            "" if each.kind is Kind.ADDED else _value(each.baseline),
            "gone" if each.kind is Kind.MISSING else _value(each.value),
        ]
        for each in shown
    ]
    left = len(findings) - len(shown)
    return [*rows, [*name, f"and {left} more", "", ""]] if left > 0 else rows


def _value(value: Any) -> str:
    """On one line, and without what a terminal would obey."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(text.split()))
    return shown or '""'


def _notes(found: Replay) -> Iterator[Section]:
    rows = note_rows(found)
    if rows:
        yield Section(title="Not compared, or as expected", columns=("what", "why", "requests"), rows=rows)
    if found.unused:
        yield Section(title="Declared as expected, and found in no answer", note="; ".join(found.unused))


def note_rows(found: Replay) -> list[list[str]]:
    """What was masked, expected, skipped or lost, and in how many requests."""
    counts: dict[tuple[str, str], int] = {}
    for one in found.requests:
        for what in dict.fromkeys(_noted(one)):
            counts[what] = counts.get(what, 0) + 1
    rows = [[what, why, str(count)] for (what, why), count in counts.items()]
    if found.lost:
        rows.append(["lost", "the recording could not write them down", str(found.lost)])
    return rows


def _noted(one: Replayed) -> Sequence[tuple[str, str]]:
    if one.verdict in {Verdict.SKIPPED, Verdict.NOT_COMPARED}:
        return [(one.verdict.value, one.reason)]
    return _explained(one.difference) if one.difference else ()


def _explained(difference: Difference) -> list[tuple[str, str]]:
    rows = [(str(mask.place), f"masked: {mask.why}") for mask in difference.masked]
    rows += [(str(each.finding.place), f"expected: {each.by.reason or 'declared'}") for each in difference.expected]
    return rows + [("warning", text) for text in difference.warnings]
