"""Why accuracy changed, by parts that add up, and the series with its breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import NothingToDo
from labeling.insights.kpi_change import RELABELLED, kpi_change, kpi_items, kpi_series
from labeling.insights.weeks import two_windows
from labeling.policy_versions import ChangeKind, version_of
from tests.figures import assert_whole
from tests.labeling.insights.production import DAY, NOON, open_production
from tests.labeling.insights.test_causes import judged_day
from tests.labeling.insights.test_daily_qa import ACTIONS, ALL_TRAIN
from tests.labeling.shop import Shop, yes

WEEK = timedelta(days=7)
BEFORE, AFTER = two_windows(DAY, 1, "UTC")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path, 60)
    made.shares = ALL_TRAIN
    yield made
    made.ledger.close()


def change(shop: Shop) -> dict[str, Any]:
    """The only project's."""
    told: dict[str, Any] = kpi_change(shop.ledger, BEFORE, AFTER, ACTIONS)
    (one,) = told["projects"]
    return dict(one)


def series(shop: Shop, at: date) -> dict[str, Any]:
    """Of enough weeks to hold the days that were judged and another day, by the real clock."""
    weeks = abs((at - DAY).days) // 7 + 3
    told: dict[str, Any] = kpi_series(shop.ledger, max(at, DAY), weeks, "UTC", ACTIONS, "forum")
    return told


def test_parts_add_up_and_the_series_shows_the_break(shop: Shop) -> None:
    judged_day(shop, DAY - WEEK, range(4), range(60))
    judged_day(shop, DAY, range(16), range(60))
    one = change(shop)
    parts = dict(one["parts"])
    total = parts.pop("total")
    assert sum(parts.values()) == pytest.approx(total, abs=1e-12)
    rates = one["error_rate"]
    assert total == pytest.approx(rates["after"]["value"] - rates["first"]["value"], abs=1e-12)
    assert parts["within"] == pytest.approx(total)
    assert (parts["gold_relabel"], parts["policy_break"]) == (0, 0)
    moved = one["under_gold_of_now"]
    assert moved["low"] < moved["value"] < moved["high"]
    assert [rates[name]["n"] for name in ("first", "before", "after")] == [50, 50, 50]
    assert_whole(one, 7)
    assert (moved["n"], moved["policy_version"], moved["licence"][:10]) == (100, "fraud 1.0.0", "population")
    assert moved["items"] == (
        "/v1/kpi/items?old=2026-02-15/2026-02-21&new=2026-02-22/2026-02-28&project=forum&what=judged"
    )
    assert len(kpi_items(shop.ledger, BEFORE, AFTER, ACTIONS, "forum")) == len(
        {one.item_id for one in shop.ledger.decisions.sample([str(DAY - WEEK), str(DAY)])}
    )

    policy = shop.policies["fraud"]
    later = policy.model_copy(update={"version": "1.1.0", "definition": policy.definition + " Also by telephone."})
    history = [one for one in shop.ledger.policies.all() if one.policy_id == "fraud"]
    made = version_of(
        later, [ChangeKind.TIGHTEN], history, reason="more", actor="ann", at=NOON, rules=policy.rule_ids[:1]
    )
    shop.ledger.policies.publish([made])
    at = next(one.at for one in shop.ledger.policies.all() if one.version == "1.1.0").date()
    told = series(shop, at)
    assert [week["accuracy"]["n"] for week in told["weeks"] if week["accuracy"]["n"]] == [50, 50]
    assert_whole(told, 2)
    (found,) = (one for one in told["breaks"] if one["kind"] == "policy")
    assert found["policy"] == "fraud"
    assert found["week"] == next(week["from"] for week in told["weeks"] if week["from"] <= str(at) <= week["to"])
    assert found["what"] == "1.0.0 -> 1.1.0 (minor)"


def test_a_relabel_of_gold_is_a_part_of_its_own(shop: Shop) -> None:
    for day in (DAY - WEEK, DAY):
        judged_day(shop, day, range(0), range(60))
    held = {one.pair for one in shop.ledger.decisions.sample([(DAY - WEEK).isoformat()])}
    row = next(one for one in shop.ledger.golden.items() if (one.item_id, one.policy_id) in held and not one.rule)
    old = next(one for one in shop.ledger.golden.adjudications() if one.adjudication_id == row.adjudication_id)
    new = replace(old, adjudication_id="again", answer=yes(), created_at=old.created_at + timedelta(days=1))
    shop.ledger.golden.fold(
        new, replace(row, adjudication_id="again", outcome=new.answer.outcome, rule=new.answer.rule, severity=3)
    )
    one = change(shop)
    assert one["error_rate"]["first"]["value"] == 0
    assert one["parts"]["gold_relabel"] == pytest.approx(one["error_rate"]["before"]["value"])
    assert one["parts"]["gold_relabel"] > 0
    assert one["relabelled"]["count"] == 1
    assert kpi_items(shop.ledger, BEFORE, AFTER, ACTIONS, "forum", RELABELLED) == [row.item_id]
    breaks = series(shop, shop.ledger.golden.events()[-1].at.date())["breaks"]
    assert [(found["kind"], found["what"]) for found in breaks] == [("gold", "items relabelled: 1")]


def test_without_judged_decisions_there_is_nothing_to_split(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="judged decisions in both periods"):
        kpi_change(shop.ledger, BEFORE, AFTER, ACTIONS, "forum")
    empty = kpi_series(shop.ledger, DAY, 2, "UTC", ACTIONS)
    assert [week["accuracy"]["verdict"] for week in empty["weeks"]] == ["insufficient"] * 2  # type: ignore[attr-defined]
