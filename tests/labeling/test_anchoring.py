"""The anchoring meter over a real ledger."""

from __future__ import annotations

from dataclasses import replace

from labeling.anchoring import assisted_items, report
from labeling.assisted import suggested
from labeling.records import Annotation, Origin, Outcome, Partition, TaskKind
from tests.figures import assert_whole
from tests.labeling.shop import NO, Shop, yes

ALL = {"assisted": 1.0, "assisted_blind_share": 1.0}


def follow(outcome: Outcome) -> object:
    return yes() if outcome is Outcome.VIOLATES else NO


def against(outcome: Outcome) -> object:
    return NO if outcome is Outcome.VIOLATES else yes()


def answered(shop: Shop) -> int:
    """Two people answer 20 items blind, against every suggestion; a third answers beside them, as suggested."""
    shop.stocked(60).send("r1", 20, **ALL, policies=("fraud",))
    blind = {task.task_id: task for task in shop.ledger.tasks.where(kind=TaskKind.BLIND)}
    lane = shop.ledger.tasks.where(kind=TaskKind.ASSISTED)
    for task in lane:
        told = suggested(task)
        assert told is not None
        shop.answer(blind[str(task.parent_task_id)], against(told.outcome), against(told.outcome))  # type: ignore[arg-type]
        shop.answer(task, follow(told.outcome), people=("dan",))  # type: ignore[arg-type]
    return len(lane)


def test_who_follows_wrong_suggestions_is_seen(shop: Shop) -> None:
    assert answered(shop) == 20
    before = report(shop.ledger)
    assert (before.given, before.answered, before.withheld) == (20, 20, 0)
    assert before.overall.shift == 1.0
    assert_whole(before.as_dict({}), 5)
    assert len(assisted_items(shop.ledger, "fraud", "dan@example.org")) == 20
    assert assisted_items(shop.ledger, person="eve@example.org") == []
    assert before.people["dan@example.org", "fraud"] == before.policies["fraud"] == before.overall
    assert set(before.people) == {("dan@example.org", "fraud")}
    assert before.origins == {"taken": 0, "changed": 0, "anew": 0, "unknown": 20}
    assert (before.wrong.n, before.misled.n) == (0, 0)  # there is no gold yet


def test_gold_says_which_suggestions_were_wrong_and_sealed_items_are_withheld(shop: Shop) -> None:
    answered(shop)
    shop.settle()
    gold = shop.ledger.golden.items()
    hidden = sum(g.partition in (Partition.SEALED, Partition.ANCHOR) for g in gold)
    found = report(shop.ledger)
    assert found.withheld == hidden
    assert found.overall.n == found.wrong.n == 20 - hidden
    assert found.misled.events == found.misled.n == 20 - hidden


def test_nothing_is_nothing(shop: Shop) -> None:
    found = report(shop.stocked(5).ledger)
    assert (found.given, found.overall.n, found.people, found.policies) == (0, 0, {}, {})


def test_origins_are_kept_and_counted(shop: Shop) -> None:
    shop.stocked(30).send("r1", 3, **ALL)
    lane = shop.ledger.tasks.where(kind=TaskKind.ASSISTED)
    for task, origin in zip(lane, (Origin.TAKEN, Origin.CHANGED, Origin.ANEW), strict=True):
        shop.answer(task, NO, people=("dan",))
        (event,) = shop.ledger.annotations.events(task.task_id)
        later = replace(event, studio_annotation_id=9, annotator="eve@example.org", updated_by="", origin=origin)
        shop.ledger.annotations.append([later])
    assert report(shop.ledger).origins == {"taken": 1, "changed": 1, "anew": 1, "unknown": 3}
    (one,) = [a for a in shop.ledger.annotations.current([lane[0].task_id])[lane[0].task_id] if a.origin]
    assert isinstance(one, Annotation)
    assert one.origin is Origin.TAKEN
