"""What a project file can't declare as an expected difference."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from emulator.differences.json_paths import path_problem
from emulator.differences.timed_regex import regex_problem
from emulator.model import ExpectedDifference
from emulator.setting import show_value

# Source: RFC 9110, 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def expectation_problems(rule: ExpectedDifference, environments: Collection[str]) -> Iterator[str]:
    """Everything that is wrong with *rule* in a project that has *environments*."""
    if rule.between is not None:
        for name in rule.between:
            if name not in environments:
                yield f"between: environment {show_value(name)} is not there; there are {', '.join(environments)}"
        if len(set(rule.between)) == 1:
            yield f"between: {show_value(rule.between[0])} and itself"
    if rule.json_path is not None and rule.header is not None:
        yield "json_path and header: only one of them"
    if rule.json_path is None and rule.header is None and rule.regex is None:
        yield "one of json_path, header and regex is needed"
    if rule.json_path is not None and (problem := path_problem(rule.json_path)):
        yield f"json_path: {show_value(rule.json_path)} is no JSON path: {problem}"
    if rule.header is not None and not _TOKEN.fullmatch(rule.header):
        yield f"header: {show_value(rule.header)} is no name of a header"
    if rule.regex is not None and (problem := regex_problem(rule.regex)):
        yield f"regex: {show_value(rule.regex)} can't be used: {problem}"
