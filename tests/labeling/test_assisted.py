"""The assisted lane: who is drawn, what is suggested, and that it never becomes gold."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.anchoring import close_answered
from labeling.assisted import Suggestion, check_shares, draw, suggest, suggested
from labeling.errors import InvalidInput
from labeling.records import Outcome, RoundState, Task, TaskKind, TaskState
from labeling.rounds import close_round, preview
from labeling.second_looks import earlier, judges
from selection.types import RELABEL
from tests.labeling.shop import NO, Shop, yes

LANE = {"assisted": 0.5, "assisted_blind_share": 0.5}


def opened(shop: Shop, budget: int = 8) -> tuple[list[Task], list[Task]]:
    """A round whose blind questions lie in Label Studio: these, and the assisted ones."""
    shop.stocked(40).send("r1", budget, **LANE)
    tasks = shop.ledger.tasks
    return tasks.where(kind=TaskKind.BLIND), tasks.where(kind=TaskKind.ASSISTED)


def test_picks_are_shared_out_and_the_frame_says_how(shop: Shop) -> None:
    blind, assisted = opened(shop)
    assert (len(blind), len(assisted)) == (6, 4)  # 4 of 8 assisted, 2 of them also blind
    twins = {task.parent_task_id for task in assisted} - {None}
    assert len(twins) == 2
    assert twins < {task.task_id for task in blind}
    round_ = shop.ledger.rounds.get("r1")
    assert round_.frame["assisted"] == {"picks": 4, "also_blind": 2, "of": 8}
    assert any("4 of 8 picks are answered beside a suggestion" in note for note in round_.notes)
    picks = {(pick.item_id, pick.policy_id): pick for pick in shop.ledger.rounds.picks("r1")}
    assert len(picks) == 8
    for task in assisted:
        pick, told = picks[task.item_id, task.policy_id], suggested(task)
        assert told == suggest(pick.probability, 0.5, told.model if told else "")
        assert (task.overlap, task.exposure > 0) == (1, True)
    assert {suggested(task) for task in blind} == {None}
    assert shop.ledger.rounds.judged() == set(picks)  # assisted ones are not drawn again


def test_a_dry_run_draws_the_same_and_costs_what_it_costs(shop: Shop) -> None:
    shop.stocked(40)
    request = shop.request("r1", 8, **LANE)
    shown = preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), request)
    shop.open(request)
    frame = shop.select().frame
    assert frame["assisted"] == shown.selection.frame["assisted"]
    assert frame["estimate"] == shown.selection.frame["estimate"]
    plain = preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), shop.request("r2", 8))
    assert "assisted" not in plain.selection.frame
    assert "assisted" not in shop.open(shop.request("r2", 8)).plan


def test_an_assisted_question_waits_for_the_end_of_its_blind_one(shop: Shop) -> None:
    _blind, assisted = opened(shop)
    twins = {task.task_id: task.parent_task_id for task in assisted if task.parent_task_id}
    shop.ledger.tasks.requeue([task.task_id for task in assisted])
    everyone = {task.task_id for task in assisted}

    def ready() -> set[str]:
        tasks = shop.ledger.tasks
        return {task.task_id for task in tasks.next_unsent(tasks.unsent("r1"), 100)}

    assert ready() == everyone - set(twins)
    assert sum(group.tasks for group in shop.ledger.tasks.unsent("r1")) == len(everyone) - len(twins)
    first, twin = sorted(twins.items())[0]
    shop.ledger.tasks.set_state([str(twin)], TaskState.SETTLED)
    assert ready() == everyone - (set(twins) - {first})


def test_assisted_answers_end_their_tasks_and_make_no_gold(shop: Shop) -> None:
    blind, assisted = opened(shop)
    for task in assisted:
        shop.answer(task, yes(), yes(), yes())
    assert shop.settle().golden == 0
    assert close_answered(shop.ledger) == len(assisted)
    assert close_answered(shop.ledger) == 0
    assert shop.ledger.golden.items() == []
    assert not close_round(shop.ledger, "r1")
    for task in blind:
        shop.answer(task, NO, NO)
    assert shop.settle().golden == len(blind)
    assert {g.outcome for g in shop.ledger.golden.items()} == {Outcome.ALLOWED}
    assert close_round(shop.ledger, "r1")
    assert shop.ledger.rounds.get("r1").state is RoundState.CLOSED


def test_an_assisted_task_whose_answer_outlived_its_screen_has_an_end(shop: Shop) -> None:
    _blind, assisted = opened(shop)
    task = assisted[0]
    shop.answer(task, yes())
    shop.ledger.tasks.set_state([task.task_id], TaskState.ANSWERED)  # as a push after a rebuild does
    assert close_answered(shop.ledger) == 1
    assert shop.ledger.tasks.get(task.task_id).state is TaskState.SETTLED


@pytest.mark.parametrize(("assisted", "blind"), [(-0.1, 0.2), (1.1, 0.2), (0.3, 0.0), (0.3, 1.1)])
def test_shares_that_are_none_are_refused(shop: Shop, assisted: float, blind: float) -> None:
    with pytest.raises(InvalidInput, match="no share"):
        check_shares(assisted, blind)
    shop.stocked(10)
    with pytest.raises(InvalidInput, match="no share"):
        shop.open(shop.request("r1", 4, assisted=assisted, assisted_blind_share=blind))


@pytest.mark.parametrize(
    ("p", "threshold", "outcome", "score"),
    [(0.7, 0.7, Outcome.VIOLATES, 0.7), (0.6, 0.7, Outcome.ALLOWED, 0.4), (0.0, 0.5, Outcome.ALLOWED, 1.0)],
)
def test_the_threshold_decides(p: float, threshold: float, outcome: Outcome, score: float) -> None:
    told = suggest(p, threshold, "m 1")
    assert (told.outcome, told.rule, told.model) == (outcome, None, "m 1")
    assert told.score == pytest.approx(score)


Picks = list[tuple[str, str, str]]
PICKS = st.lists(
    st.tuples(st.text(max_size=4), st.sampled_from(["a", "b"]), st.sampled_from(["random", "uncertain", RELABEL])),
    max_size=40,
    unique_by=lambda pick: pick[:2],
)


@given(PICKS, st.floats(0, 1), st.floats(0.01, 1), st.integers(0, 2**32), st.randoms())
def test_the_draw_is_a_share_of_all_but_second_looks(
    picks: Picks, share: float, blind: float, seed: int, dice: object
) -> None:
    plan: dict[str, object] = {"assisted": share, "assisted_blind_share": blind}
    drawn = draw(plan, seed, picks)
    may = {(item, policy) for item, policy, lane in picks if lane != RELABEL}
    assert drawn.also_blind <= drawn.assisted <= may
    assert len(drawn.assisted) == min(len(may), round(share * len(picks)))
    assert bool(drawn.also_blind) is bool(drawn.assisted)
    assert draw(plan, seed, picks[::-1]) == drawn
    assert draw({}, seed, picks).assisted == frozenset()


def test_every_pick_has_the_same_chance() -> None:
    picks = [(f"i{n}", "a", "random") for n in range(20)]
    counts = [0] * 20
    for seed in range(2000):
        for item, _ in draw(LANE, seed, picks).also_blind:
            counts[int(item[1:])] += 1
    assert _all_near(counts, 2000 * 5 / 20)


def _all_near(counts: Sequence[int], mean: float) -> bool:
    return all(abs(count - mean) < 5 * (mean * 0.75) ** 0.5 for count in counts)


def test_a_suggestion_survives_its_way_through_a_task(shop: Shop) -> None:
    _, assisted = opened(shop)
    told = suggested(assisted[0])
    assert isinstance(told, Suggestion)
    assert told.as_prompt() == assisted[0].prompt


def test_who_answered_beside_a_suggestion_gives_no_second_look(shop: Shop) -> None:
    _, assisted = opened(shop)
    twin = next(task for task in assisted if task.parent_task_id)
    root = shop.ledger.tasks.get(str(twin.parent_task_id))
    shop.answer(root, NO, NO)
    assert shop.settle().golden == 1
    assert shop.ledger.tasks.get(twin.task_id).state is not TaskState.SETTLED  # it is asked after the blind one
    pair = (root.item_id, root.policy_id)
    before = earlier(shop.ledger, [pair])[pair]
    assert (before.enough, before.beside) == (3, frozenset())
    shop.answer(twin, yes(), people=("dan",))
    after = earlier(shop.ledger, [pair])[pair]
    assert (after.enough, after.beside) == (4, frozenset({"dan@example.org"}))
    assert judges(shop.ledger, after) == {f"{who}@example.org" for who in ("ann", "bob", "dan")}
