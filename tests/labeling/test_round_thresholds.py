"""Which thresholds hold for an item of a round, over the real ledger and lake."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from labeling.golden.partition import Shares
from labeling.records import Outcome, Round, Task, TaskKind
from labeling.round_images import ImageDesk, ImageFrame, read_frame
from labeling.round_pool import pool_of
from labeling.round_thresholds import at_thresholds, images_plan, thresholds_of
from labeling.rounds import open_round, select_round
from tests.labeling.shop import Shop
from tests.labeling.test_round_images import hang

OWN = ImageFrame(frozenset({"harm"}), "", {"harm": 0.9, "fraud": 0.9}, "seer")


def go(shop: Shop, desk: ImageDesk, frame: ImageFrame, **changes: Any) -> tuple[Round, list[Task]]:
    request = shop.request("r1", **{"duplicate_cosine": None, **changes})
    open_round(shop.ledger, shop.lake, shop.policies, request, frame)
    round_ = select_round(shop.ledger, shop.lake, shop.policies, shop.scorer(), "r1", images=desk)
    return round_, shop.ledger.tasks.where(round_id="r1")


def test_a_plan_keeps_what_images_are_held_against_only_where_it_differs() -> None:
    plan: dict[str, object] = {"thresholds": {"harm": 0.5, "fraud": 0.4}}
    assert images_plan({"harm": 0.5, "spam": 0.1}, "seer", plan) == {}
    kept = images_plan({"harm": 0.7, "fraud": 0.4}, "", plan)
    assert kept == {"images": {"thresholds": {"harm": 0.7}, "of": "the policies"}}
    assert thresholds_of(plan | kept) == {"harm": 0.5, "fraud": 0.4}
    assert thresholds_of(plan | kept, "image") == {"harm": 0.7, "fraud": 0.4}


def test_a_round_says_whose_thresholds_hold_for_images_and_picks_by_them(shop: Shop) -> None:
    _, desk = hang(shop.stocked(4), 40)
    round_, tasks = go(shop, desk, OWN, budget=6, lanes={"uncertain": 1.0}, policies=("harm",))
    assert round_.plan["images"] == {"thresholds": {"harm": 0.9}, "of": "seer"}
    assert "images are held against the thresholds of seer, and not those of texts: harm 0.9" in round_.notes
    assert desk.scorer is not None
    said = {pick.item_id: pick.probability for pick in shop.ledger.rounds.picks("r1")}
    shown = [item_id for item_id in said if item_id.startswith("im-")]
    assert len(shown) >= 2
    scores = {f"im-{n:05}": 0.0 for n in range(40)}
    scored = desk.scorer.score_media(list(scores), [f"{n}.png" for n in range(40)], [""] * 40)
    scores = dict(zip(scored.ids, scored.probabilities[:, 0].tolist(), strict=True))
    nearest = sorted(scores, key=lambda item_id: abs(logit(scores[item_id]) - logit(0.9)))
    assert set(shown) == set(nearest[: len(shown)])
    assert all(said[item_id] == pytest.approx(scores[item_id], abs=1e-6) for item_id in shown)  # as the scorer said
    assert {task.kind for task in tasks} == {TaskKind.BLIND}


def test_suggestions_and_figures_of_traffic_ask_the_same_line(shop: Shop) -> None:
    shop.shares = Shares(train=1, calibration=0, dev=0, sealed=0)
    _, desk = hang(shop, 20)
    round_, tasks = go(shop, desk, OWN, budget=20, lanes={"random": 1.0}, policies=("harm",), assisted=1.0)
    picks = {pick.item_id: pick.probability for pick in shop.ledger.rounds.picks("r1")}
    for task in tasks:
        if task.kind is TaskKind.ASSISTED:
            suggests = Outcome.VIOLATES if picks[task.item_id] >= 0.9 else Outcome.ALLOWED
            assert f'"{suggests}"' in task.prompt
    assert sum(0.5 <= p < 0.9 for p in picks.values()) > 0  # which the other line would have flagged
    assert round_.frame["modalities"] == {"image": 20}


def test_only_images_are_moved_and_to_where_the_plans_threshold_holds(shop: Shop) -> None:
    _, desk = hang(shop.stocked(3), 6)
    frame = read_frame(shop.lake, shop.ledger.items, shop.ledger.items.last_lake_version(), shop.scorer(), desk)
    plan: dict[str, object] = {"thresholds": {"fraud": 0.5, "harm": 0.5}}
    pool = pool_of(shop.ledger, shop.lake, plan, frame)
    assert at_thresholds(plan, pool, frame).moved is None
    moved = at_thresholds(plan | images_plan({"harm": 0.9}, "seer", plan), pool, frame).moved
    assert moved is not None
    harm, own = pool.policies.index("harm"), pool.probabilities.astype(np.float64)
    np.testing.assert_array_equal(moved[: frame.texts], pool.probabilities[: frame.texts])
    np.testing.assert_array_equal(np.delete(moved, harm, axis=1), np.delete(pool.probabilities, harm, axis=1))
    wanted = expit(logit(own[frame.texts :, harm]) - logit(0.9) + logit(0.5))
    np.testing.assert_allclose(moved[frame.texts :, harm], wanted, atol=1e-5)
    assert ((moved[frame.texts :, harm] >= 0.5) == (own[frame.texts :, harm] >= 0.9)).all()
