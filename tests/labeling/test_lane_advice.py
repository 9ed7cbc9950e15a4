from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.golden.partition import Shares
from labeling.lane_advice import FLOOR, RANDOM_FLOOR, _tuned, advise
from labeling.records import PickRow
from labeling.rounds import close_round, preview
from tests.labeling.shop import NO, Shop, open_shop, yes

BASE = {"random": 0.4, "uncertain": 0.6}


def a_round(shop: Shop, round_id: str, violating: str, opposite_outside: bool = False) -> None:
    """60 picks, of which those of one lane violate; outside of train the other way round where asked."""
    tasks = shop.send(round_id, 60, lanes=BASE)
    lanes = {(pick.item_id, pick.policy_id): pick.lane for pick in shop.ledger.rounds.picks(round_id)}
    groups = shop.groups()
    for task in tasks:
        inside = groups.place(task.item_id, task.text).partition == "train"
        hit = (lanes[task.item_id, task.policy_id] == violating) is not (opposite_outside and not inside)
        shop.answer(task, *[yes() if hit else NO] * 2)
    shop.settle()
    assert close_round(shop.ledger, round_id)


def test_a_lane_that_brings_more_gets_more(shop: Shop) -> None:
    shop.shares = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
    shop.stocked(80)
    assert advise(shop.ledger, BASE).why.startswith("unchanged: random, uncertain has 12 or fewer answers")
    a_round(shop, "r1", "uncertain")
    told = advise(shop.ledger, BASE)
    assert told.lanes["uncertain"] > 0.6
    assert told.lanes["random"] >= RANDOM_FLOOR
    assert sum(told.lanes.values()) == pytest.approx(1.0)
    assert told.picks == {"random": 24, "uncertain": 36}
    assert told.why.startswith("tuned by useful picks of the partition train: random ")


def test_a_round_that_asks_for_it_takes_the_advice_and_says_so(shop: Shop) -> None:
    shop.shares = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
    shop.stocked(80)
    a_round(shop, "r1", "uncertain")
    lanes = advise(shop.ledger, BASE).lanes
    request = shop.request("r2", 40, lanes=BASE, retune=True)
    shown = preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), request).selection
    assert shop.open(request).frame["lanes"] == shown.frame["lanes"] == advise(shop.ledger, BASE).as_dict()
    a_round(shop, "r3", "random")  # what comes later does not change what was frozen
    assert advise(shop.ledger, BASE).lanes != lanes
    assert shop.open(request).frame["lanes"] == shown.frame["lanes"]
    round_ = shop.select("r2")
    assert round_.plan["lanes"] == BASE
    count = sum(pick.lane == "random" for pick in shop.ledger.rounds.picks("r2"))
    assert count == pytest.approx(40 * lanes["random"], abs=1)
    assert any(note.startswith("lanes: random ") and "tuned by useful picks" in note for note in round_.notes)


def test_shares_stay_as_they_are_where_nobody_asks(shop: Shop) -> None:
    shop.shares = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
    shop.stocked(80)
    a_round(shop, "r1", "uncertain")
    round_ = shop.open(shop.request("r2", 20, lanes=BASE))
    assert "lanes" not in round_.frame
    assert "retune" not in round_.plan
    shop.select("r2")
    assert sum(pick.lane == "random" for pick in picks(shop)) == 8


def picks(shop: Shop) -> list[PickRow]:
    return shop.ledger.rounds.picks("r2")


def test_no_answer_outside_train_moves_a_share(tmp_path: Path) -> None:
    told = []
    for opposite in (False, True):
        shop = open_shop(tmp_path / str(opposite))
        shop.shares = Shares(train=0.6, calibration=0.1, dev=0.2, sealed=0.1)
        shop.stocked(80)
        a_round(shop, "r1", "uncertain", opposite_outside=opposite)
        told.append(advise(shop.ledger, BASE))
        shop.ledger.close()
    assert told[0] == told[1]
    assert told[0].why.startswith("tuned")
    assert sum(told[0].picks.values()) < 60


@given(
    shares=st.lists(st.integers(1, 20), min_size=3, max_size=3),
    answers=st.lists(st.tuples(st.integers(13, 400), st.floats(0, 1)), min_size=3, max_size=3),
)
def test_floors_hold_and_shares_add_up(shares: list[int], answers: list[tuple[int, float]]) -> None:
    base = {lane: n / sum(shares) for lane, n in zip(("random", "risk", "uncertain"), shares, strict=True)}
    picks = {lane: n for lane, (n, _) in zip(base, answers, strict=True)}
    useful = {lane: max(1, int(n * part)) for lane, (n, part) in zip(base, answers, strict=True)}
    tuned = _tuned(base, picks, useful)
    assert sum(tuned.values()) == pytest.approx(1.0, abs=1e-9)
    assert tuned["random"] >= min(base["random"], RANDOM_FLOOR) - 1e-12
    assert all(tuned[lane] >= FLOOR * base[lane] - 1e-12 for lane in ("risk", "uncertain"))
