from __future__ import annotations

import pytest

from selection.errors import BadPlan
from selection.select import select
from selection.strategies.needs import CHECKS, check_needs
from selection.strategies.registry import STRATEGIES, find
from selection.types import Lane, Quota
from tests.selection.made import made_candidates, made_plan, made_pool, shuffled

NEEDY = [name for name, entry in STRATEGIES.items() if set(entry.needs) & set(CHECKS)]
CURES = {"labels": "label a first round with typiclust", "committee": "score with an ensemble of two or more"}


@pytest.mark.parametrize("name", NEEDY)
def test_a_lane_refuses_a_strategy_that_lacks_something_and_says_the_cure(name: str) -> None:
    plan = made_plan((Lane("uncertain", 1.0, name),), budget=10)
    with pytest.raises(BadPlan, match=f"strategy: '{name}' .*{CURES[STRATEGIES[name].needs[0]]}"):
        select(made_pool(), plan)


@pytest.mark.parametrize("name", NEEDY)
def test_so_does_the_strategy_itself(name: str) -> None:
    with pytest.raises(BadPlan, match=CURES[STRATEGIES[name].needs[0]]):
        find(name)(made_candidates(30), 3, 0)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in NEEDY])
def test_a_lane_runs_the_others_within_quotas_in_any_order_of_the_pool(name: str) -> None:
    quotas = (Quota("language", "pt", at_least=10), Quota("policy", "spam", at_most=5))
    plan = made_plan((Lane("random", 0.2), Lane("uncertain", 0.8, name)), budget=50, quotas=quotas)
    pool = made_pool()
    selection = select(pool, plan)
    assert select(shuffled(pool, 5), plan) == selection
    mine = [pick for pick in selection.picks if pick.lane == "uncertain"]
    assert len(mine) == len({pick.group for pick in mine}) == 40
    assert sum(pick.policy == "spam" for pick in mine) <= 5
    tags = dict(zip(pool.ids, pool.languages, strict=True))
    assert sum(tags[pick.item_id] == "pt" for pick in mine) >= 10


def test_what_is_there_is_no_hindrance() -> None:
    check_needs("cal", tuple(CHECKS), made_candidates(30, committee=2, labelled=1))
    with pytest.raises(BadPlan, match="committee"):
        check_needs("bald", ("committee",), made_candidates(30, committee=1))
