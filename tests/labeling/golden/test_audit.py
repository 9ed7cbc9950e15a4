"""Tampering on purpose: what is edited, removed or moved in the database or in a manifest is caught and named."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from labeling.errors import Conflict, IntegrityError
from labeling.golden.audit import audit, check
from labeling.golden.publish import publish
from labeling.golden_records import GoldMove
from labeling.records import GoldAction
from tests.labeling.golden.desk import Desk
from tests.labeling.golden.images import Album, drawn, label_image
from tests.labeling.golden.made import NO, NOW, YES


@pytest.fixture
def released(desk: Desk, tmp_path: Path) -> Desk:
    """Three items, one of them quarantined and restored, in one version: five events."""
    desk.ingest({"a": ("one", 0), "b": ("two", 90), "c": ("three", 180)})
    for item_id, answer in (("a", YES), ("b", NO), ("c", NO)):
        desk.label(item_id, answer)
    move(desk, "b", GoldAction.QUARANTINED)
    move(desk, "b", GoldAction.RESTORED)
    publish(desk.ledger.golden, tmp_path / "golden", NOW)
    return desk


def move(desk: Desk, item_id: str, action: GoldAction) -> None:
    row = desk.ledger.golden.rows_of(item_id)[0]
    desk.ledger.golden.change([GoldMove(item_id, "harm", row.adjudication_id, action, "lead", "a reason")])


def sql(tmp_path: Path, statement: str) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert connection.execute(statement).rowcount >= 1
    connection.close()


def test_what_nobody_touched_is_whole(released: Desk) -> None:
    found = check(released.ledger.golden)
    assert (found.versions, found.rows, found.problems) == (("1.0.0",), 3, ())
    actions = [event.action for event in released.ledger.golden.events("b")]
    assert actions == [GoldAction.FOLDED, GoldAction.QUARANTINED, GoldAction.RESTORED]
    last = released.ledger.golden.events("b")[-1]
    assert (last.actor, last.reason, last.number) == ("lead", "a reason", 5)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE golden_items SET outcome = 'allowed' WHERE item_id = 'a'", "item a, policy harm: .* outcome"),
        ("UPDATE golden_items SET text = 'other words' WHERE item_id = 'a'", "item a, policy harm: its text is not"),
        ("DELETE FROM golden_items WHERE item_id = 'a'", "item a, policy harm: event 1 tells of it, and it is gone"),
        ("UPDATE golden_members SET rule = 'other' WHERE item_id = 'a'", "version 1.0.0: .*item a.*changed: rule"),
        ("DELETE FROM golden_members WHERE item_id = 'c'", "version 1.0.0: .*item c, policy harm"),
        ("UPDATE golden_members SET text = 'x' WHERE item_id = 'b'", "version 1.0.0: item b.*its text is not"),
        ("UPDATE golden_versions SET merkle_root = 'ab'", "version 1.0.0: .*Merkle root"),
        ("DELETE FROM gold_events WHERE number = 2", "event 2 is missing: after 1 comes 3"),
        ("DELETE FROM gold_events WHERE number = 1", "event 1 is missing: after 0 comes 2"),
        ("DELETE FROM gold_events WHERE number >= 5", "events were taken away"),
        ("UPDATE gold_events SET reason = 'another' WHERE number = 4", "event 4 .quarantined b.* was changed"),
        ("UPDATE gold_events SET actor = 'me' WHERE number = 1", "event 1 .folded a.* was changed"),
        ("UPDATE gold_events SET at = '2020-01-01 00:00:00' WHERE number = 3", "event 3 .* was changed"),
        ("UPDATE gold_events SET row = NULL WHERE number = 2", "event 2 .* its row was taken away"),
        (
            "UPDATE gold_events SET row = json_set(row, '$.outcome', 'allowed') WHERE number = 1",
            "event 1 .* its row was changed",
        ),
        (
            "UPDATE gold_events SET number = CASE number WHEN 2 THEN -3 ELSE -2 END WHERE number IN (2, 3)",
            "event 1 is missing: after 0 comes -3",
        ),
        ("UPDATE gold_events SET action = 'folder' WHERE number = 3", "event 3: 'folder' is no action"),
        (
            "UPDATE golden_items SET outcome = 'fine' WHERE item_id = 'b'",
            "item b, policy harm: a value of it is damaged",
        ),
        ("UPDATE gold_head SET sha256 = 'ab'", "its head says event"),
        ("DELETE FROM gold_head", "the head of the event chain is gone"),
    ],
)
def test_what_is_edited_in_the_database_is_named(released: Desk, tmp_path: Path, statement: str, named: str) -> None:
    sql(tmp_path, statement)
    with pytest.raises(IntegrityError) as caught:
        check(released.ledger.golden)
    problems = [str(caught.value), *caught.value.problems]
    assert any(re.search(named, problem) for problem in problems), problems


def test_two_events_that_change_places_are_named(released: Desk, tmp_path: Path) -> None:
    sql(tmp_path, "UPDATE gold_events SET number = -number WHERE number IN (2, 3)")
    sql(tmp_path, "UPDATE gold_events SET number = CASE number WHEN -2 THEN 3 ELSE 2 END WHERE number < 0")
    assert (
        audit(released.ledger.golden).problems[0].startswith("event 2 (folded c, policy harm) does not follow event 1")
    )


def test_a_byte_in_a_manifest_is_named(released: Desk) -> None:
    path = Path(released.ledger.golden.version("1.0.0").manifest_path)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert any(str(path) in problem for problem in audit(released.ledger.golden).problems)


def test_writing_on_without_a_head_is_refused(released: Desk, tmp_path: Path) -> None:
    sql(tmp_path, "DELETE FROM gold_head")
    with pytest.raises(IntegrityError, match="run goldfold golden verify"):
        move(released, "a", GoldAction.RETIRED)


def test_a_move_that_is_not_allowed_leaves_no_event(released: Desk) -> None:
    before = released.ledger.golden.events()
    with pytest.raises(Conflict, match="cannot be restored: it is active"):
        move(released, "a", GoldAction.RESTORED)
    with pytest.raises(Conflict, match="labelled anew meanwhile"):
        released.ledger.golden.change([GoldMove("a", "harm", "older", GoldAction.RETIRED, "lead", "why")])
    assert released.ledger.golden.events() == before


@pytest.fixture
def pictured(desk: Desk, tmp_path: Path) -> Desk:
    """Two images in one version, of which one has a caption."""
    album = Album()
    assert label_image(desk, album, "p", drawn(3), "a caption") is not None
    assert label_image(desk, album, "q", drawn(4)) is not None
    publish(desk.ledger.golden, tmp_path / "golden", NOW)
    return desk


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE golden_items SET text = 'other' WHERE item_id = 'p'", "item p, policy harm: its caption is not what"),
        ("UPDATE golden_items SET text = 'put there' WHERE item_id = 'q'", "item q, policy harm: its caption is not"),
        ("UPDATE golden_items SET text = '' WHERE item_id = 'p'", "item p, policy harm: its caption is gone"),
        ("UPDATE golden_items SET caption_hash = 'ab' WHERE item_id = 'q'", "item q.*event 2 made it: caption_hash"),
        ("UPDATE golden_items SET content_hash = 'ab' WHERE item_id = 'q'", "item q.*event 2 made it: content_hash"),
        ("UPDATE golden_members SET text = 'other' WHERE item_id = 'p'", "version 1.0.0: item p.*its caption is not"),
        ("UPDATE golden_members SET caption_hash = 'ab' WHERE item_id = 'p'", "version 1.0.0.*changed: caption_sha256"),
        ("UPDATE golden_members SET content_hash = 'ab' WHERE item_id = 'p'", "version 1.0.0.*changed: content_sha256"),
    ],
)
def test_an_edit_of_a_caption_is_named(pictured: Desk, tmp_path: Path, statement: str, named: str) -> None:
    assert check(pictured.ledger.golden).problems == ()
    sql(tmp_path, statement)
    problems = audit(pictured.ledger.golden).problems
    assert any(re.search(named, problem) for problem in problems), problems


def test_a_text_that_vanished_without_a_word_is_named(released: Desk, tmp_path: Path) -> None:
    sql(tmp_path, "UPDATE golden_items SET text = '' WHERE item_id = 'a'")
    assert "item a, policy harm: its text is gone" in audit(released.ledger.golden).problems[0]
