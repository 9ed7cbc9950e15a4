from __future__ import annotations

from pathlib import Path

import pytest

from selection.strategies import document
from selection.strategies.registry import STRATEGIES

PAGE = Path(__file__).parents[3] / "docs" / "selection.md"


def test_the_page_is_what_the_registry_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == document.page(), (
        "docs/selection.md is stale: python -m selection.strategies.document > docs/selection.md"
    )


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_says_what_it_chooses_in_one_row(name: str) -> None:
    cells = document.row(name).replace("\\|", "").strip("| ").split(" | ")
    assert cells[0] == f"`{name}`"
    assert len(cells[1]) > 20
    assert cells[2] == STRATEGIES[name].source.replace("|", "")
    assert "``" not in document.row(name)
