"""The table of what each framework can and can't do here."""

from __future__ import annotations

from tests.frameworks.page import PAGE, written


def test_the_table_of_frameworks_is_that_of_the_tests() -> None:
    """Nothing is promised that no test shows: ``python -m tests.frameworks`` writes it anew."""
    text = PAGE.read_text(encoding="utf-8")
    assert text == written(text)
