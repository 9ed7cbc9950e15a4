"""The alarm reads QA, appeals and reports by project, and says where it knows too little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import InvalidInput
from labeling.insights.alarm import alarms
from labeling.insights.signal_items import Meant, signal_items
from labeling.insights.signals import import_signals
from labeling.signal_records import SignalKind
from tests.figures import assert_whole
from tests.labeling.insights.production import DAY, NOON, open_production
from tests.labeling.insights.test_causes import judged_day
from tests.labeling.insights.test_daily_qa import ACTIONS, ALL_TRAIN
from tests.labeling.insights.test_signals import appeal, report
from tests.labeling.shop import Shop

WEEK = timedelta(days=7)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path, 60)
    made.shares = ALL_TRAIN
    yield made
    made.ledger.close()


def test_it_rings_where_appeals_are_granted_and_qa_sees_nothing(shop: Shop) -> None:
    for day in (DAY - WEEK, DAY):
        judged_day(shop, day, range(3), range(60))
    old, new = (NOON - WEEK).isoformat(), NOON.isoformat()
    rows = [appeal(n, at=old, decision="", outcome="upheld") for n in range(0, 60, 2)]
    rows += [
        appeal(n, signal_id=f"b{n}", at=new, decision="", outcome="overturned" if n % 3 else "upheld")
        for n in range(0, 60, 2)
    ]
    rows += [report(n, at=new) for n in range(2)] + [report(0, signal_id="again", at=new)]
    rows += [appeal(0, signal_id="open", at=new, decision="")]
    import_signals(rows, shop.ledger, shop.lake)
    told: dict[str, Any] = alarms(shop.ledger, DAY, 1, "UTC", ACTIONS)
    assert told["alarms"] == ["", "forum"]
    every, forum = told["projects"]
    assert (every["project"], forum["state"]) == ("", "alarm")
    assert (forum["accuracy"]["moves"], forum["overturns"]["moves"]) == (False, True)
    assert forum["reports_per_1000"]["moves"] is None  # two items: too few
    assert (forum["seen"]["after"]["decided"], forum["seen"]["after"]["reports"], forum["pending_appeals"]) == (
        30,
        2,
        1,
    )
    assert_whole(told, 6)
    span = "since=2026-02-15T00:00:00Z&until=2026-03-01T00:00:00Z&project=forum"
    assert forum["accuracy"]["items"] == f"/v1/qa/items?{span}&verdict=judged"
    assert forum["overturns"]["items"] == f"/v1/signals/items?{span}&kind=appeal&outcome=decided"
    assert (forum["accuracy"]["n"], forum["overturns"]["n"], forum["reports_per_1000"]["n"]) == (100, 60, 2)
    meant = Meant(NOON - WEEK, NOON + WEEK, "forum", SignalKind.APPEAL, "overturned")
    assert len(signal_items(shop.ledger.signals, meant)) == 20
    with pytest.raises(InvalidInput, match="outcome: 'granted' is none of decided, pending"):
        signal_items(shop.ledger.signals, replace(meant, outcome="granted"))


def test_without_anything_it_is_insufficient(shop: Shop) -> None:
    told = alarms(shop.ledger, DAY, 4, "UTC", ACTIONS)
    assert told["alarms"] == []
    assert [one["state"] for one in told["projects"]] == ["insufficient"]  # type: ignore[attr-defined]
