from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.errors import Conflict
from labeling.importing.answers import ImportedAnswer, ImportedItem
from labeling.importing.write import ImportReport, import_answers
from labeling.ingest import ingest
from labeling.items import item_id_of
from labeling.records import Answer, GoldState, How, Outcome, RoundState, TaskKind, TaskState, Tier
from labeling.rounds import close_round
from labeling.stops import purge
from tests.labeling.shop import NO, Shop, open_shop, yes


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = open_shop(tmp_path)
    yield shop
    shop.ledger.close()


def said(who: str, answer: Answer, *, assisted: bool = False) -> ImportedAnswer:
    return ImportedAnswer(f"{who}@example.org", answer, assisted=assisted)


def item(n: int, *answers: ImportedAnswer) -> ImportedItem:
    return ImportedItem(n, {"external_id": f"old-{n}", "text": f"old words of {n}"}, answers)


def bring(shop: Shop, items: list[ImportedItem], round_id: str = "old", *, blind: bool = True) -> ImportReport:
    ingest(
        [each.fields for each in items],
        shop.lake,
        shop.ledger.items,
        lock_path=shop.folder / "lock",
        max_text_chars=1000,
        policies=shop.policies,
    )
    return import_answers(shop.ledger, shop.lake, shop.policies["fraud"], items, round_id, "a file", blind=blind)


ITEMS = [
    item(1, said("ann", NO), said("bob", NO)),
    item(2, said("ann", yes()), said("bob", NO)),
    item(3, said("ann", yes())),
    item(4),
    item(5, said("ann", NO, assisted=True), said("bob", NO, assisted=True)),
]


def test_answers_that_agree_become_gold_and_disputes_go_to_a_lead(shop: Shop) -> None:
    assert bring(shop, ITEMS) == ImportReport(5, 7, 1, 0, 2, 7)
    report = shop.settle()
    assert (report.golden, report.disputed, report.problems) == (2, 1, [])
    gold = {row.external_id: row for row in shop.ledger.golden.items()}
    assert (gold["old-1"].tier, gold["old-1"].how, gold["old-1"].pi) == (Tier.GOLDEN, How.UNANIMOUS, None)
    assert (gold["old-3"].tier, gold["old-3"].state) == (Tier.PROVISIONAL, GoldState.ACTIVE)
    assert len(shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION, states=(TaskState.QUEUED,))) == 1
    assert shop.ledger.rounds.get("old").state is RoundState.OPEN


def test_assisted_answers_are_kept_and_certify_nothing(shop: Shop) -> None:
    assert bring(shop, ITEMS, blind=False).assisted == 7
    assert shop.settle().settled == 0
    assert shop.ledger.golden.items() == []
    task = shop.ledger.tasks.where(kind=TaskKind.ASSISTED)[0]
    assert len(shop.ledger.annotations.events(task.task_id)) == task.overlap
    assert close_round(shop.ledger, "old")
    assert shop.ledger.rounds.judged() == set()  # nobody judged them blind: a round may still ask


def test_importing_again_adds_nothing_and_another_plan_is_a_conflict(shop: Shop) -> None:
    bring(shop, ITEMS)
    shop.settle()
    gold = shop.ledger.golden.items()
    assert bring(shop, ITEMS).events == 0
    shop.settle()
    assert shop.ledger.golden.items() == gold
    with pytest.raises(Conflict, match="another plan"):
        bring(shop, ITEMS[:1])


def test_what_another_round_judged_is_left_alone(shop: Shop) -> None:
    bring(shop, ITEMS[:1])
    again = bring(shop, ITEMS[:2], "newer")
    assert (again.judged, again.events) == (1, 2)
    assert (item_id_of("old-1"), "fraud") in shop.ledger.rounds.judged()


def test_what_was_stopped_for_legal_reasons_is_left_out_with_its_answers(shop: Shop) -> None:
    bring(shop, ITEMS)
    task = next(t for t in shop.ledger.tasks.where() if t.item_id == item_id_of("old-1"))
    shop.answer(task, Answer(Outcome.LEGAL_STOP), people=["eve"])
    purge(shop.ledger.stops, shop.lake, shop.folder / "cache")
    again = bring(shop, ITEMS, "new")
    assert (again.items, again.stopped) == (len(ITEMS) - 1, 1)
    assert item_id_of("old-1") not in {task.item_id for task in shop.ledger.tasks.where(round_id="new")}
