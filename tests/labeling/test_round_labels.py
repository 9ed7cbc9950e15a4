from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labeling import rounds
from labeling.errors import NothingToDo
from labeling.golden.partition import Shares
from labeling.records import Answer, Partition, PickRow
from labeling.round_labels import known_labels, member_opinions, train_rows
from labeling.rounds import preview, select_round
from labeling.score_run import ScoreRun
from labeling.scorebook import read_sheet
from scoring.ensemble import Ensemble, HeadCommittee
from selection.hashing import F64
from selection.strategies.base import Candidates, Chosen, best_policy, chosen, ranked
from selection.strategies.registry import STRATEGIES, Entry
from tests.labeling.shop import NO, UNCLEAR, Shop, items, open_shop, yes

BOTH = ("fraud", "harm")
seen: list[Candidates] = []


def near_violations(candidates: Candidates, n: int, seed: int) -> Chosen:
    """Moves with every label: the items nearest to what violates and farthest from what does not."""
    seen.append(candidates)
    utilities: F64 = np.zeros(candidates.probabilities.shape)
    if candidates.labelled is not None:
        told = np.nan_to_num(2 * candidates.labelled.answers - 1)
        vectors = candidates.vectors(slice(None)).astype(np.float64), candidates.labelled.embeddings.astype(np.float64)
        utilities = 1 / (1 + np.exp(-(vectors[0] @ vectors[1].T) @ told))
    policies, values = best_policy(candidates, utilities)
    return chosen(ranked(values, candidates.ties)[:n], policies, utilities)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> str:
    seen.clear()
    where = f"{__name__}:near_violations"
    monkeypatch.setitem(STRATEGIES, "spy", Entry(where, "a test", "", needs=("labels",)))
    monkeypatch.setitem(STRATEGIES, "cold_spy", Entry(where, "a test", ""))
    return "spy"


def labelled_shop(folder: Path, answer: Callable[[int], Answer]) -> Shop:
    """60 items, of which one round labels 40 under both policies; every partition gets its share."""
    shop = open_shop(folder)
    shop.shares = Shares(train=0.4, calibration=0.2, dev=0.2, sealed=0.2)
    shop.stocked(60)
    for task in shop.send("first", 80, lanes={"random": 1.0}):
        verdict = answer(int(task.item_id[3:]))
        shop.answer(task, verdict, verdict)
    shop.settle()
    return shop


def partitions(shop: Shop) -> dict[str, Partition]:
    return {row.item_id: row.partition for row in shop.ledger.golden.items()}


def test_a_strategy_learns_from_train_alone(tmp_path: Path, spy: str) -> None:
    shop = labelled_shop(tmp_path, lambda n: yes() if n % 3 else NO)
    train = sorted(item_id for item_id, part in partitions(shop).items() if part is Partition.TRAIN)
    assert len(set(partitions(shop).values())) == 4
    shop.open(shop.request("second", 6, lanes={"uncertain": 1.0}, strategy=spy))
    frame = shop.select("second").frame
    known = seen[0].labelled
    assert known is not None
    assert frame["labelled"] == len(known.answers) == len(train)
    sheet = read_sheet(shop.lake, shop.scorer(), train)
    np.testing.assert_array_equal(known.embeddings, sheet.embeddings)
    np.testing.assert_array_equal(known.probabilities, sheet.probabilities)
    expected = np.array([float(int(item_id[3:]) % 3 > 0) for item_id in train])
    assert not np.isnan(known.answers).all(axis=1).any()
    for column in known.answers.T:
        np.testing.assert_array_equal(column[~np.isnan(column)], expected[~np.isnan(column)])
    shop.ledger.close()


def test_no_answer_outside_train_moves_a_pick_and_one_inside_does(tmp_path: Path, spy: str) -> None:
    first = labelled_shop(tmp_path / "one", lambda n: yes() if n % 3 else NO)
    parts = partitions(first)
    train = min(number for item_id, part in parts.items() if part is Partition.TRAIN and (number := int(item_id[3:])))

    def flipped(outside: bool) -> Callable[[int], Answer]:
        def answer(n: int) -> Answer:
            turn = (parts[f"it-{n:05}"] is not Partition.TRAIN) if outside else n == train
            return yes() if bool(n % 3) is not turn else NO

        return answer

    def picks(shop: Shop) -> list[PickRow]:
        shop.open(shop.request("second", 10, strategy=spy))
        shop.select("second")
        found = shop.ledger.rounds.picks("second")
        shop.ledger.close()
        return found

    before = picks(first)
    assert picks(labelled_shop(tmp_path / "two", flipped(outside=True))) == before
    assert picks(labelled_shop(tmp_path / "three", flipped(outside=False))) != before


def test_what_is_settled_after_a_round_was_opened_waits_for_the_next(tmp_path: Path, spy: str) -> None:
    shop = labelled_shop(tmp_path, lambda n: yes() if n % 3 else NO)
    tasks = shop.send("other", 20, lanes={"random": 1.0})
    before = len(train_rows(shop.ledger.golden, BOTH))
    shop.open(shop.request("second", 6, strategy=spy))
    for task in tasks:
        shop.answer(task, NO, NO)
    shop.settle()
    assert len(train_rows(shop.ledger.golden, BOTH)) > before
    shop.select("second")
    shop.open(shop.request("third", 6, strategy=spy))
    shop.select("third")
    first, later = (found.labelled for found in (seen[0], seen[-1]))
    assert first is not None
    assert later is not None
    assert (~np.isnan(first.answers)).sum() == before < (~np.isnan(later.answers)).sum()
    shop.ledger.close()


def test_a_strategy_that_learns_from_labels_is_refused_before_there_is_one(shop: Shop, spy: str) -> None:
    shop.stocked(20)
    with pytest.raises(NothingToDo, match=r"'spy' learns from labels.*open this round with another strategy"):
        shop.open(shop.request(strategy=spy))
    assert shop.ledger.rounds.all() == []


@pytest.mark.usefixtures("spy")
def test_a_cold_start_works_with_what_there_is(shop: Shop) -> None:
    shop.stocked(20)
    shop.open(shop.request(strategy="cold_spy"))
    assert shop.select().frame["labelled"] == 0
    assert seen[0].labelled is None
    assert len(shop.ledger.rounds.picks("r1")) == 8


def test_what_is_unclear_or_of_another_policy_is_no_label(shop: Shop) -> None:
    shop.shares = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
    shop.stocked(12)
    for n, task in enumerate(shop.send("r1", 12, lanes={"random": 1.0}, policies=("harm",))):
        verdict = UNCLEAR if n < 4 else NO
        shop.answer(task, verdict, verdict)
    shop.settle()
    assert len(train_rows(shop.ledger.golden, BOTH)) == 8
    assert train_rows(shop.ledger.golden, ("fraud",)) == []
    known = known_labels(shop.ledger.golden, shop.lake, shop.scorer(), BOTH, 32)
    assert (known.items, known.left_out) == (8, 0)
    assert known.labelled is not None
    assert np.isnan(known.labelled.answers[:, 0]).all()
    assert (known.labelled.answers[:, 1] == 0).all()


def test_labels_that_a_new_scorer_has_not_met_are_said(shop: Shop) -> None:
    shop.shares = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
    shop.stocked(8)
    for task in shop.send("r1", 3, lanes={"random": 1.0}, policies=("harm",)):
        shop.answer(task, NO, NO)
    shop.settle()
    gold = {row.item_id for row in shop.ledger.golden.items()}
    fresh = shop.scorer(replace(shop.prototypes, weights=shop.prototypes.weights * 2))
    sheet = fresh.score(ids := [f"it-{n:05}" for n in range(8) if f"it-{n:05}" not in gold], texts_of(shop, ids))
    assert len(sheet.ids) == 5
    known = known_labels(shop.ledger.golden, shop.lake, fresh, BOTH, 32)
    assert (known.labelled, known.items, known.left_out) == (None, 0, 3)


def texts_of(shop: Shop, ids: list[str]) -> list[str]:
    return [str(text) for text in shop.lake.take(ids, ["text"])["text"].to_pylist()]


def test_members_of_a_committee_reach_a_strategy(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    seen.clear()
    monkeypatch.setitem(STRATEGIES, "spy", Entry(f"{__name__}:near_violations", "a test", "", needs=("committee",)))
    shop.ingest(items(range(20)))
    other = replace(shop.prototypes, weights=shop.prototypes.weights * np.array([[3.0], [-1.0]], np.float32))
    both = Ensemble([shop.scorer(), shop.scorer(other)])
    ScoreRun(shop.lake, both, 1000).go()
    shop.open(shop.request(budget=4, strategy="spy", policies=("harm",)))
    select_round(shop.ledger, shop.lake, shop.policies, both, "r1")
    members = seen[0].members
    assert members is not None
    assert members.shape[0] == 2
    np.testing.assert_allclose(members.mean(axis=0), seen[0].probabilities, atol=1e-6)
    assert np.abs(members[0] - members[1]).max() > 0.01


def test_heads_over_one_encoder_are_a_committee_and_one_head_is_none(shop: Shop) -> None:
    shop.ingest(items(range(5)))
    heads = HeadCommittee(shop.encoder, [shop.prototypes, replace(shop.prototypes, bias=shop.prototypes.bias + 1)])
    ScoreRun(shop.lake, heads, 1000).go()
    shop.score()
    told = member_opinions(heads, read_sheet(shop.lake, heads, shop.lake.ids()), ("harm",))
    assert told is not None
    assert told.shape == (2, 5, 1)
    one = shop.scorer()
    assert member_opinions(one, read_sheet(shop.lake, one, shop.lake.ids()), ("harm",)) is None


def test_a_large_round_around_violations_looks_them_up_in_a_kept_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = labelled_shop(tmp_path / "shop", lambda n: yes() if n % 3 else NO)
    shop.open(shop.request("second", 6, lanes={"uncertain": 1.0}, strategy="seals"))
    plain = preview(
        shop.ledger,
        shop.lake,
        shop.policies,
        shop.scorer(),
        shop.request("third", 6, lanes={"uncertain": 1.0}, strategy="seals"),
    )
    monkeypatch.setattr(rounds, "INDEX_ABOVE", 5)
    cache = tmp_path / "cache"
    round_ = select_round(shop.ledger, shop.lake, shop.policies, shop.scorer(), "second", cache)
    assert [path.name for path in cache.glob("neighbours-*.npz")] == [
        f"neighbours-{shop.scorer().embedding_version}.npz"
    ]
    picked = {(pick.item_id, pick.policy_id) for pick in shop.ledger.rounds.picks(round_.round_id)}
    assert picked == {(pick.item_id, pick.policy) for pick in plain.selection.picks}
    shop.ledger.close()
