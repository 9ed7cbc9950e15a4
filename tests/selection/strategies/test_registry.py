from __future__ import annotations

import importlib
import pkgutil

import pytest

import tests.selection.strategies
from selection.errors import BadPlan
from selection.strategies.registry import STRATEGIES, entry, find
from tests.contracts.chooser import ChooserContract


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_entry_leads_to_a_function_and_says_where_it_comes_from(name: str) -> None:
    assert callable(find(name))
    assert entry(name).source
    assert entry(name).cost.startswith("O(")


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(BadPlan, match="'magic' is unknown \\(known: threshold, "):
        find("magic")


def test_every_strategy_has_the_contract() -> None:
    for module in pkgutil.iter_modules(tests.selection.strategies.__path__):
        importlib.import_module(f"tests.selection.strategies.{module.name}")
    assert {case.name for case in ChooserContract.__subclasses__()} == set(STRATEGIES)
