from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from labeling.errors import NothingToDo
from labeling.golden.diff import Which, diff, told_errata
from labeling.golden.outlook import outlook
from labeling.golden.partition import Shares
from labeling.golden.publish import publish
from labeling.golden_records import Erratum, GoldMove
from labeling.records import GoldAction
from tests.labeling.golden.desk import Desk
from tests.labeling.golden.made import NO, NOW, YES


def test_what_would_change_is_what_then_changes(desk: Desk, tmp_path: Path) -> None:
    desk.ingest({"a": ("one", 0), "b": ("two", 90), "c": ("three", 180), "d": ("four", 270)})
    golden = desk.ledger.golden
    with pytest.raises(NothingToDo, match="no active item"):
        outlook(golden)
    desk.shares = Shares(train=1, calibration=0, dev=0, sealed=0)
    for item_id in ("a", "b"):
        desk.label(item_id, YES)
    desk.shares = Shares(train=0, calibration=0, dev=0, sealed=1)
    desk.label("d", YES)
    first = outlook(golden)
    assert (first.version, first.parent, first.counts) == ("1.0.0", None, {"sealed": 1, "train": 2})
    assert first.diff.counts == {"added": 3}
    assert [row["item_id"] for row in first.diff.rows] == ["a", "b"]  # a sealed row is counted
    publish(golden, tmp_path, NOW)
    with pytest.raises(NothingToDo, match="nothing changed"):
        outlook(golden)
    desk.shares = Shares(train=1, calibration=0, dev=0, sealed=0)
    desk.label("c", NO)
    golden.change([GoldMove("b", "harm", golden.rows_of("b")[0].adjudication_id, GoldAction.RETIRED, "lead", "old")])
    found = outlook(golden, limit=1)
    assert golden.versions()[-1].version == "1.0.0"  # nothing is written
    publish(golden, tmp_path, NOW + timedelta(hours=1))
    then = diff(golden, "1.0.0", found.version, which=Which(limit=1, sealed=False))
    assert (found.diff.counts, found.diff.strata, found.diff.rows) == (then.counts, then.strata, then.rows)
    assert (found.diff.changed, found.diff.listed, len(found.diff.rows)) == (2, 2, 1)
    assert found.diff.rows[0]["why"][0]["reason"] == "old"


def test_changed_rows_come_page_by_page(desk: Desk, tmp_path: Path) -> None:
    desk.shares = Shares(train=1, calibration=0, dev=0, sealed=0)
    desk.ingest({name: (f"text {name}", 72 * place) for place, name in enumerate("abcde")})
    golden = desk.ledger.golden
    for item_id in "abc":
        desk.label(item_id, YES)
    publish(golden, tmp_path, NOW)
    for item_id in "de":
        desk.label(item_id, YES)
    desk.label("a", NO, version="1.0.1")
    publish(golden, tmp_path, NOW + timedelta(hours=1))
    pages = [diff(golden, "1.0.0", "2.0.0", which=Which(limit=2, skip=skip)) for skip in (0, 2, 4)]
    assert [[row["item_id"] for row in page.rows] for page in pages] == [["a", "d"], ["e"], []]
    assert {(page.changed, page.listed) for page in pages} == {(3, 3)}
    added = diff(golden, "1.0.0", "2.0.0", which=Which(kind="added"))
    assert ([row["item_id"] for row in added.rows], added.changed, added.listed) == (["d", "e"], 3, 2)


def test_errata_are_told_but_for_what_is_sealed(desk: Desk, tmp_path: Path) -> None:
    desk.ingest({"a": ("one", 0), "b": ("two", 90)})
    golden = desk.ledger.golden
    for item_id, shares in (("a", Shares(1, 0, 0, 0)), ("b", Shares(0, 0, 0, 1))):
        desk.shares = shares
        desk.label(item_id, YES)
    publish(golden, tmp_path, NOW)
    for item_id in ("a", "b"):
        golden.add_erratum(Erratum("1.0.0", item_id, "harm", "it quotes", "lead", NOW))
    assert [one.reason for one in told_errata(golden, golden.errata())] == ["it quotes", "withheld"]
