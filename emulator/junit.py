"""JUnit: what a verification found as a file; files, whoever wrote them, as Markdown and as annotations of CI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

from emulator.errors import ConfigError
from emulator.model import Gate, GateResult

# The last line of a traceback as pytest prints it, e.g. ``tests/test_orders.py:12: AssertionError``.
_PLACE = re.compile(r"^(?P<file>[^\s:]+\.\w+):(?P<line>\d+): ", re.MULTILINE)
# Source: XML 1.0, 2.2.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Failed cases that are shown, and lines of each; GitHub takes 1 MiB of summary, and 10 annotations a step.
_FEW, _LINES = 20, 40
ANNOTATIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """
    A test case that failed.

    Attributes:
        file: Where, as the tool that wrote the file saw it; empty when it doesn't say.
        line: 0 when the file doesn't say.
    """

    name: str
    message: str
    text: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One suite of one file, counted."""

    name: str
    passed: int
    skipped: int
    failed: Sequence[Failed]


def xml_text(text: str) -> str:
    """Text without what no XML file can hold."""
    return _NO_XML.sub("\ufffd", text)


def write_verified(found: Mapping[str, Sequence[Gate]], said: Mapping[str, str], file: Path) -> None:
    """
    A suite for each environment, with a test case for each gate.

    Args:
        said: By environment, the last that its smoke tests or its replay said.

    Raises:
        OSError: The file can't be written.
    """
    report = JUnitXml()
    for name, gates in found.items():
        suite = TestSuite(f"multistack verify {name}")
        for gate in gates:
            case = TestCase(xml_text(gate.name), name)
            if gate.result is not GateResult.PASSED:
                failure = Failure(xml_text(gate.detail or gate.result.value), gate.result.value)
                failure.text = xml_text(said.get(name, ""))
                case.result = [failure]
            suite.add_testcase(case)
        report.add_testsuite(suite)
    report.write(str(file), pretty=True)


def read_suites(files: Sequence[Path]) -> list[Suite]:
    """
    What the suites of *files* found.

    Raises:
        ConfigError: A file is missing, or is no JUnit.
    """
    return [suite for file in files for suite in _read(file)]


def _read(file: Path) -> Iterator[Suite]:
    try:
        document = JUnitXml.fromfile(str(file))
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}", hint="did the command before write it?") from error
    except (SyntaxError, JUnitXmlError) as error:
        raise ConfigError(f"{file} is no JUnit: {error}", hint="pytest writes it with --junitxml FILE") from error
    for suite in [document] if isinstance(document, TestSuite) else document:
        cases = [case for case in suite if isinstance(case, TestCase)]
        failed = [one for case in cases for one in _failed(case)]
        skipped = sum(any(isinstance(result, Skipped) for result in case.result) for case in cases)
        bad = sum(any(isinstance(result, Failure | Error) for result in case.result) for case in cases)
        passed = len(cases) - skipped - bad
        yield Suite(name=suite.name or file.stem, passed=passed, skipped=skipped, failed=failed)


def _failed(case: TestCase) -> Iterator[Failed]:
    for result in case.result:
        if not isinstance(result, Failure | Error):
            continue
        text = (result.text or "").strip()
        places = list(_PLACE.finditer(text))
        yield Failed(
            name=f"{case.classname}: {case.name}" if case.classname else case.name or "?",
            message=(result.message or text).strip().partition("\n")[0] or "failed",
            text=text,
            file=places[-1]["file"] if places else "",
            line=int(places[-1]["line"]) if places else 0,
        )


def to_summary(suites: Sequence[Suite]) -> str:
    """Markdown: a row for each suite, and below it what failed and what that said."""
    rows = [
        f"| {'❌' if one.failed else '✅'} {_cell(one.name)} | {one.passed} | {len(one.failed)} | {one.skipped} |"
        for one in suites
    ]
    lines = ["| Suite | Passed | Failed | Skipped |", "|---|---|---|---|", *rows]
    failed = [one for suite in suites for one in suite.failed]
    for one in failed[:_FEW]:
        said = (one.text or one.message).splitlines()
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", one.text + one.message) or [""]))
        lines += ["", f"**{_cell(one.name)}**", "", fence, *said[-_LINES:], fence]
    if len(failed) > _FEW:
        lines += ["", f"{len(failed) - _FEW} more failed"]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_`\[\]\\])", r"\\\1", " ".join(text.split()))


def to_annotations(suites: Sequence[Suite], folder: str = "") -> list[str]:
    """
    Workflow commands of GitHub, one for each failed case, at its place where that is known.

    Args:
        folder: Of the project within the repository, to which places are relative.

    Source:
        GitHub, "Workflow commands": ``%`` and line ends are encoded, in properties ``:`` and ``,`` as well.
    """
    failed = [one for suite in suites for one in suite.failed]
    return [
        f"::error {_place(one, folder)}title={_property(one.name)}::{_data(one.message)}"
        for one in failed[:ANNOTATIONS]
    ]


def _place(one: Failed, folder: str) -> str:
    if not one.file:
        return ""
    path = one.file if Path(one.file).is_absolute() else str(Path(folder, one.file))
    return f"file={_property(path)},line={one.line},"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
