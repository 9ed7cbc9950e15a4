from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InvalidInput, NothingToDo
from labeling.golden.partition import Shares
from labeling.golden.planner import GoldPlan, Need, Stratum, Zone, plan_gold, round_for, stratum_of
from labeling.policies import Policy
from labeling.quality.intervals import sample_size
from labeling.records import Outcome, Partition, PickRow
from tests.labeling.golden.desk import Desk
from tests.labeling.golden.made import NO, YES, golden_item, sha

POLICY = Policy.model_validate(
    {
        "id": "harm",
        "title": "Harm",
        "version": "1.0.0",
        "definition": "Hurts people.",
        "severity": 3,
        "threshold": 0.6,
        "rules": [{"id": name, "title": name, "definition": "Some words."} for name in ("threat", "insult")],
    }
)
SHARES = Shares(train=0.5, calibration=0.0, dev=0.5, sealed=0.0)


def picked(probability: float) -> dict[tuple[str, str, str], PickRow]:
    return {("r1", "a", "harm"): PickRow("r1", "a", "harm", "risk", 0.1, probability, "g", ())}


ALLOWED = golden_item("a", outcome=Outcome.ALLOWED)
ZONES: list[tuple[Any, float, Zone]] = [
    (golden_item("a"), 0.1, Zone.VIOLATING),
    (ALLOWED, 0.59, Zone.CLEAR),
    (ALLOWED, 0.6, Zone.NEAR_MISS),
    (replace(ALLOWED, votes={"allowed": 2, "violates/threat": 1}), 0.1, Zone.NEAR_MISS),
]


@pytest.mark.parametrize(("row", "probability", "zone"), ZONES)
def test_zones(row: Any, probability: float, zone: Zone) -> None:
    assert stratum_of(row, picked(probability), {"harm": POLICY}).zone is zone


def test_what_is_allowed_has_neither_rule_nor_severity() -> None:
    assert stratum_of(ALLOWED, {}, {"harm": POLICY}) == Stratum("harm", Zone.CLEAR, "", "en", None)
    assert stratum_of(golden_item("a"), {}, {"harm": POLICY}) == Stratum("harm", Zone.VIOLATING, "threat", "en", 2)


def planned(desk: Desk, **how: Any) -> GoldPlan:
    return plan_gold((desk.ledger.golden, desk.ledger.rounds), desk.lake, {"harm": POLICY}, SHARES, **how)


def test_a_plan_counts_one_partition_and_asks_for_every_rule(desk: Desk) -> None:
    desk.ingest({f"i{n}": (f"{sha(str(n))} of its own", n * 25.0) for n in range(12)})
    for n in range(12):
        desk.label(f"i{n}", YES if n % 2 else NO)
    there = desk.ledger.golden.items(partition=Partition.TRAIN)
    plan = planned(desk, partition="train")
    need = sample_size(0.9, 0.1)
    assert need == 37
    assert {each.need for each in plan.needs} == {need}
    have = {(each.stratum.zone, each.stratum.rule): each.have for each in plan.needs}
    assert have[Zone.VIOLATING, "threat"] == sum(row.outcome is Outcome.VIOLATES for row in there) > 0
    assert have[Zone.VIOLATING, "insult"] == 0  # nobody has seen one, which is what a plan is for
    assert sum(have.values()) == len(there)
    assert [each.gap for each in plan.needs] == sorted((each.gap for each in plan.needs), reverse=True)
    assert plan.labels == 2 * sum(each.gap for each in plan.needs)  # half of what is new comes here
    assert plan.as_dict()["strata"]


def test_no_plan_counts_what_is_sealed(desk: Desk) -> None:
    for hidden in ("sealed", "anchor", "all"):
        with pytest.raises(InvalidInput, match="not counted by answer"):
            planned(desk, partition=hidden)
    with pytest.raises(InvalidInput, match="half_width 0"):
        planned(desk, half_width=0.0)


def test_nothing_missing_opens_no_round(desk: Desk) -> None:
    plan = GoldPlan(Partition.DEV, 0.9, 0.1, (Need(Stratum("harm", Zone.CLEAR, "", "en", None), 40, 37),), 0, {})
    with pytest.raises(NothingToDo, match="every stratum"):
        round_for(plan, 100)


GAPS = st.lists(
    st.builds(
        Need,
        st.builds(
            Stratum,
            st.sampled_from(["harm", "hate"]),
            st.sampled_from(list(Zone)),
            st.just(""),
            st.sampled_from(["en", "de", "und"]),
            st.none(),
        ),
        st.integers(0, 40),
        st.just(37),
    ),
    min_size=1,
).filter(lambda needs: any(need.gap for need in needs))


@given(GAPS, st.integers(1, 1000), st.integers(0, 500))
def test_a_round_is_shared_out_and_bounded(needs: list[Need], budget: int, german: int) -> None:
    plan = GoldPlan(Partition.DEV, 0.9, 0.1, tuple(needs), 0, {"de": german, "en": 10_000})
    asked: dict[str, Any] = round_for(plan, budget)
    lanes, quotas = asked["lanes"], asked["quotas"]
    assert sum(lanes.values()) == pytest.approx(1)
    assert lanes["random"] >= 0.1
    assert set(asked["policies"]) == {need.stratum.policy for need in needs if need.gap}
    for key in ("policy", "language"):
        asked_for = [quota for quota in quotas if quota["key"] == key]
        assert sum(quota["at_least"] for quota in asked_for) <= budget * lanes.get("uncertain", 0) / 2
        assert all(quota["at_least"] > 0 for quota in asked_for)
    assert all(quota["at_least"] <= german / 2 for quota in quotas if quota["value"] == "de")
    assert not any(quota["value"] == "und" for quota in quotas)


@given(GAPS, st.integers(0, 10_000))
def test_the_plan_of_one_gap_has_its_share_of_the_labels(needs: list[Need], labels: int) -> None:
    plan = GoldPlan(Partition.DEV, 0.9, 0.1, tuple(needs), labels, {})
    shares = [plan.only(need).labels for need in needs]
    assert labels <= sum(shares) <= labels + len(needs)
    assert all(plan.only(need).needs == (need,) for need in needs)
