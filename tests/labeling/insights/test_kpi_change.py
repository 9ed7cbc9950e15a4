"""Why accuracy changed, by parts that add up, and the series with its breaks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from labeling.errors import NothingToDo
from labeling.insights.kpi_change import kpi_change, kpi_series
from labeling.insights.weeks import two_windows
from labeling.policy_versions import ChangeKind, version_of
from tests.labeling.insights.production import DAY, NOON, open_production
from tests.labeling.insights.test_causes import judged_day
from tests.labeling.insights.test_daily_qa import ACTIONS, ALL_TRAIN
from tests.labeling.shop import Shop

WEEK = timedelta(days=7)
BEFORE, AFTER = two_windows(DAY, 1, "UTC")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path, 60)
    made.shares = ALL_TRAIN
    yield made
    made.ledger.close()


def test_parts_add_up_and_the_series_shows_the_break(shop: Shop) -> None:
    judged_day(shop, DAY - WEEK, range(4), range(60))
    judged_day(shop, DAY, range(16), range(60))
    told = kpi_change(shop.ledger, BEFORE, AFTER, ACTIONS)
    (one,) = told["projects"]  # type: ignore[misc]
    parts = dict(one["parts"])
    total = parts.pop("total")
    assert sum(parts.values()) == pytest.approx(total, abs=1e-12)
    rates = one["error_rate"]
    assert total == pytest.approx(rates["after"] - rates["first"], abs=1e-12)
    assert parts["within"] == pytest.approx(total)
    assert (parts["gold_relabel"], parts["policy_break"]) == (0, 0)
    change = one["under_gold_of_now"]
    assert change["low"] < change["change"] < change["high"]
    assert one["n"] == {"before": 50, "after": 50}
    assert one["policy_versions"] == ["fraud 1.0.0"]
    assert one["licence"].startswith("population")
    assert one["items"] == [f"/v1/qa/decisions?day={day}&project=forum" for day in (DAY - WEEK, DAY)]

    policy = shop.policies["fraud"]
    later = policy.model_copy(update={"version": "1.1.0", "definition": policy.definition + " Also by telephone."})
    history = [one for one in shop.ledger.policies.all() if one.policy_id == "fraud"]
    made = version_of(
        later, [ChangeKind.TIGHTEN], history, reason="more", actor="ann", at=NOON, rules=policy.rule_ids[:1]
    )
    shop.ledger.policies.publish(made, [], "1.0.0")
    series = kpi_series(shop.ledger, DAY, 2, "UTC", ACTIONS, "forum")
    weeks = series["weeks"]
    assert [week["accuracy"]["n"] for week in weeks] == [50, 50]  # type: ignore[attr-defined]
    (found,) = series["breaks"]  # type: ignore[misc]
    assert (found["kind"], found["policy"], found["week"]) == ("policy", "fraud", AFTER.first.isoformat())
    assert found["what"] == "1.0.0 -> 1.1.0 (minor)"


def test_without_judged_decisions_there_is_nothing_to_split(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="judged decisions in both periods"):
        kpi_change(shop.ledger, BEFORE, AFTER, ACTIONS, "forum")
    empty = kpi_series(shop.ledger, DAY, 2, "UTC", ACTIONS)
    assert [week["accuracy"]["verdict"] for week in empty["weeks"]] == ["insufficient"] * 2  # type: ignore[attr-defined]
