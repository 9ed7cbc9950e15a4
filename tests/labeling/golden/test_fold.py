from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from labeling.adjudication import agreement
from labeling.consensus import Agreed
from labeling.errors import IntegrityError, InvalidInput, UnknownItem
from labeling.golden.fold import fold
from labeling.golden.partition import Shares
from labeling.records import GoldState, How, Partition, TaskState, Tier
from labeling.store.lake import LanceLake
from labeling.store.ledger import open_ledger
from tests.labeling.golden.desk import Desk
from tests.labeling.golden.images import Album, drawn, label_image
from tests.labeling.golden.made import NO, NOW, UNCLEAR, YES, sha
from tests.postgres import PostgresServer

AGREED = Agreed(YES, How.UNANIMOUS, {"violates/threat": 2}, ("ann", "bob"))
ALL_TRAIN = Shares(train=1, calibration=0, dev=0, sealed=0)
ALL_SEALED = Shares(train=0, calibration=0, dev=0, sealed=1)


def test_a_folded_answer_is_a_golden_row_and_settles_its_task(desk: Desk) -> None:
    desk.ingest({"a": ("some words", 0)})
    folded = desk.label("a", YES)
    assert folded is not None
    rows = desk.ledger.golden.items()
    assert [replace(r, folded_at=folded.folded_at) for r in rows] == [folded]
    assert (folded.external_id, folded.language, folded.text) == ("ext-a", "en", "some words")
    assert (folded.lane, folded.pi, folded.tier, folded.state) == ("random", 0.25, Tier.GOLDEN, GoldState.ACTIVE)
    assert folded.votes == {"violates/threat": 2}
    assert desk.ledger.tasks.get("t-a-harm-1.0.0").state is TaskState.SETTLED


def test_the_answer_of_one_person_is_provisional(desk: Desk) -> None:
    desk.ingest({"a": ("some words", 0)})
    folded = desk.label("a", NO, people=["ann"])
    assert folded is not None
    assert folded.tier is Tier.PROVISIONAL


def test_missing_context_is_kept_but_quarantined(desk: Desk) -> None:
    desk.ingest({"a": ("some words", 0)})
    folded = desk.label("a", UNCLEAR)
    assert folded is not None
    assert folded.state is GoldState.QUARANTINED


def test_folding_twice_changes_nothing(desk: Desk) -> None:
    desk.ingest({"a": ("some words", 0)})
    task = desk.send("a")
    groups, final = desk.groups(), agreement(task, AGREED, NOW)
    assert fold(desk.ledger.golden, desk.lake, groups, final, task, None, NOW) is not None
    before = desk.ledger.golden.items()
    assert fold(desk.ledger.golden, desk.lake, groups, final, task, None, NOW) is None
    assert desk.ledger.golden.items() == before
    assert (before[0].lane, before[0].pi) == ("", None)


def test_near_duplicates_share_a_partition_within_one_run_and_across_runs(desk: Desk) -> None:
    desk.ingest({"a": ("some words", 0), "b": ("Some  WORDS", 90), "c": ("other", 2), "d": ("far", 180)})
    groups = desk.groups()
    for item_id in ("a", "b", "c", "d"):
        task = desk.send(item_id)
        fold(desk.ledger.golden, desk.lake, groups, agreement(task, AGREED, NOW), task, None, NOW)
    rows = {r.item_id: r for r in desk.ledger.golden.items()}
    assert rows["a"].group_id == rows["b"].group_id == rows["c"].group_id != rows["d"].group_id
    assert rows["a"].partition == rows["b"].partition == rows["c"].partition


def _merge(desk: Desk) -> None:
    desk.ingest({"a": ("one", 0), "b": ("two", 30), "bridge": ("three", 15)})
    desk.shares = ALL_TRAIN
    desk.label("a", YES)
    desk.label("a", NO, policy_id="other")
    desk.shares = ALL_SEALED
    sealed = desk.label("b", NO)
    assert sealed is not None
    desk.label("bridge", YES)
    rows = desk.ledger.golden.items()
    assert {r.partition for r in rows} == {Partition.SEALED}
    assert {r.group_id for r in rows} == {sealed.group_id}
    moves = [e for e in desk.ledger.audit.latest() if e["action"] == "golden.regroup"]
    assert sorted(str(e["target"]) for e in moves) == ["a/harm", "a/other"]


def test_a_merge_moves_training_rows_to_the_protected_side(desk: Desk) -> None:
    _merge(desk)


@pytest.mark.postgres
def test_a_merge_on_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    with postgres.database() as url:
        desk = Desk(open_ledger(url), LanceLake(tmp_path / "lake"))
        _merge(desk)
        desk.ledger.close()


class Interrupted:
    """A ledger whose process dies after groups were merged and before the new row is written."""

    def __init__(self, desk: Desk) -> None:
        self._golden = desk.ledger.golden

    def regroup(self, group_ids: Sequence[str], into: str, partition: Partition) -> int:
        return self._golden.regroup(group_ids, into, partition)

    def fold(self, *_: object) -> bool:
        raise KeyboardInterrupt


def test_a_crash_between_merge_and_row_leaves_evaluation_protected_and_goes_on(desk: Desk) -> None:
    desk.ingest({"a": ("one", 0), "b": ("two", 30), "bridge": ("three", 15)})
    desk.shares = ALL_SEALED
    desk.label("b", NO)
    desk.shares = ALL_TRAIN
    desk.label("a", YES)
    task = desk.send("bridge")
    final = agreement(task, AGREED, NOW)
    with pytest.raises(KeyboardInterrupt):
        fold(Interrupted(desk), desk.lake, desk.groups(), final, task, None, NOW)
    assert {r.partition for r in desk.ledger.golden.items()} == {Partition.SEALED}
    folded = fold(desk.ledger.golden, desk.lake, desk.groups(), final, task, None, NOW)
    assert folded is not None
    assert folded.partition is Partition.SEALED
    assert len({r.group_id for r in desk.ledger.golden.items()}) == 1


def test_regrouping_twice_changes_nothing(desk: Desk) -> None:
    desk.ingest({"a": ("one", 0)})
    folded = desk.label("a", YES)
    assert folded is not None
    assert desk.ledger.golden.regroup([folded.group_id], "g2", Partition.SEALED) == 1
    assert desk.ledger.golden.regroup([folded.group_id], "g2", Partition.SEALED) == 0
    assert desk.ledger.golden.regroup([], "nobody", Partition.SEALED) == 0


def test_strangers_and_edited_texts_are_refused(desk: Desk) -> None:
    desk.ingest({"a": ("some words", 0)})
    task = desk.send("a")
    final, groups = agreement(task, AGREED, NOW), desk.groups()
    with pytest.raises(InvalidInput, match="about another task"):
        fold(desk.ledger.golden, desk.lake, groups, replace(final, item_id="z"), task, None, NOW)
    stranger = replace(desk.ledger.rounds.picks(task.round_id)[0], policy_id="other")
    with pytest.raises(InvalidInput, match="the pick is about"):
        fold(desk.ledger.golden, desk.lake, groups, final, task, stranger, NOW)
    with pytest.raises(IntegrityError, match="content hash"):
        fold(desk.ledger.golden, desk.lake, groups, final, replace(task, text="edited"), None, NOW)
    assert desk.ledger.golden.items() == []


def test_an_erased_item_is_not_folded(desk: Desk) -> None:
    desk.ingest({"a": ("some words", 0)})
    task = desk.send("a")
    desk.lake.delete(["a"])
    with pytest.raises(UnknownItem):
        fold(desk.ledger.golden, desk.lake, desk.groups(), agreement(task, AGREED, NOW), task, None, NOW)


def test_an_image_is_covered_by_two_hashes_and_its_caption_is_the_items(desk: Desk) -> None:
    album, shot = Album(), drawn(3)
    made = label_image(desk, album, "p", shot, "a caption")
    assert made is not None
    assert (made.content_hash, made.caption_hash) == (hashlib.sha256(shot).hexdigest(), sha("a caption"))
    bare = label_image(desk, album, "q", drawn(4))
    assert bare is not None
    assert bare.caption_hash == sha("")
    with pytest.raises(IntegrityError, match="the caption that people saw is not the one of item r"):
        label_image(desk, album, "r", drawn(5), "a caption", shown="another one")
