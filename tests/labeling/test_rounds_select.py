from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from labeling.errors import Conflict, InvalidInput, NotFound, NothingToDo
from labeling.quality.evaluation import population
from labeling.records import PickRow, RoundState, Task, TaskKind, TaskState
from labeling.rounds import select_round
from labeling.score_run import ScoreRun
from labeling.scorebook import read_sheet
from scoring.embedding_head import EmbeddingHead
from scoring.ensemble import Ensemble
from scoring.head import Head
from selection.errors import BadPlan, BudgetTooLarge, EmptyFrame, NoLicence
from tests.labeling.shop import Shop, items, open_shop, policy


class Killed(BaseException):
    """The process dies here."""


def picked(shop: Shop, round_id: str = "r1") -> list[PickRow]:
    return shop.ledger.rounds.picks(round_id)


def pairs(picks: list[PickRow]) -> set[tuple[str, str]]:
    return {(pick.item_id, pick.policy_id) for pick in picks}


def content(picks: list[PickRow]) -> list[dict[str, Any]]:
    return [{**asdict(pick), "round_id": ""} for pick in picks]


def kill_the_commit(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The process dies after it picked, before the transaction; what it wanted to write is told."""
    lost: list[Any] = []

    def record_selection(*args: Any) -> None:
        lost.extend(args)
        raise Killed

    monkeypatch.setattr(shop.ledger.rounds, "record_selection", record_selection)
    return lost


def test_picks_and_tasks_are_written_together(shop: Shop) -> None:
    shop.stocked(30)
    shop.open()
    round_ = shop.select()
    picks, tasks = picked(shop), shop.ledger.tasks.where(round_id="r1")
    assert round_.state is RoundState.SELECTED
    assert round_.scorer_version == shop.scorer().version
    assert len(picks) == len(tasks) == 8
    assert pairs(picks) == {(task.item_id, task.policy_id) for task in tasks}
    assert (round_.frame["items"], round_.frame["pairs"], round_.frame["items_scored"]) == (30, 60, 30)
    assert (round_.frame["items_failed"], round_.frame["scorer"]) == (0, "hash + head")
    assert {(t.kind, t.state, t.overlap, t.policy_version) for t in tasks} == {
        (TaskKind.BLIND, TaskState.QUEUED, 2, "1.0.0")
    }


def test_each_pick_says_why_and_with_what_probability(shop: Shop) -> None:
    shop.stocked(30)
    shop.open()
    shop.select()
    assert Counter(pick.lane for pick in picked(shop)) == {"random": 2, "risk": 2, "uncertain": 4}
    for pick in picked(shop):
        assert pick.reasons
        assert 0 <= pick.probability <= 1
        assert (pick.pi is None) == (pick.lane == "uncertain")
        assert pick.pi is None or 0 < pick.pi <= 1


def test_picks_of_chance_alone_reach_the_population_and_others_are_refused(shop: Shop) -> None:
    shop.stocked(60)
    shop.open(shop.request(budget=30, lanes={"random": 1.0}, policies=("harm",)))
    shop.select()
    chances = [pick.pi for pick in picked(shop)]
    assert all(chance == pytest.approx(0.5) for chance in chances)
    named: dict[str, Any] = {"policy_id": "harm", "policy_version": "1.0.0", "golden_version": "1.0.0"}
    answers = [n % 2 == 0 for n in range(30)]
    assert population(answers, chances, **named).figure.value == pytest.approx(0.5)
    with pytest.raises(NoLicence):
        population([*answers, True], [*chances, None], **named)


def test_selecting_again_changes_nothing(shop: Shop) -> None:
    shop.stocked(30)
    shop.open()
    first = shop.select()
    before = (picked(shop), shop.ledger.tasks.where())
    shop.ingest(items(range(30, 40)))
    shop.policies["harm"] = policy("harm", "hurt people", version="2.0.0")
    assert shop.select() == first
    assert (picked(shop), shop.ledger.tasks.where()) == before


def test_a_killed_selection_picks_the_same_although_new_items_came(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.stocked(30)
    shop.open()
    with monkeypatch.context() as patch:
        lost = kill_the_commit(shop, patch)
        with pytest.raises(Killed):
            shop.select()
    assert picked(shop) == []
    assert shop.ledger.tasks.where() == []
    shop.ingest(items(range(30, 90)))
    shop.score()
    shop.lake.compact()
    round_ = shop.select()
    assert picked(shop) == sorted(lost[1], key=lambda p: (p.lane, p.policy_id, p.item_id))
    assert round_.frame["items"] == 30


def test_compaction_and_orphans_do_not_move_a_frame(shop: Shop) -> None:
    shop.stocked(10)
    shop.lake.compact()
    round_ = shop.open()
    shop.lake.append(items(range(10, 12)))  # a killed ingest: in the lake, not in the ledger
    shop.score()
    shop.lake.compact()
    shop.lake.delete(["it-00010", "it-00011"])
    shop.ingest(items(range(10, 15)))
    shop.score()
    assert shop.ledger.items.ids(int(str(round_.frame["lake_version"]))) == [f"it-{n:05}" for n in range(10)]
    assert shop.select().frame["items"] == 10


def test_a_pair_once_picked_is_not_picked_again_until_nothing_is_left(shop: Shop) -> None:
    shop.stocked(10)
    seen: set[tuple[str, str]] = set()
    for n in range(5):
        shop.send(f"r{n}", 4)
        now = pairs(picked(shop, f"r{n}"))
        assert len(now) == 4
        assert not now & seen
        seen |= now
    with pytest.raises(EmptyFrame):
        shop.send("r9", 1)


def test_a_withdrawn_pick_may_come_again(shop: Shop) -> None:
    shop.stocked(3)
    tasks = shop.send("r1", 6, lanes={"random": 1.0})
    shop.ledger.tasks.set_state([tasks[0].task_id], TaskState.WITHDRAWN)
    shop.send("r2", 1)
    assert pairs(picked(shop, "r2")) == {(tasks[0].item_id, tasks[0].policy_id)}


def test_an_item_is_judged_only_under_the_policies_it_names(shop: Shop) -> None:
    shop.ingest([*items(range(5), policies=("harm",)), *items(range(5, 8), policies=("fraud",)), *items(range(8, 10))])
    shop.score()
    shop.open(shop.request(budget=12))
    assert shop.select().frame["pairs"] == 12
    named = {f"it-{n:05}": {"harm"} for n in range(5)} | {f"it-{n:05}": {"fraud"} for n in range(5, 8)}
    assert all(pick.policy_id in named.get(pick.item_id, {"harm", "fraud"}) for pick in picked(shop))


def test_only_the_policies_asked_for_are_picked(shop: Shop) -> None:
    shop.stocked(10)
    shop.open(shop.request(policies=("harm",)))
    round_ = shop.select()
    assert {pick.policy_id for pick in picked(shop)} == {"harm"}
    assert round_.frame["policies"] == {"harm": 10}
    column = shop.scorer().policies.index("harm")
    sheet = shop.scorer().score(["x"], [shop.lake.take([picked(shop)[0].item_id], ["text"])["text"][0].as_py()])
    assert picked(shop)[0].probability == pytest.approx(float(sheet.probabilities[0, column]))


def test_a_policy_changed_under_way_is_a_conflict_and_writes_nothing(shop: Shop) -> None:
    shop.stocked(10)
    shop.open()
    shop.policies["harm"] = policy("harm", "hurt people", version="1.1.0")
    with pytest.raises(Conflict, match=r"harm 1\.0\.0, which is 1\.1\.0 now"):
        shop.select()
    del shop.policies["harm"]
    with pytest.raises(Conflict, match=r"which is gone now"):
        shop.select(scorer=shop.scorer())
    assert picked(shop) == []


def test_a_threshold_is_the_plan_s_not_the_file_s(shop: Shop) -> None:
    shop.stocked(20)
    scorer = shop.scorer()
    shop.open()
    shop.open(shop.request("r2"))
    shop.policies["harm"] = policy("harm", "hurt people", threshold=0.9)
    planned = select_round(shop.ledger, shop.lake, shop.policies, scorer, "r1")
    assert planned.plan["thresholds"] == {"fraud": 0.5, "harm": 0.5}


def test_a_budget_above_the_frame_names_both_numbers(shop: Shop) -> None:
    shop.stocked(3)
    with pytest.raises(BudgetTooLarge, match=r"7 picks, but the frame holds 6 .*ask for at most 6, or ingest more"):
        shop.open(shop.request(budget=7))
    assert shop.ledger.rounds.all() == []


def test_near_duplicates_may_leave_too_few_for_the_budget(shop: Shop) -> None:
    shop.ingest([replace(item, text="the very same words") for item in items(range(3))])
    shop.score()
    shop.open(shop.request(budget=6))
    with pytest.raises(BudgetTooLarge, match=r"6 picks, but the frame holds 2 .*ask for at most 2, or ingest more"):
        shop.select()
    assert shop.ledger.rounds.get("r1").state is RoundState.PLANNED


def test_items_that_came_after_a_round_do_not_change_what_it_may_ask(shop: Shop) -> None:
    shop.stocked(3)
    shop.open(shop.request(budget=6))
    shop.select()
    shop.open(shop.request(budget=6))  # the same round again: its frame was enough
    left = 6 - len(picked(shop))
    with pytest.raises((EmptyFrame, BudgetTooLarge), match="ingest more items"):
        shop.open(shop.request("r2", budget=left + 1))
    shop.ingest([replace(item, policies=("harm",)) for item in items(range(3, 4))])
    with pytest.raises(BudgetTooLarge, match=f"the frame holds {left + 1} "):
        shop.open(shop.request("r2", budget=left + 2))
    shop.open(shop.request("r2", budget=left + 1))


def test_an_unscored_item_of_the_frame_stops_the_round(shop: Shop) -> None:
    shop.stocked(10)
    shop.ingest(items(range(10, 13)))
    shop.open()
    with pytest.raises(NothingToDo, match=r"3 items .* have no score .*goldfold score"):
        shop.select()
    shop.score()
    assert shop.select().frame["items"] == 13


def test_a_model_promoted_under_way_must_have_scored_the_frame(shop: Shop) -> None:
    shop.stocked(10)
    shop.open()
    head = shop.prototypes
    promoted = shop.scorer(replace(head, weights=head.weights * 2))
    with pytest.raises(NothingToDo, match="10 items"):
        shop.select(scorer=promoted)
    shop.score(promoted)
    assert shop.select(scorer=promoted).scorer_version == promoted.version


def test_items_that_cannot_be_scored_are_counted_and_said(shop: Shop) -> None:
    shop.ingest([*items(range(10)), *items(range(10, 12), "broken text {n}")])
    shop.score()
    shop.open()
    round_ = shop.select()
    assert (round_.frame["items_scored"], round_.frame["items_failed"]) == (10, 2)
    assert any("2 items could not be scored" in note for note in round_.notes)


def test_nothing_scored_at_all_is_nothing_to_do(shop: Shop) -> None:
    shop.ingest(items(range(2), "broken text {n}"))
    shop.score()
    shop.open(shop.request(budget=1))
    with pytest.raises(NothingToDo, match="no item has a score"):
        shop.select()


def test_a_policy_that_the_scorer_does_not_judge_is_named(shop: Shop) -> None:
    shop.ingest(items(range(5)))
    whole = shop.prototypes
    part = EmbeddingHead(
        shop.encoder,
        Head(("harm",), whole.weights[1:], whole.bias[1:], whole.platt[1:], ("prototype",), whole.encoder_version),
    )
    shop.score(part)
    shop.open(shop.request(budget=2))
    with pytest.raises(InvalidInput, match=r"policies: fraud: the scorer does not judge it \(it judges: harm\)"):
        shop.select(scorer=part)
    shop.open(shop.request("r2", budget=2, policies=("harm",)))
    assert len(picked(shop, shop.select("r2", part).round_id)) == 2


def test_a_cancelled_round_takes_no_picks(shop: Shop) -> None:
    shop.stocked(5)
    shop.open(shop.request(budget=2))
    shop.ledger.rounds.set_state("r1", RoundState.CANCELLED)
    with pytest.raises(Conflict, match="cancelled"):
        shop.select()
    assert picked(shop) == []


def test_a_round_that_failed_before_it_picked_may_be_taken_up(shop: Shop) -> None:
    shop.stocked(5)
    shop.open(shop.request(budget=10))
    shop.ledger.rounds.set_state("r1", RoundState.FAILED)
    assert shop.select().state is RoundState.SELECTED
    before = picked(shop)
    shop.ledger.rounds.set_state("r1", RoundState.FAILED)
    assert shop.select().state is RoundState.SELECTED
    assert picked(shop) == before


def test_an_unknown_round_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        shop.select("nobody")


def test_a_task_tells_nothing_of_the_pick(shop: Shop) -> None:
    shop.stocked(30)
    shop.open()
    shop.select()
    by_pair = {(pick.item_id, pick.policy_id): pick for pick in picked(shop)}
    assert not {"lane", "pi", "probability", "reasons", "group_id"} & set(Task.__dataclass_fields__)
    for task in shop.ledger.tasks.where():
        pick = by_pair[task.item_id, task.policy_id]
        shown = " ".join([task.task_id, task.text, task.prompt, task.error])
        assert pick.lane not in shown
        assert f"{pick.probability:.3f}" not in shown
        assert task.item_id not in shown
        assert len(task.task_id) == 32
    assert len({task.created_at for task in shop.ledger.tasks.where()}) == 1  # no order to read a lane from


def test_the_order_of_arrival_changes_no_pick(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = open_shop(tmp_path_factory.mktemp("other"))
    made = items(range(24))
    shop.ingest(made)
    other.ingest(made[12:][::-1])
    other.ingest(made[:12][::-1])
    for one in (shop, other):
        one.score()
        one.open()
        one.select()
    assert content(picked(shop)) == content(picked(other))
    other.ledger.close()


def test_a_round_may_ask_where_a_committee_differs(shop: Shop) -> None:
    shop.ingest(items(range(20)))
    turned = shop.prototypes.weights * np.array([[3.0], [-1.0]], np.float32)
    both = Ensemble([shop.scorer(), shop.scorer(replace(shop.prototypes, weights=turned))])
    ScoreRun(shop.lake, both, 1000).go()
    shop.open(shop.request(budget=3, lanes={"uncertain": 1.0}, strategy="disagreement"))
    select_round(shop.ledger, shop.lake, shop.policies, both, "r1")
    chosen = picked(shop)
    assert len(chosen) == 3
    assert all(pick.reasons[0].endswith("by disagreement") for pick in chosen)
    sheet = read_sheet(shop.lake, both, [pick.item_id for pick in chosen])
    assert sheet.disagreement is not None
    assert sheet.disagreement.max(axis=1).min() > 0


def test_scores_without_disagreement_are_refused_to_a_round_that_asks_for_it(shop: Shop) -> None:
    shop.stocked(20)
    shop.open(shop.request(budget=3, strategy="disagreement"))
    with pytest.raises(BadPlan, match="these have no disagreement: score with an ensemble or under dropout"):
        shop.select()
    assert picked(shop) == []
