"""Names of environments, in identifiers and in texts."""

from __future__ import annotations

import pytest

from emulator.explain.words import Words, without_word


@pytest.mark.parametrize(
    ("identifier", "split"),
    [
        ("ProdOrdersTable", ("prod", "OrdersTable")),
        ("OrdersTableProd", ("prod", "OrdersTable")),
        ("OrdersPRODTable", ("prod", "OrdersTable")),
        ("StagingAlias", ("staging", "Alias")),
        ("ProductionQueue", ("prod", "Queue")),
        ("PreProdQueue", ("preprod", "Queue")),
        ("TestStage", ("test", "Stage")),
        ("TestTable57697D3A", ("test", "Table")),
        ("Prod", ("prod", "")),
        ("OrdersTable", None),
        ("ProductTable", None),
        ("LatestVersion", None),
        ("TestimonialTable", None),
        ("LiveAlias", None),
    ],
)
def test_an_environment_is_a_word_of_an_identifier(identifier: str, split: tuple[str, str] | None) -> None:
    """Only a whole word counts, in any spelling; CDK's hash is none of the name."""
    assert Words.of().split(identifier) == split


def test_what_a_project_declares_is_an_environment() -> None:
    """An environment may be called anything, and then means itself."""
    words = Words.of(["live", "production"])
    assert [words.environment(name) for name in ("LIVE", "production", "prod", "blue", None)] == [
        "live",
        "production",
        "prod",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("orders-test", "orders-\0"),
        ("test/Test_test.x", "\0/Test_\0.x"),
        ("testing.example.com", None),
        ("latest", None),
        ("contest-1", None),
    ],
)
def test_texts_are_compared_without_the_word(text: str, pattern: str | None) -> None:
    """``orders-test`` and ``orders-prod`` are one pattern; ``latest`` has no environment in it."""
    assert without_word(text, "test") == pattern
