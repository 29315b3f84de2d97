"""The rules that the running proxy reads."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from emulator.model import ComparisonRules, ExpectedDifference, InspectorSettings, Rules
from emulator.rules import load_rules, publish_rules, watch_rules

RULES = Rules(
    comparison=ComparisonRules(
        ignore_order=("$.items",), expected=(ExpectedDifference(between=("test", "prod"), regex="a", reason="b"),)
    ),
    inspector=InspectorSettings(enabled=False, max_age=timedelta(minutes=5), redact=("pin",)),
)


def test_rules_come_back_as_they_were(tmp_path: Path) -> None:
    """What a project says reaches the proxy whole, into a folder that need not be there yet."""
    publish_rules(tmp_path / "proxy" / "rules.json", RULES)

    assert load_rules(tmp_path / "proxy" / "rules.json") == RULES


def test_what_another_version_says_beside_it_is_passed_over(tmp_path: Path) -> None:
    """A proxy goes on while multistack is updated under it."""
    file = tmp_path / "rules.json"
    publish_rules(file, RULES)
    content = json.loads(file.read_bytes())
    content["inspector"]["new"] = content["comparison"]["new"] = content["new"] = 1
    file.write_text(json.dumps(content))

    assert load_rules(file) == RULES


def test_without_a_file_there_are_the_defaults(tmp_path: Path) -> None:
    """A proxy may be older than the first rules."""
    assert watch_rules(tmp_path / "rules.json").current() == Rules()


def test_changed_rules_are_read_again(tmp_path: Path) -> None:
    """And those that did not change aren't."""
    file = tmp_path / "rules.json"
    rules = watch_rules(file)
    publish_rules(file, RULES)
    first = rules.current()
    assert rules.current() is first

    publish_rules(file, replace(RULES, comparison=ComparisonRules()))

    assert rules.current().comparison == ComparisonRules()
