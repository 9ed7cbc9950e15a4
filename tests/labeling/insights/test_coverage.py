"""Coverage over a real lake and golden set: what is near, what is dark, and a round over what is dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import Conflict, InvalidInput, NotFound, NothingToDo
from labeling.golden.partition import Shares
from labeling.insights.coverage import Asked, coverage
from labeling.insights.coverage_rounds import LANE, Opened, Order, open_cluster
from labeling.insights.traffic import Frame, survey
from labeling.records import RoundState, TaskState
from labeling.round_images import hashes
from labeling.settle import settle_all
from labeling.yields import closed_rounds
from selection.errors import BudgetTooLarge
from tests.labeling.shop import NO, Shop, items, open_shop, yes
from tests.labeling.test_round_images import Eye, hang

SEALED = Shares(train=0.0, calibration=0.0, dev=0.0, sealed=1.0, anchor=0.0)
TRAIN = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0, anchor=0.0)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_shop(tmp_path)
    made.ingest(items(range(60), "cheat money cheat money coins fast v{n}"))
    made.ingest(items(range(60, 120), "a quiet walk outside with dogs v{n}"))
    made.score()
    made.shares = TRAIN
    yield made
    made.ledger.close()


def gild(shop: Shop, numbers: range, round_id: str = "r1") -> None:
    """The texts of fraud, or the others, become gold by a round of chance over them."""
    for task in shop.send(round_id, 12, lanes={"random": 1.0}, policies=("fraud",), duplicate_cosine=None):
        is_fraud = "cheat" in task.text
        if int(task.item_id.removeprefix("it-")) in numbers:
            shop.answer(task, *((yes() if is_fraud else NO),) * 2)
    shop.settle()


def told(shop: Shop, **changes: object) -> dict[str, Any]:
    asked = Asked(**({"policy": "fraud", "cosine": 0.6} | changes))  # type: ignore[arg-type]
    return coverage(shop.ledger, shop.lake, shop.scorer(), shop.policies, asked)


def order(shop: Shop, cluster: str, **changes: object) -> Opened:
    how = {"cluster": cluster, "budget": 5, "policies": ("fraud",), "cosine": 0.6, "duplicate_cosine": None}
    dry_run = bool(changes.pop("dry_run", False))
    wanted = Order(**(how | changes))  # type: ignore[arg-type]
    return open_cluster(shop.ledger, shop.lake, shop.scorer(), shop.policies, wanted, "ann", dry_run=dry_run)


def darkest(shop: Shop, **changes: object) -> dict[str, Any]:
    first: dict[str, Any] = told(shop, **changes)["clusters"][0]
    return first


def test_without_gold_all_is_dark_and_the_risky_cluster_comes_first(shop: Shop) -> None:
    found = told(shop)
    assert found["near"]["value"] == 0.0
    assert found["divergence"]["value"] is None
    first = darkest(shop)
    assert (first["items"], first["gold"], first["risky"] > 40) == (60, 0, True)
    assert all(shop.lake.take([i], ["text"])["text"][0].as_py().startswith("cheat") for i in first["exemplars"])
    json.dumps(found, allow_nan=False)


def test_gold_on_one_side_leaves_the_other_dark(shop: Shop) -> None:
    gild(shop, range(60))
    found = told(shop)
    near, risky = found["near"], found["near_risky"]
    assert near["value"] == pytest.approx(0.5)
    assert risky["value"] == pytest.approx(1.0)
    assert near["licence"].startswith("population: all 120 texts")
    assert near["policy_version"] == "fraud 1.0.0"
    assert near["golden_version"] == "unpublished"
    assert [rung["value"] for rung in found["ladder"]] == sorted(
        (rung["value"] for rung in found["ladder"]),
        reverse=True,
    )
    first = darkest(shop)
    assert (first["dark_risk"], first["gold"], first["risky"]) == (0.0, 0, 0)
    assert first["near"]["value"] == 0.0


def test_a_sample_says_its_size_and_stands_for_the_rest(shop: Shop) -> None:
    gild(shop, range(60))
    found = told(shop, frame=Frame(sample=80))
    near = found["near"]
    assert (found["items"], found["looked_at"]) == (120, 80)
    assert near["low"] < near["value"] < near["high"]
    assert "a simple random sample of 80 of 120" in near["licence"]
    assert sum(one["items"] for one in found["clusters"]) == pytest.approx(120, abs=2)


def test_sealed_gold_counts_in_all_traffic_and_nowhere_else(shop: Shop) -> None:
    before = told(shop)
    shop.shares = SEALED
    gild(shop, range(60))
    found = told(shop)
    assert found["gold"]["partitions"] == {"sealed": found["gold"]["items"]}
    assert found["near"]["value"] == pytest.approx(0.5)
    for one, other in zip(found["clusters"], before["clusters"], strict=True):
        assert all(one[name] == other[name] for name in ("cluster", "dark_risk", "gold", "near", "near_risky"))
        assert len(one["exemplars"]) == 5
        assert order(shop, one["cluster"], dry_run=True).dark == one["items"]


def test_words_are_there_for_who_asks(shop: Shop) -> None:
    assert darkest(shop)["words"] == []
    assert {"cheat", "money"} & set(darkest(shop, words=True)["words"])


def test_a_cluster_keeps_its_id_while_traffic_comes_in(shop: Shop) -> None:
    cluster = str(darkest(shop)["cluster"])
    shop.ingest(items(range(200, 260), "something else again v{n}"))
    shop.score()
    assert order(shop, cluster, dry_run=True).items == 60
    shop.lake.delete([str(darkest(shop, frame=Frame(survey_version(cluster)))["exemplars"][0])])
    with pytest.raises(NotFound, match="is not there any more"):
        order(shop, cluster, dry_run=True)


def survey_version(cluster: str) -> int:
    return int(cluster.removeprefix("c").split("x")[0])


def test_a_dry_run_writes_nothing_and_a_round_asks_about_the_dark(shop: Shop) -> None:
    gild(shop, range(60))
    cluster = str(darkest(shop)["cluster"])
    shown = order(shop, cluster, dry_run=True)
    assert [one.round_id for one in shop.ledger.rounds.all()] == ["r1"]
    made = order(shop, cluster)
    assert (made.picks, made.items, made.dark) == (shown.picks, 60, 60)
    assert all((pick.pi, pick.lane) == (None, LANE) for pick in made.picks)
    assert all("walk" in task.text for task in shop.ledger.tasks.where(round_id=made.round_id))
    round_ = shop.ledger.rounds.get(made.round_id)
    assert (round_.state, round_.plan["purpose"]) == (RoundState.OPEN, "coverage")
    again = order(shop, cluster)
    assert (again.picks, again.again) == (tuple(sorted(made.picks, key=lambda p: p.item_id)), True)
    with pytest.raises(Conflict, match="another plan"):
        order(shop, cluster, budget=4)
    assert {task.state for task in shop.ledger.tasks.where(round_id=made.round_id)} == {TaskState.QUEUED}
    assert made.round_id not in [one.round_id for one in closed_rounds(shop.ledger.rounds)]


def test_a_sampled_cluster_is_asked_about_whole(shop: Shop) -> None:
    cluster = str(darkest(shop, frame=Frame(sample=110))["cluster"])
    assert "x110-" in cluster
    assert order(shop, cluster, dry_run=True).items == 60


def test_what_cannot_be_done_is_said(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="cosine: must lie in"):
        told(shop, cosine=1.5)
    with pytest.raises(InvalidInput, match="policy: 'mood' is not judged"):
        told(shop, policy="mood")
    with pytest.raises(InvalidInput, match="sample: must lie in 1 to 200000"):
        told(shop, frame=Frame(sample=0))
    with pytest.raises(NotFound, match="cluster 'x' is none"):
        order(shop, "x")
    cluster = str(darkest(shop)["cluster"])
    with pytest.raises(InvalidInput, match="budget: must be positive"):
        order(shop, cluster, budget=0)
    with pytest.raises(InvalidInput, match="policies: mood: the scorer does not judge"):
        order(shop, cluster, policies=("mood",))
    with pytest.raises(BudgetTooLarge):
        order(shop, cluster, budget=5000)
    gild(shop, range(60))
    bright = next(one for one in told(shop)["clusters"] if one["gold"])
    with pytest.raises(NothingToDo, match="every item of it lies near gold"):
        order(shop, bright["cluster"])


def test_an_empty_lake_is_told(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    with pytest.raises(NothingToDo, match="run the score job first"):
        survey(shop.ledger.items, shop.lake, shop.scorer(), Frame())
    shop.ledger.close()


def test_images_are_looked_at_by_themselves_and_asked_about(shop: Shop) -> None:
    gallery, desk = hang(shop, 20)
    gallery.files.pop("3.png")
    how = {"cosine": 0.9, "frame": Frame(modality="image"), "policy": "harm"}

    def seen() -> dict[str, Any]:
        return coverage(shop.ledger, shop.lake, Eye(), shop.policies, Asked(**how))  # type: ignore[arg-type]

    before = seen()
    assert (before["modality"], before["items"], before["others"]) == ("image", 20, {"text": 120})
    assert before["near"]["licence"].startswith("population: all 20 images that have")
    assert told(shop)["others"] == {"image": 20}
    (first,) = before["clusters"]
    assert first["cluster"].startswith("i")
    wanted = Order(first["cluster"], 20, ("harm",), 1, 0.9, None)
    ask = partial(open_cluster, shop.ledger, shop.lake, Eye(), shop.policies, wanted, "ann")
    with pytest.raises(NothingToDo, match="none of its 20 picked images can be read now"):
        ask(dry_run=True)
    made = ask(dry_run=False, images=partial(hashes, shop.lake, desk))
    assert (len(made.picks), made.dark) == (19, 20)
    assert any("1 picked images cannot be read now" in note for note in made.notes)
    tasks = shop.ledger.tasks.where(round_id=made.round_id)
    assert {(task.modality, task.item_id == "im-00003") for task in tasks} == {("image", False)}
    shop.deliver()
    for task in shop.ledger.tasks.where(round_id=made.round_id):
        shop.answer(task, NO)
    assert settle_all(shop.ledger, shop.lake, shop.groups, read=gallery.read).golden == 19
    after = seen()
    assert (after["gold"]["items"], after["near"]["events"], after["clusters"][0]["gold"]) == (19, 19, 19)
    assert told(shop)["gold"]["items"] == 0


def test_images_without_embeddings_are_told(shop: Shop) -> None:
    hang(shop, 2, score=False)
    with pytest.raises(NothingToDo, match="none of 2 images has a score and an embedding yet"):
        survey(shop.ledger.items, shop.lake, Eye(), Frame(modality="image"))
