from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.errors import Conflict, InvalidInput, NothingToDo
from labeling.records import PickRow, Round, RoundState, TaskState
from labeling.round_plan import RoundRequest
from labeling.rounds import cancel_round, close_round, preview
from selection.errors import BadPlan
from selection.types import Quota
from tests.labeling.shop import Shop, items


def picked(shop: Shop, round_id: str = "r1") -> list[PickRow]:
    return shop.ledger.rounds.picks(round_id)


# --- open ---


def test_a_round_is_planned_and_its_frame_is_frozen(shop: Shop) -> None:
    shop.stocked(10)
    round_ = shop.open()
    assert (round_.state, round_.seed, round_.scorer_version) == (RoundState.PLANNED, 7, "")
    assert round_.frame == {"lake_version": shop.ledger.items.last_lake_version()}
    assert round_.plan["policies"] == {"fraud": "1.0.0", "harm": "1.0.0"}
    assert round_.plan == json.loads(json.dumps(round_.plan))


def test_the_same_request_is_the_same_round(shop: Shop) -> None:
    shop.stocked(10)
    first = shop.open()
    shop.ingest(items(range(10, 12)))
    assert shop.open() == first  # with the frame it had
    shop.score()
    shop.select()
    assert shop.open().state is RoundState.SELECTED
    assert len(shop.ledger.rounds.all()) == 1


def test_the_same_request_in_other_words_is_the_same_round(shop: Shop) -> None:
    shop.stocked(10)
    quotas = (Quota("policy", "harm", at_most=3), Quota("language", "en", at_least=1))
    first = shop.open(shop.request(quotas=quotas, duplicate_cosine=1, policies=("harm", "fraud")))
    lanes = {"uncertain": 0.5, "risk": 0.25, "random": 0.25}
    again = shop.request(quotas=quotas[::-1], duplicate_cosine=1.0, policies=("fraud", "harm", "harm"), lanes=lanes)
    assert shop.open(again) == first
    assert shop.open(replace(again, policies=())) == first


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    share=st.floats(0.01, 0.99),
    floor=st.floats(1e-6, 1.0),
    cosine=st.none() | st.floats(0.5, 1.0),
    seed=st.integers(-(2**63), 2**63 - 1),
)
def test_numbers_come_back_from_the_ledger_as_they_went_in(
    shop: Shop, share: float, floor: float, cosine: float | None, seed: int
) -> None:
    if not shop.ledger.items.count():
        shop.stocked(5)
    name = f"r{len(shop.ledger.rounds.all())}"
    lanes = {"random": share, "uncertain": 1 - share}
    request = RoundRequest(name, 2, seed, lanes, risk_floor=floor, duplicate_cosine=cosine)
    assert shop.open(request) == shop.open(request)


@pytest.mark.parametrize(
    "changes",
    [{"budget": 9}, {"seed": 8}, {"overlap": 3}, {"policies": ("harm",)}, {"duplicate_cosine": None}],
)
def test_another_request_under_the_same_id_is_a_conflict(shop: Shop, changes: dict[str, Any]) -> None:
    shop.stocked(10)
    first = shop.open()
    with pytest.raises(Conflict, match="r1"):
        shop.open(shop.request(**changes))
    assert shop.ledger.rounds.get("r1") == first


def test_an_empty_lake_has_nothing_to_do_and_takes_no_id(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="ingest"):
        shop.open()
    shop.lake.append(items(range(2)))  # orphans of a killed ingest are no items
    with pytest.raises(NothingToDo, match="ingest"):
        shop.open()
    assert shop.ledger.rounds.all() == []


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"policies": ("harm", "hurm")}, InvalidInput, "policies: hurm unknown"),
        ({"budget": 0}, InvalidInput, "budget: 0"),
        ({"budget": -3}, InvalidInput, "budget: -3"),
        ({"overlap": 0}, InvalidInput, "overlap: 0"),
        ({"seed": 2**63}, InvalidInput, "seed"),
        ({"lanes": {}}, BadPlan, "lanes: shares add up to 0"),
        ({"lanes": {"random": 0.5}}, BadPlan, "lanes: shares add up to 0.5"),
        ({"lanes": {"rnadom": 1.0}}, BadPlan, "'rnadom' is unknown"),
        ({"lanes": {"random": float("nan")}}, BadPlan, "random: share"),
        ({"strategy": "vibes"}, BadPlan, "'vibes' is unknown"),
        ({"risk_floor": 0.0}, BadPlan, "risk_floor"),
        ({"duplicate_cosine": -1.0}, BadPlan, "duplicate_cosine"),
        ({"quotas": (Quota("policy", "spam", 1),)}, BadPlan, "'spam'"),
        ({"quotas": (Quota("surface", "br", 1),)}, BadPlan, "key must be"),
        ({"quotas": (Quota("policy", "harm", 5, 2),)}, BadPlan, "at_least 5"),
    ],
)
def test_a_bad_request_is_refused_at_the_door_and_takes_no_id(
    shop: Shop, changes: dict[str, Any], error: type[Exception], field: str
) -> None:
    shop.stocked(5)
    with pytest.raises(error, match=field):
        shop.open(shop.request(**changes))
    with pytest.raises(error, match=field):
        preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), shop.request(**changes))
    assert shop.ledger.rounds.all() == []


def test_a_language_of_a_quota_that_no_text_has_is_refused_before_anything_is_written(shop: Shop) -> None:
    shop.stocked(8)
    with pytest.raises(BadPlan, match="quotas: language 'pt': no item has that language"):
        shop.open(shop.request(budget=4, quotas=(Quota("language", "pt", at_least=1),)))
    assert shop.ledger.rounds.all() == []


def test_a_market_has_a_quota_and_one_that_no_item_names_is_refused(shop: Shop) -> None:
    shop.ingest([*items(range(12), market="br"), *items(range(12, 24), market="de")])
    shop.score()
    shop.open(shop.request(budget=6, lanes={"uncertain": 1.0}, quotas=(Quota("market", "br", at_least=4),)))
    assert shop.select().frame["markets"] == {"br": 12, "de": 12}
    assert sum(pick.item_id < "it-00012" for pick in picked(shop)) >= 4
    absent = shop.request("r2", budget=4, quotas=(Quota("market", "us", at_least=1), Quota("market", "br", at_least=1)))
    with pytest.raises(BadPlan, match="quotas: market 'us': no item has that market"):
        shop.open(absent)
    with pytest.raises(BadPlan, match="modality 'image': no item has that modality"):
        shop.open(shop.request("r3", budget=4, quotas=(Quota("modality", "image", at_least=1),)))


def test_no_author_has_more_picks_than_asked_for(shop: Shop) -> None:
    request = shop.request(budget=4, lanes={"uncertain": 1.0}, per_author=1)
    shop.ingest(items(range(12)))
    with pytest.raises(BadPlan, match="per_author: no item names its author"):
        shop.open(request)
    shop.ingest([*items(range(12, 30), author="flooder"), *items(range(30, 34), author="other")])
    shop.score()
    shop.open(request)
    shop.select()
    assert len(picked(shop)) == 4
    assert sum(12 <= int(pick.item_id.removeprefix("it-")) < 30 for pick in picked(shop)) <= 1


# --- preview ---


def test_a_preview_shows_what_would_be_picked_and_writes_nothing(shop: Shop) -> None:
    shop.stocked(30)
    version = shop.lake.snapshot()
    shown = preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), shop.request())
    assert (shop.ledger.rounds.all(), shop.ledger.tasks.where(), picked(shop)) == ([], [], [])
    assert shop.lake.snapshot() == version
    shop.open()
    shop.select()
    assert shown.items_scored == 30
    assert {(p.item_id, p.policy, p.lane, p.pi) for p in shown.selection.picks} == {
        (p.item_id, p.policy_id, p.lane, p.pi) for p in picked(shop)
    }


def test_a_preview_says_how_many_items_wait(shop: Shop) -> None:
    with pytest.raises(NothingToDo):
        preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), shop.request())
    shop.stocked(10)
    shop.ingest(items(range(10, 14)))
    shown = preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), shop.request())
    assert shown.items_scored == 10
    assert any("4 items wait for a score" in note for note in shown.selection.notes)


# --- close ---


def test_a_round_closes_when_every_task_has_its_end(shop: Shop) -> None:
    shop.stocked(6)
    tasks = shop.send("r1", 4)
    assert not close_round(shop.ledger, "r1")
    ends = [TaskState.SETTLED, TaskState.WITHDRAWN, TaskState.QUARANTINED]
    for task, state in zip(tasks, ends, strict=False):
        shop.ledger.tasks.set_state([task.task_id], state)
        assert not close_round(shop.ledger, "r1")
    shop.ledger.tasks.set_state([tasks[3].task_id], TaskState.SETTLED)
    assert close_round(shop.ledger, "r1")
    assert shop.ledger.rounds.get("r1").state is RoundState.CLOSED
    assert not close_round(shop.ledger, "r1")


def test_a_round_that_is_not_open_does_not_close(shop: Shop) -> None:
    shop.stocked(6)
    shop.open(shop.request(budget=2))
    assert not close_round(shop.ledger, "r1")
    round_: Round = shop.select()
    assert not close_round(shop.ledger, "r1")
    assert round_.state is RoundState.SELECTED


def test_a_cancelled_round_gives_its_open_items_back(shop: Shop) -> None:
    shop.stocked(10)
    shop.open()
    shop.score()
    shop.select()
    pairs = {(p.item_id, p.policy_id) for p in picked(shop)}
    assert shop.ledger.rounds.judged() == pairs
    assert cancel_round(shop.ledger, "r1").state is RoundState.CANCELLED
    assert set(shop.ledger.tasks.counts("r1")) == {"withdrawn"}
    assert not shop.ledger.rounds.judged()
    with pytest.raises(Conflict):
        shop.select()


def test_a_lake_without_texts_has_nothing_to_ask(shop: Shop) -> None:
    shop.ingest([replace(item, modality="image", media="a.jpg", text="") for item in items(range(5))])
    with pytest.raises(NothingToDo, match="images cannot be asked about here; videos are not shown"):
        shop.open()
