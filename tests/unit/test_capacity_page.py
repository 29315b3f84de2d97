"""The tables of docs/scale.md."""

from __future__ import annotations

from tests.scale.page import PAGE, SIZES, written


def test_the_tables_of_scale_are_those_of_the_figures() -> None:
    """No number on the page is anybody's guess: ``python -m tests.scale`` writes it anew."""
    text = PAGE.read_text(encoding="utf-8")
    assert text == written(text)


def test_every_step_has_what_breaks_first() -> None:
    """The page follows the numbers to the end, for each driver."""
    text = PAGE.read_text(encoding="utf-8")
    for driver in ("embedded", "localstack", "swarm", "kubernetes"):
        table = text.partition(f"<!-- table: {driver} -->")[2].partition("<!-- end of table -->")[0]
        assert all(f"\n| {size:,} |" in table for size in SIZES)
