"""What became of a policy's figures around a version of it: windows, honest verdicts, and where the items are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import InvalidInput, NotFound
from labeling.insights import policy_effect
from labeling.insights.policy_effect import effect_items, policy_effects
from labeling.policy_versions import PolicyVersion
from tests.figures import assert_whole
from tests.labeling.insights.production import DAY, NOON, open_production
from tests.labeling.insights.test_causes import judged_day
from tests.labeling.insights.test_daily_qa import ACTIONS, ALL_TRAIN
from tests.labeling.shop import Shop

PUBLISHED = NOON - timedelta(hours=1)
WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Two days a week apart: four wrong before, sixteen after, of sixty each."""
    made = open_production(tmp_path_factory.mktemp("effect"), 60)
    made.shares = ALL_TRAIN
    judged_day(made, DAY - WEEK, range(4), range(60))
    judged_day(made, DAY, range(16), range(60))
    yield made
    made.ledger.close()


def told(shop: Shop, monkeypatch: pytest.MonkeyPatch, now: datetime, *at: datetime) -> list[dict[str, Any]]:
    """As if the policy's versions had been published at these moments; the ledger's clock is not ours."""
    (first,) = [one for one in shop.ledger.policies.all() if one.policy_id == "fraud"]
    history = [replace(first, version=f"1.{n}.0", parent="1.0.0", at=moment) for n, moment in enumerate(at)]

    def history_of(_stores: object, _policy_id: str) -> list[PolicyVersion]:
        return history

    monkeypatch.setattr(policy_effect, "history_of", history_of)
    return policy_effects(shop.ledger, shop.lake, "fraud", ACTIONS, now)


def test_accuracy_is_told_before_and_after_with_what_it_moved_by(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = told(shop, monkeypatch, PUBLISHED + timedelta(days=31), PUBLISHED)
    short, long = one["spans"]
    assert (short["days"], short["is_over"], long["days"]) == (14, True, 30)
    before, after, moved = (short["accuracy"][name] for name in ("before", "after", "change"))
    assert (before["n"], after["n"], moved["n"]) == (50, 50, 100)
    assert before["value"] > after["value"]
    assert moved["value"] == pytest.approx(after["value"] - before["value"])
    assert moved["low"] < moved["value"] < moved["high"]
    assert (after["licence"][:10], after["policy_version"]) == ("population", "fraud 1.0.0")
    assert after["items"].startswith("/v1/qa/items?since=2026-02-28T11:00:00Z&until=2026-03-14T11:00:00Z&policy=fraud")
    assert_whole(one, 18)


def test_few_answers_are_said_to_be_few_and_items_are_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = told(shop, monkeypatch, PUBLISHED + timedelta(days=31), PUBLISHED)
    agreement, flips = (one["spans"][0][name] for name in ("agreement", "flips"))
    assert (agreement["before"]["n"], agreement["before"]["value"]) == (0, None)
    assert agreement["after"]["value"] == 1
    assert (agreement["change"]["value"], agreement["change"]["verdict"]) == (None, "insufficient")
    assert (flips["after"]["n"], flips["after"]["verdict"], one["bridge"]) == (0, "insufficient", None)
    found = effect_items(shop.ledger, shop.lake, "fraud", "agreement", PUBLISHED, PUBLISHED + 2 * WEEK)
    assert len(found) == agreement["after"]["n"]
    assert effect_items(shop.ledger, shop.lake, "fraud", "flips", PUBLISHED, PUBLISHED + 2 * WEEK) == []


def test_a_window_that_runs_is_provisional_and_versions_beside_are_named(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = PUBLISHED + timedelta(days=20)
    newest, first = told(shop, monkeypatch, second + timedelta(days=1), PUBLISHED, second)
    assert [one["version"] for one in (newest, first)] == ["1.1.0", "1.0.0"]
    assert [span["beside"] for span in first["spans"]] == [[], ["1.1.0"]]
    assert [span["is_over"] for span in first["spans"]] == [True, False]
    assert newest["spans"][0]["accuracy"]["after"]["licence"] == "provisional: the window runs until 2026-04-03"
    assert newest["spans"][0]["accuracy"]["change"]["licence"].startswith("provisional")
    assert newest["spans"][0]["accuracy"]["change"]["value"] is None


def test_what_is_not_there_is_said(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'nobody' is not published"):
        policy_effects(shop.ledger, shop.lake, "nobody", ACTIONS, PUBLISHED)
    with pytest.raises(InvalidInput, match="not one of agreement, flips"):
        effect_items(shop.ledger, shop.lake, "fraud", "accuracy", PUBLISHED, PUBLISHED)
