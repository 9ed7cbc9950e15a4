"""Interception from decisions to a ticket: stages, recall from audits of both sides, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import Conflict, InvalidInput, NothingToDo
from labeling.insights import causes
from labeling.insights.causes import Wanted
from labeling.insights.interception import intercepted_items, interception, ticket_of
from labeling.insights.signals import import_signals
from labeling.insights.weeks import Window, window
from tests.figures import assert_whole
from tests.labeling.insights.production import DAY, NOON, decide, open_production, row
from tests.labeling.insights.test_causes import judged_day
from tests.labeling.insights.test_daily_qa import ACTIONS, ALL_TRAIN
from tests.labeling.insights.test_signals import appeal, report
from tests.labeling.shop import NOW, Shop

SPAN = window(DAY - timedelta(days=6), DAY, "UTC")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path, 60)
    made.shares = ALL_TRAIN
    yield made
    made.ledger.close()


def told(shop: Shop, span: Window = SPAN, **how: Any) -> dict[str, Any]:
    return interception(shop.ledger, shop.lake, span, ACTIONS, **how)


def test_from_decisions_to_recall_and_a_ticket(shop: Shop) -> None:
    """Sixty items, thirty of which violate; four of these were left up."""
    judged_day(shop, DAY, range(8), range(60))
    import_signals([report(10, at=(NOON - timedelta(hours=1)).isoformat())], shop.ledger, shop.lake)
    answer = told(shop)
    (one,) = answer["slices"]
    stages = {stage["stage"]: stage["items"] for stage in one["stages"]}
    assert (one["policy"], one["decided"], one["unsampled"]) == ("fraud", 60, 0)
    assert stages == {"model": 0, "agent": 0, "human": 29, "report": 1, "appeal": 0}
    figure = one["recall"]["items"]
    assert figure["licence"].startswith("population")
    assert figure["n"] == 50  # the day's budget
    assert 0 < figure["low"] < figure["value"] < figure["high"] < 1
    assert figure["value"] == pytest.approx(26 / 30, abs=0.1)
    assert [stratum["stratum"] for stratum in figure["strata"]] == ["approved by human", "removed"]
    assert one["recall"]["views"]["licence"].startswith("none")  # these items have no views
    assert_whole(answer, 2)

    def items(kind: str) -> list[str]:
        return intercepted_items(shop.ledger, shop.lake, SPAN, ACTIONS, "fraud", one["severity"], kind)

    missed = items("missed")
    assert len(missed) == one["missed"]["count"] > 0
    assert [len(items(kind)) for kind in ("audited", "removed", "left up", "restored")] == [50, 30 - 4 + 4, 30, 0]
    assert set(missed) <= set(items("audited")) & set(items("left up"))
    with pytest.raises(InvalidInput, match="kind: 'lost' is none of audited, missed"):
        items("lost")

    ticket = ticket_of(answer, "fraud", one["severity"], missed)
    assert ticket.origin == f"interception:fraud:S{one['severity']}:{DAY}"
    assert "recall in items is 0." in ticket.statement
    assert ticket.item_ids == tuple(missed)
    finding = causes.open_finding(shop.ledger, ticket, "ann", NOW)
    with pytest.raises(Conflict, match="is told by finding"):
        causes.open_finding(shop.ledger, ticket, "ann", NOW)
    wanted = Wanted("Lower the threshold", "model team", "recall", 0.5, date(2026, 3, 20), {})
    action = causes.agree_action(shop.ledger, finding.finding_id, wanted, ACTIONS, "ann", NOW)
    assert action.slice == {"policy": "fraud"}
    assert action.before["value"] == pytest.approx(figure["value"])
    causes.finish(shop.ledger, action.action_id, "ann", "", NOON + timedelta(hours=5))
    judged_day(shop, DAY + timedelta(days=1), range(0), range(60))
    proof = causes.verify(shop.ledger, action.action_id, ACTIONS, "ann", NOW)
    assert (proof["proof"], proof["after"]["value"]) == ("verified", 1.0)  # type: ignore[index]


def test_an_empty_stratum_is_named_with_the_n_that_would_help(shop: Shop) -> None:
    judged_day(shop, DAY, range(0), range(60))
    (one,) = told(shop)["slices"]
    figure = one["recall"]["items"]
    assert (figure["value"], figure["empty"]) == (1.0, ["approved by human"])
    assert figure["floor"] < 0.93
    more = told(shop, wanted=0.99)["slices"][0]["recall"]["items"]
    assert more["helps"]["stratum"] == "approved by human"
    assert f"{more['helps']['checks']} more clean checks of what was approved by human" in more["advice"]


def test_what_was_not_audited_carries_no_licence(shop: Shop) -> None:
    decide(shop, *(row(n) for n in range(20)))
    import_signals([appeal(1, outcome="overturned"), appeal(2, outcome="overturned")], shop.ledger, shop.lake)
    (one,) = told(shop)["slices"]
    assert (one["unsampled"], one["restored"], one["left_up"]) == (20, 1, 10)
    assert {stage["stage"]: stage["items"] for stage in one["stages"]}["appeal"] == 1
    figure = one["recall"]["items"]
    assert (figure["value"], figure["floor"], figure["verdict"]) == (None, None, "insufficient")
    assert figure["licence"].startswith("none: nothing of this slice was audited")


def test_one_side_alone_says_nothing(shop: Shop) -> None:
    judged_day(shop, DAY, range(0), range(0, 60, 2))
    decide(shop, row(1, source="model", who="model-1"))  # came in late: nobody could draw it
    figure = told(shop)["slices"][0]["recall"]["items"]
    assert (figure["value"], figure["unchecked"]) == (None, ["approved by model"])
    assert "nothing of approved by model was audited" in figure["licence"]


def test_what_is_refused(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="nothing was decided"):
        told(shop)
    with pytest.raises(InvalidInput, match="wanted: must lie in"):
        told(shop, wanted=1.0)
    decide(shop, row(0))
    with pytest.raises(NothingToDo, match="nothing was decided under fraud at S9"):
        ticket_of(told(shop), "fraud", 9)
