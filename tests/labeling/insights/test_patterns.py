from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from labeling.errors import InvalidInput, NotFound, NothingToDo, StoreError
from labeling.golden.partition import Shares
from labeling.insights.judged_answers import judged_answers, may_judge, production_record, shift
from labeling.insights.pattern_pages import write
from labeling.insights.patterns import Patterns, patterns
from labeling.records import GoldState, How, TaskKind
from tests.figures import assert_whole
from tests.labeling.shop import NO, NOW, Shop, items, open_shop, yes

OPEN = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Bob says allowed to every second violation; a lead decides each dispute. Nobody changes it."""
    shop = open_shop(tmp_path_factory.mktemp("careless"))
    shop.shares = OPEN
    shop.ingest(items(range(80)))
    shop.score()
    for task in shop.send("r1", 80, lanes={"random": 1.0}, overlap=3):
        number = int(task.item_id[3:])
        true = yes() if number % 2 == 0 else NO
        shop.answer(task, true, NO if number % 4 == 0 else true, true)
    shop.settle()
    shop.deliver()
    for question in shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION):
        shop.answer(question, yes(), people=("lead",))
    shop.settle()
    yield shop
    shop.ledger.close()


def test_answers_stand_beside_gold(careless: Shop) -> None:
    told = judged_answers(careless.ledger, careless.lake, UTC)
    assert (len(told.records), told.withheld, told.unjudged) == (240, 0, 0)
    one = next(r for r in told.records if r["item"] == "ext-0" and r["person"] == "bob@example.org")
    assert (one["gold"].partition(":")[2], one["given"].partition(":")[2]) == ("violates/general", "allowed")
    assert (one["language"], one["source"], one["tool"]) == ("en", "human", "text form")
    assert one["shift"] == shift(NOW, UTC) == "day 08-16"
    assert "lead@example.org" not in {record["person"] for record in told.records}


def test_the_careless_person_is_found_and_named_to_a_lead_without_points(careless: Shop) -> None:
    found = patterns(careless.ledger, careless.lake)
    first = found.patterns[0]
    assert (first.cohort, first.level, first.is_personal) == ("person", "bob@example.org", True)
    assert len(first.exemplars) == 5
    assert set(first.exemplars) <= {f"ext-{n}" for n in range(0, 80, 4)}
    assert set(first.exemplars) <= set(first.items)
    assert first.policy_versions == ("1.0.0",)
    whole = found.told(first, whole=True)
    figures = {name: whole[name] for name in ("rate", "other")} | {"pulls": [part["pull"] for part in whole["parts"]]}  # type: ignore[attr-defined]
    assert {figure["value"] for figure in assert_whole(figures, 3)} == {None}
    assert whole["lift"] is None
    assert '"events"' not in json.dumps(whole)
    assert_whole(found.as_dict(), 2)
    assert "no population claim" in str(whole)
    assert not set(first.other_items) & set(first.items)
    assert found.impersonal().patterns == tuple(one for one in found.patterns if not one.is_personal)
    assert "says w" not in json.dumps(found.as_dict())  # no content
    assert found == patterns(careless.ledger, careless.lake)
    assert found.one(first.pattern_id) == first
    with pytest.raises(NotFound, match="no pattern has the id 'nobody' now"):
        found.one("nobody")


def test_only_gold_that_may_judge_does(careless: Shop) -> None:
    gold = careless.ledger.golden.items()[0]
    assert may_judge(gold, "1.0.0")
    assert not may_judge(gold, "2.0.0")
    assert not may_judge(replace(gold, state=GoldState.STALE), "1.0.0")
    assert not may_judge(replace(gold, how=How.CONTESTED), "1.0.0")


def test_sealed_answers_are_withheld(shop: Shop) -> None:
    shop.shares = Shares(train=0.5, calibration=0.0, dev=0.0, sealed=0.5)
    shop.stocked(20)
    for task in shop.send("r1", 20, lanes={"random": 1.0}):
        shop.answer(task, NO, NO)
    shop.settle()
    sealed = shop.ledger.golden.items(partition="sealed")
    told = judged_answers(shop.ledger, shop.lake, UTC)
    assert told.withheld == 2 * len(sealed) > 0
    hidden = {(row.external_id, row.policy_id) for row in sealed}
    assert not hidden & {(r["item"], r["gold"].partition(":")[0]) for r in told.records}


def test_decisions_of_production_are_mined_beside_the_answers(shop: Shop) -> None:
    records = [
        production_record(
            item=f"post-{n}",
            policy="harm",
            policy_version="1.0.0",
            gold=("violates", "general"),
            given=("allowed", None) if n < 30 else ("violates", None),
            tool="queue-b" if n < 60 else "queue-a",
            language="pt",
        )
        for n in range(200)
    ]
    found = patterns(shop.ledger, shop.lake, decisions=records)
    (one,) = found.patterns
    assert (one.cohort, one.level, one.rate.events, one.rate.n) == ("tool", "queue-b", 30, 60)
    assert (one.items, one.other_items) == (tuple(sorted(f"post-{n}" for n in range(30))), ())
    assert found.told(one)["lift"] is None  # nothing is wrong elsewhere
    assert (found.decisions, found.errors, found.unclustered) == (200, 30, 200)
    assert patterns(shop.ledger, shop.lake, decisions=records[::-1]) == found


def test_a_decision_without_a_rule_is_not_held_to_one() -> None:
    common = {"item": "a", "policy": "harm", "policy_version": "1.0.0", "gold": ("violates", "general")}
    same = production_record(**common, given=("violates", None))  # type: ignore[arg-type]
    assert same["given"] == same["gold"] == "harm:violates/general"
    other = production_record(**common, given=("violates", "slur"), technical=True)  # type: ignore[arg-type]
    assert (other["given"], other["error"]) == ("harm:violates/slur", "technical")


def test_nothing_was_judged_yet(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="goldfold sync"):
        patterns(shop.ledger, shop.lake)


def test_patterns_are_written_as_json_or_cards(careless: Shop, tmp_path: Path) -> None:
    found = patterns(careless.ledger, careless.lake)
    for name in ("told/patterns.json", "told/patterns.md"):
        write(found, tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    told = json.loads((tmp_path / "told/patterns.json").read_text(encoding="utf-8"))
    assert told["patterns"][0]["external_ids"] == list(found.patterns[0].items)
    page = (tmp_path / "told/patterns.md").read_text(encoding="utf-8")
    assert f"## {found.patterns[0].card.title}" in page
    assert found.patterns[0].pattern_id in page
    _refused(found, tmp_path)


def _refused(found: Patterns, folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"ends in \.json or \.md"):
        write(found, folder / "patterns.csv")
    (folder / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write(found, folder / "file" / "patterns.md")
