"""A replay as JUnit XML, which every CI system shows as tests."""

from __future__ import annotations

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from emulator.junit import xml_text
from emulator.replay.results import BAD, Replay, Replayed, Verdict
from emulator.replay_reports.sections import finding_rows, title_of


def to_junit(found: Replay) -> bytes:
    """The whole file; a test case for each request."""
    suite = TestSuite(xml_text(title_of(found)))
    suite.timestamp = found.at.isoformat()
    suite.add_property("baseline", found.baseline)
    suite.add_testcases([_case(found, one) for one in found.requests])
    document = JUnitXml("multistack replay")
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    return bytes(document.tostring())  # type: ignore[no-untyped-call]


def _case(found: Replay, one: Replayed) -> TestCase:
    case = TestCase(
        xml_text(f"{one.line}: {one.method} {one.target}"), classname=xml_text(found.corpus), time=one.seconds or 0.0
    )
    if one.verdict in BAD:
        rows = finding_rows(one)
        failure = Failure(xml_text(one.reason or f"{len(rows)} differences"), type_=one.verdict.value)
        failure.text = xml_text(
            "\n".join(f"{where}: {expected} -> {answered}" for *_, where, expected, answered in rows)
        )
        case.result = [failure]
    elif one.verdict is not Verdict.EQUAL:
        case.result = [Skipped(xml_text(one.reason))]
    return case
