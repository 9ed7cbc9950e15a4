from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labeling.errors import NotFound, NothingToDo
from labeling.golden.partition import Shares
from labeling.model_records import Model, ModelState
from labeling.records import Partition, TaskState
from labeling.rounds import close_round
from labeling.yields import ALL, TOLD, LaneYield, curve, picked_items, tally, yields
from tests.figures import assert_whole
from tests.labeling.school import fit, republish
from tests.labeling.shop import NO, UNCLEAR, Shop, items, open_shop, yes

OPEN = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)


def lane(told: tuple[LaneYield, ...], name: str, policy: str = ALL) -> LaneYield:
    return next(row for row in told if (row.lane, row.policy) == (name, policy))


def answered(shop: Shop, round_id: str, budget: int = 40, **changes: object) -> None:
    """A round whose picks of even items violate, closed."""
    for task in shop.send(round_id, budget, **changes):
        verdict = yes() if int(task.item_id[3:]) % 2 == 0 else NO
        shop.answer(task, verdict, verdict)
    shop.settle()
    assert close_round(shop.ledger, round_id)


def test_a_closed_round_tells_each_lane_beside_the_random_arm(shop: Shop) -> None:
    shop.shares = OPEN
    shop.stocked(60)
    answered(shop, "r1", 60, lanes={"random": 0.5, "uncertain": 0.5})
    told = yields(shop.ledger, "r1", cost_per_label=2.0)
    picks = shop.ledger.rounds.picks("r1")
    for name in ("random", "uncertain"):
        row = lane(told.lanes, name)
        mine = [pick for pick in picks if pick.lane == name]
        hits = [pick for pick in mine if int(pick.item_id[3:]) % 2 == 0]
        assert (row.picks, row.settled, row.withheld) == (30, 30, 0)
        assert (row.violating.n, row.violating.events) == (30, len(hits))
        assert row.changed.events == sum((pick.probability >= 0.5) is not (pick in hits) for pick in mine)
        assert (row.gold.events, row.gold.n) == (30, 30)
        assert sum(lane(told.lanes, name, policy).picks for policy in ("fraud", "harm")) == 30
    assert lane(told.lanes, "random").lift is None
    lift = lane(told.lanes, "uncertain").lift
    assert lift is not None
    assert lift.saved is not None
    assert (lift.n, lift.random_n) == (30, 30)
    assert json.loads(json.dumps(told.as_dict()))["rounds"] == ["r1"]
    assert_whole(told.as_dict(), 20)
    drawn = {pick.item_id for pick in picks if pick.lane == "random"}
    assert picked_items(shop.ledger, ["r1"], "random") == sorted(drawn)
    lanes = [picked_items(shop.ledger, ["r1"], "uncertain", policy) for policy in ("fraud", "harm")]
    assert sum(map(len, lanes)) == 30


def test_every_closed_round_counts_and_no_open_one(shop: Shop) -> None:
    shop.shares = OPEN
    shop.stocked(60)
    with pytest.raises(NothingToDo, match="no round is closed yet"):
        yields(shop.ledger)
    answered(shop, "r1", 20)
    answered(shop, "r2", 20)
    shop.send("r3", 20)
    told = yields(shop.ledger)
    assert told.rounds == ("r1", "r2")
    assert sum(row.picks for row in told.lanes if row.policy == ALL) == 40
    assert sum(row.picks for row in yields(shop.ledger, "r3").lanes if row.policy == ALL) == 20
    assert all(row.settled == 0 for row in yields(shop.ledger, "r3").lanes)
    with pytest.raises(NotFound):
        yields(shop.ledger, "nobody")


def test_what_is_unclear_is_settled_and_no_gold_and_what_is_withdrawn_is_neither(shop: Shop) -> None:
    shop.shares = OPEN
    shop.stocked(30)
    tasks = shop.send("r1", 20, lanes={"random": 1.0})
    for task in tasks[:6]:
        shop.answer(task, UNCLEAR, UNCLEAR)
    for task in tasks[6:16]:
        shop.answer(task, NO, NO)
    shop.settle()
    shop.ledger.tasks.set_state([task.task_id for task in tasks[16:]], TaskState.WITHDRAWN)
    row = lane(yields(shop.ledger, "r1").lanes, "random")
    assert (row.picks, row.settled, row.violating.n, row.gold.n, row.gold.events) == (20, 16, 10, 16, 10)


def test_sealed_answers_are_withheld_whatever_they_are(tmp_path: Path) -> None:
    told = []
    for outcome in (yes(), NO):
        shop = open_shop(tmp_path / outcome.outcome)
        shop.shares = Shares(train=0.5, calibration=0.0, dev=0.2, sealed=0.3)
        shop.stocked(40)
        tasks = shop.send("r1", 40, lanes={"random": 1.0}, policies=("harm",))
        for task in tasks:
            shop.answer(task, NO, NO)
        shop.settle()
        sealed = {row.item_id for row in shop.ledger.golden.items(partition="sealed")}
        shop.ledger.close()
        again = open_shop(tmp_path / f"{outcome.outcome}-again")
        again.shares = shop.shares
        again.stocked(40)
        for task in again.send("r1", 40, lanes={"random": 1.0}, policies=("harm",)):
            verdict = outcome if task.item_id in sealed else NO
            again.answer(task, verdict, verdict)
        again.settle()
        assert close_round(again.ledger, "r1")
        found = yields(again.ledger)
        assert found.lanes[0].withheld == len(sealed) > 3
        assert found.lanes[0].violating.events == 0
        told.append(found)
        train = tally(again.ledger, again.ledger.rounds.all(), (Partition.TRAIN,))["random", ALL]
        assert train["settled"] < tally(again.ledger, again.ledger.rounds.all(), TOLD)["random", ALL]["settled"]
        again.ledger.close()
    assert told[0] == told[1]


def test_the_curve_needs_judged_models_of_three_sizes(school: Shop) -> None:
    assert yields(school.ledger, "r1").forecast.verdict == "refused"
    fit(school)
    assert curve(school.ledger) == []  # not judged yet
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    school.ledger.models.set_metrics("m1", {"policies": {"fraud": {"auprc": figure}, "harm": {"auprc": figure}}})
    (point,) = curve(school.ledger)
    version = school.ledger.golden.versions()[-1]
    assert (point.labels, point.score) == (version.counts["train"], 0.5)
    assert point.error == pytest.approx(0.2 / 3.92 / 2**0.5, rel=1e-3)
    base = school.ledger.models.get("m1")
    for n, score in ((2, 0.6), (3, 0.7)):
        school.ingest(items(range(100 * n, 100 * n + 20), "cheat money fast w{n} v{n}", policies=("fraud",)))
        school.score()
        for task in school.send(f"r{n}", 20, policies=("fraud",)):
            school.answer(task, yes(), yes())
        school.settle()
        alone = {"fraud": {"auprc": {**figure, "value": score}}, "spam": {"auprc": {**figure, "value": None}}}
        school.ledger.models.add(
            replace(base, model_id=f"m{n}", golden_version=republish(school), metrics={"policies": alone})
        )
        school.ledger.models.set_metrics(f"m{n}", {"policies": alone})
    points = curve(school.ledger)
    assert [round(point.score, 3) for point in points] == [0.5, 0.6, 0.7]  # over fraud, which all of them have
    told = yields(school.ledger, "r1").forecast
    assert (told.n, told.verdict != "refused") == (3, True)
    assert told.value is not None
    assert told.value > 0


def test_models_that_were_judged_on_nothing_alike_make_no_curve(school: Shop) -> None:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    for name in ("fraud", "harm", "spam"):
        model = Model(name, name, "1.0.0", "", ModelState.CANDIDATE, {}, datetime.now(UTC))
        school.ledger.models.add(model)
        school.ledger.models.set_metrics(name, {"policies": {name: {"auprc": figure}}})
    assert curve(school.ledger) == []
