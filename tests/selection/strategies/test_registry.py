from __future__ import annotations

import importlib
import pkgutil

import faiss
import pytest
from threadpoolctl import threadpool_limits

import tests.selection.strategies
from selection.errors import BadPlan
from selection.strategies.registry import STRATEGIES, entry, find
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_entry_leads_to_a_function_and_says_where_it_comes_from(name: str) -> None:
    assert callable(find(name))
    assert entry(name).source
    assert entry(name).cost.startswith("O(")


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_number_of_threads_means_nothing(name: str) -> None:
    candidates = made_candidates(2500, d=64, committee=3, labelled=300)
    found = []
    for threads in (1, 2):
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(threads)
        with threadpool_limits(threads):
            found.append(find(name)(candidates, 60, 1))
        faiss.omp_set_num_threads(before)
    assert found[0].rows.tolist() == found[1].rows.tolist()
    assert found[0].policies.tolist() == found[1].policies.tolist()


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(BadPlan, match="'magic' is unknown \\(known: auto, threshold, "):
        find("magic")


def test_every_strategy_has_the_contract() -> None:
    for module in pkgutil.iter_modules(tests.selection.strategies.__path__):
        importlib.import_module(f"tests.selection.strategies.{module.name}")
    assert {case.name for case in ChooserContract.__subclasses__()} == set(STRATEGIES)
