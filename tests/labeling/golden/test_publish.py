from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import Conflict, IntegrityError, InvalidInput, NothingToDo, StoreError
from labeling.golden import manifest
from labeling.golden.publish import needed_bump, publish, publishable, verify
from labeling.records import GoldenItem, GoldenVersion, GoldState, Outcome, Partition
from tests.labeling.golden.desk import Desk
from tests.labeling.golden.made import NO, NOW, UNCLEAR, YES, golden_item

A, B = golden_item("a"), golden_item("b", partition=Partition.DEV)


class MemoryGolden:
    """Golden rows and versions in memory, for histories that are tedious to live through."""

    def __init__(self, rows: list[GoldenItem]) -> None:
        self.rows = rows
        self.published: dict[str, tuple[GoldenVersion, list[GoldenItem]]] = {}
        self.fails = False

    def items(self) -> list[GoldenItem]:
        return self.rows

    def versions(self) -> list[GoldenVersion]:
        return [version for version, _ in self.published.values()]

    def version(self, version: str) -> GoldenVersion:
        return self.published[version][0]

    def members(self, version: str) -> list[GoldenItem]:
        return self.published[version][1]

    def stream(self, version: str, partition: str) -> Iterator[GoldenItem]:
        return (member for member in self.members(version) if member.partition == partition)

    def add_version(self, version: GoldenVersion, members: Iterable[GoldenItem]) -> None:
        if self.fails:
            raise KeyboardInterrupt
        if version.version in self.published:
            raise Conflict(version.version)
        self.published[version.version] = (version, list(members))


def test_the_first_version_from_real_labels(desk: Desk, tmp_path: Path) -> None:
    desk.ingest({"a": ("one", 0), "b": ("two", 90), "c": ("three", 180)})
    desk.label("a", YES)
    desk.label("b", NO)
    desk.label("c", UNCLEAR)
    golden = desk.ledger.golden
    version = publish(golden, tmp_path / "golden", NOW)
    assert (version.version, version.parent) == ("1.0.0", None)
    assert golden.versions() == [version]
    assert [m.item_id for m in golden.members("1.0.0")] == ["a", "b"]  # what lacks context is no gold
    assert sum(version.counts.values()) == 2
    assert verify(golden, "1.0.0") == 2
    with pytest.raises(NothingToDo, match="nothing changed"):
        publish(golden, tmp_path / "golden", NOW)


def test_what_changed_decides_the_number(desk: Desk, tmp_path: Path) -> None:
    desk.ingest({"a": ("one", 0), "b": ("two", 90), "c": ("three", 180)})
    golden = desk.ledger.golden
    desk.label("a", YES)
    publish(golden, tmp_path, NOW)
    desk.label("b", NO)
    assert publish(golden, tmp_path, NOW + timedelta(hours=1)).version == "1.1.0"
    desk.label("c", NO, policy_id="other")
    third = publish(golden, tmp_path, NOW + timedelta(hours=2))
    assert (third.version, third.parent) == ("2.0.0", "1.1.0")
    assert [verify(golden, v.version) for v in golden.versions()] == [1, 2, 3]


def test_tampering_with_a_published_manifest_is_named(desk: Desk, tmp_path: Path) -> None:
    desk.ingest({"a": ("one", 0)})
    desk.label("a", YES)
    path = Path(publish(desk.ledger.golden, tmp_path, NOW).manifest_path)
    forged = manifest.rows([replace(m, outcome=Outcome.ALLOWED) for m in desk.ledger.golden.members("1.0.0")])
    path.write_text("".join(manifest.lines(forged)), encoding="ascii")
    with pytest.raises(IntegrityError, match="item a, policy harm: changed: outcome"):
        verify(desk.ledger.golden, "1.0.0")


@pytest.mark.parametrize(
    ("before", "after", "bump"),
    [
        ([A], [A], None),
        ([A], [replace(A, folded_at=NOW + timedelta(days=1))], None),
        ([A], [A, B], "minor"),
        ([A, B], [A], "minor"),
        ([A], [replace(A, partition=Partition.SEALED)], "minor"),
        ([A], [replace(A, outcome=Outcome.ALLOWED, rule=None)], "patch"),
        ([A], [replace(A, votes={"allowed": 1})], "patch"),
        ([A], [replace(A, policy_version="1.0.1")], "major"),
        ([A], [A, golden_item("c", policy_id="other")], "major"),
    ],
)
def test_needed_bump(before: list[GoldenItem], after: list[GoldenItem], bump: str | None) -> None:
    assert needed_bump(before, after) == bump


def test_a_bump_may_be_raised_and_never_lowered(tmp_path: Path) -> None:
    golden = MemoryGolden([A])
    publish(golden, tmp_path, NOW)
    golden.rows = [A, B]
    with pytest.raises(InvalidInput, match="need a minor version"):
        publish(golden, tmp_path, NOW, bump="patch")
    with pytest.raises(InvalidInput, match="'huge' is not one of"):
        publish(golden, tmp_path, NOW, bump="huge")
    assert publish(golden, tmp_path, NOW, bump="major").version == "2.0.0"


def test_an_empty_golden_set_has_no_version(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="label and sync first"):
        publish(MemoryGolden([replace(A, state=GoldState.RETIRED)]), tmp_path, NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_group_in_two_partitions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="item b: its group g-a lies in both train and dev"):
        publish(MemoryGolden([A, replace(B, group_id="g-a")]), tmp_path, NOW)


def test_a_crash_before_the_ledger_row_leaves_no_version_and_the_next_run_completes(tmp_path: Path) -> None:
    golden = MemoryGolden([A, B])
    golden.fails = True
    with pytest.raises(KeyboardInterrupt):
        publish(golden, tmp_path, NOW)
    assert golden.versions() == []
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    golden.fails = False
    version = publish(golden, tmp_path, NOW)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == left
    assert [Path(version.manifest_path).name] == list(left)


def test_members_that_change_after_a_crash_never_overwrite_another_manifest(tmp_path: Path) -> None:
    golden = MemoryGolden([A])
    golden.fails = True
    with pytest.raises(KeyboardInterrupt):
        publish(golden, tmp_path, NOW)
    golden.fails, golden.rows = False, [A, B]
    assert verify(golden, publish(golden, tmp_path, NOW).version) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_disk_that_cannot_be_written_publishes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    golden = MemoryGolden([A])
    with pytest.raises(StoreError, match="nothing was published"):
        publish(golden, tmp_path / "file" / "golden", NOW)
    assert golden.versions() == []


@settings(deadline=None)
@given(st.permutations([A, B, golden_item("c"), golden_item("a", policy_id="other")]))
def test_same_members_same_root(rows: list[GoldenItem]) -> None:
    assert manifest.rows(publishable(rows)) == manifest.rows(publishable(sorted(rows, key=lambda r: r.item_id)))
