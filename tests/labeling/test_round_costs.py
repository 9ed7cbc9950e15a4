from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labeling.errors import InvalidInput
from labeling.round_costs import Costs, costs_of, estimate, exposure_of
from labeling.rounds import preview
from tests.labeling.shop import Shop, items


def test_minutes_are_a_decision_and_the_reading() -> None:
    costs = Costs(decision_minutes=0.5, chars_per_minute=1000)
    assert costs.minutes("x" * 2000, "text") == pytest.approx(2.5)
    assert costs.minutes("", "image") == pytest.approx(0.6)
    assert costs.minutes("x" * 500, "video") == pytest.approx(2.0)


def test_constants_are_checked_by_name() -> None:
    assert costs_of({"image_minutes": 2.0}) == Costs(image_minutes=2.0)
    with pytest.raises(InvalidInput, match="costs: 'coffee' is unknown"):
        costs_of({"coffee": 1.0})
    for value in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidInput, match="costs: decision_minutes: must be a number above 0"):
            costs_of({"decision_minutes": value})


def test_exposure_is_the_gravest_likely_harm_for_everybody_who_looks() -> None:
    probabilities = np.array([[0.5, 0.1], [0.0, 1.0]], np.float32)
    looks = np.array([1.0, 0.5], np.float32)
    assert exposure_of(probabilities, [1.0, 16.0], 2, looks).tolist() == pytest.approx([3.2, 16.0])


def test_a_look_weighs_by_its_time_and_its_modality() -> None:
    costs = Costs(decision_minutes=0.5, chars_per_minute=1000, image_exposure=3.0)
    assert costs.look("", "text") == pytest.approx(1.0)
    assert costs.look("x" * 1000, "text") == pytest.approx(3.0)
    assert costs.look("", "image") == pytest.approx(3.0 * 0.6 / 0.5)
    assert Costs(reference_minutes=1.0).look("x" * 900, "text") == pytest.approx(1.0)


def test_an_estimate_adds_up() -> None:
    told = estimate(
        ["random", "uncertain", "random"], np.array([1, 2, 4], np.float32), np.array([0, 1, 0.5], np.float32)
    )
    assert (told["minutes"], told["exposure"]) == (7.0, 1.5)
    assert told["lanes"] == {
        "random": {"minutes": 5.0, "exposure": 0.5},
        "uncertain": {"minutes": 2.0, "exposure": 1.0},
    }


def of_round(shop: Shop, round_id: str, **changes: Any) -> dict[str, Any]:
    shop.open(shop.request(round_id, lanes={"uncertain": 1.0}, overlap=2, **changes))
    told = shop.select(round_id).frame["estimate"]
    assert isinstance(told, dict)
    return told


def test_a_round_says_what_it_costs_and_a_preview_the_same(shop: Shop) -> None:
    shop.ingest([*items(range(20)), *items(range(20, 40), "long " * 200 + "w{n} v{n}")])
    shop.score()
    request = shop.request("r1", lanes={"uncertain": 1.0}, overlap=2)
    shown = preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), request).selection.frame["estimate"]
    told = of_round(shop, "r1")
    assert told == shown
    texts = [task.text for task in shop.ledger.tasks.where(round_id="r1")]
    assert told["minutes"] == pytest.approx(sum(2 * (0.25 + len(text) / 1200) for text in texts), abs=0.01)


def test_a_round_that_asks_per_minute_reads_less(shop: Shop) -> None:
    shop.ingest([*items(range(20)), *items(range(20, 40), "long " * 400 + "w{n} v{n}")])
    shop.score()
    plain = of_round(shop, "r1", per="pick", policies=("harm",))
    wise = of_round(shop, "r2", per="minute", policies=("fraud",))
    bound = of_round(shop, "r3", max_minutes=2.5, policies=("fraud",), costs={"decision_minutes": 0.5})
    assert wise["minutes"] <= plain["minutes"]
    assert bound["minutes"] <= 2.5
    assert shop.ledger.rounds.get("r3").plan["costs"] == {"decision_minutes": 0.5}
    assert "costs" not in shop.ledger.rounds.get("r2").plan
    assert of_round(shop, "r4", per="exposure")["exposure"] > 0


def test_a_wrong_constant_is_refused_before_a_round_takes_its_id(shop: Shop) -> None:
    shop.stocked(10)
    with pytest.raises(InvalidInput, match="costs: 'coffee'"):
        shop.open(shop.request(costs={"coffee": 1.0}))
    assert shop.ledger.rounds.all() == []
