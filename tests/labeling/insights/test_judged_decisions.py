"""Production's judged decisions as the miner's records: what was right, what was decided, by whom and where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.insights.daily_qa import open_day
from labeling.insights.judged_decisions import judged_decisions
from labeling.insights.patterns import patterns
from labeling.records import TaskKind, TaskState
from tests.labeling.insights.production import DAY, decide, open_production, row, terms
from tests.labeling.insights.test_daily_qa import ACTIONS, ALL_TRAIN, WRONG
from tests.labeling.shop import NO, Shop, yes


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path)
    made.shares = ALL_TRAIN
    yield made
    made.ledger.close()


def test_each_kind_of_error_is_a_record_and_what_waits_is_none(shop: Shop) -> None:
    decide(shop, *(row(n, tool="queue-1", team="red", **WRONG.get(f"d{n}", {})) for n in range(20)))
    open_day(shop.ledger, shop.lake, DAY, terms(shop))
    assert judged_decisions(shop.ledger, shop.ledger.items, ACTIONS) == []
    shop.deliver()
    for task in shop.ledger.tasks.where(states=(TaskState.SENT,), kind=TaskKind.BLIND):
        shop.answer(task, *((yes() if "cheat" in task.text else NO),) * 2, people=("ann", "bob"))
    shop.settle()
    told = {record["item"]: record for record in judged_decisions(shop.ledger, shop.ledger.items, ACTIONS)}
    assert len(told) == 20
    same = {name for name, record in told.items() if record["gold"] == record["given"] and not record["error"]}
    assert set(told) - same == {"ext-0", "ext-1", "ext-2", "ext-4"}
    under, over, selection, technical = (told[f"ext-{n}"] for n in (0, 1, 2, 4))
    assert ("violates" in under["gold"], "allowed" in under["given"]) == (True, True)
    assert ("allowed" in over["gold"], "violates" in over["given"]) == (True, True)
    assert (selection["gold"] != selection["given"], "other_rule" in selection["given"]) == (True, True)
    assert technical["error"] == "technical"
    assert {(one["tool"], one["team"], one["source"], one["person"]) for one in told.values()} == {
        ("queue-1", "red", "human", "mod-1")
    }
    found = patterns(shop.ledger, shop.lake, decisions=list(told.values()))
    assert (found.decisions, found.errors) == (20 + 40, 4)  # beside the forty blind answers, all right
