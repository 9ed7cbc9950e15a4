from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from labeling.golden.blame import HIDDEN
from labeling.golden.partition import Shares
from labeling.golden.publish import publish
from labeling.golden.timeline import newest, timeline
from labeling.golden_records import Erratum
from tests.labeling.golden.desk import Desk
from tests.labeling.shop import NO, yes


def filled(desk: Desk) -> None:
    desk.ingest({f"i{n}": (f"text {n}", 20.0 * n) for n in range(6)})
    for n in range(6):
        desk.label(f"i{n}", yes() if n % 2 else NO)


def test_pages_follow_each_other_and_miss_nothing(desk: Desk) -> None:
    filled(desk)
    seen, before = [], None
    while page := timeline(desk.ledger.golden, 4, before):
        seen += page
        before = int(str(page[-1]["number"]))
    assert [one["number"] for one in seen] == list(range(newest(desk.ledger.golden), 0, -1))
    assert {one["sha256"] for one in seen} == {event.sha256 for event in desk.ledger.golden.events()}


def test_who_and_why_and_which_sealed_item_are_told_to_whole_readers(desk: Desk, tmp_path: Path) -> None:
    desk.shares = Shares(train=0.0, calibration=0.0, dev=0.0, sealed=1.0)
    filled(desk)
    made = publish(desk.ledger.golden, tmp_path / "golden", datetime.now(UTC), author="lea")
    wrong = Erratum(made.version, "i1", "harm", "it violates", "lea", datetime.now(UTC))
    desk.ledger.golden.add_erratum(wrong)
    for one in timeline(desk.ledger.golden, 20):
        assert (one["actor"], one["reason"]) == (HIDDEN, HIDDEN)
        assert "outcome" not in one
        if one["action"] != "published":
            assert (one["external_id"], one["item_id"]) == (HIDDEN, HIDDEN)
    erratum, published, fold, *_ = timeline(desk.ledger.golden, 20, whole=True)
    assert (fold["external_id"], fold["actor"]) == ("ext-i5", "unanimous")
    assert (published["version"], published["actor"]) == (made.version, "lea")
    assert (erratum["actor"], erratum["item_id"], erratum["reason"]) == ("lea", "i1", HIDDEN)


def test_where_nothing_happened_there_is_nothing(desk: Desk) -> None:
    assert (newest(desk.ledger.golden), timeline(desk.ledger.golden, 5)) == (0, [])
