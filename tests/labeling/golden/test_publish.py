from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import Conflict, IntegrityError, InvalidInput, NotFound, NothingToDo, StoreError
from labeling.golden import manifest
from labeling.golden.audit import check
from labeling.golden.columns import page_of_items
from labeling.golden.export import export
from labeling.golden.publish import needed_bump, publish, publishable, verify
from labeling.golden_records import Erratum, GoldMove
from labeling.records import GoldAction, GoldenItem, GoldenVersion, GoldState, Outcome, Partition, VersionState
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

    def versions(self, *, everything: bool = False) -> list[GoldenVersion]:
        known = [version for version, _ in self.published.values()]
        return [one for one in known if everything or one.state is VersionState.RELEASED]

    def leaves(self, version: str) -> dict[tuple[str, str], str]:
        return {}

    def errata(self, version: str) -> list[Erratum]:
        return []

    def version(self, version: str) -> GoldenVersion:
        return self.published[version][0]

    def members(self, version: str, *, unreleased: bool = False) -> list[GoldenItem]:
        return self.published[version][1]

    def stream(self, version: str, partition: str | None = None, *, unreleased: bool = False) -> Iterator[GoldenItem]:
        members = self.members(version, unreleased=unreleased)
        return (member for member in members if partition in (None, member.partition))

    def columns(self, version: str, partition: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        rows = self.stream(version, partition)
        while part := list(islice(rows, 2000)):
            yield page_of_items(part, names)

    def drifted(self, version: str) -> Iterator[GoldenItem]:
        return iter(self.rows)

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
    assert golden.versions() == [replace(version, events=3, events_sha256=golden.events()[2].sha256)]
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


def proposed(desk: Desk, tmp_path: Path) -> None:
    desk.ingest({"a": ("one", 0), "b": ("two", 90)})
    desk.label("a", YES)
    version = publish(desk.ledger.golden, tmp_path, NOW, author="Ana@example.org", two_person=True)
    assert version.state is VersionState.PROPOSED


def test_a_proposed_version_is_nobodys_until_another_approves_it(desk: Desk, tmp_path: Path) -> None:
    proposed(desk, tmp_path)
    golden = desk.ledger.golden
    assert golden.versions() == []
    with pytest.raises(Conflict, match="is proposed, so nobody may use it"):
        golden.members("1.0.0")
    with pytest.raises(Conflict, match="nobody may use it"):
        export(golden, "1.0.0", tmp_path / "out")
    with pytest.raises(Conflict, match="another lead must approve"):
        golden.decide("1.0.0", GoldAction.APPROVED, " ana@EXAMPLE.org", "fine")
    desk.label("b", NO)
    with pytest.raises(Conflict, match="waits for its approval"):
        publish(golden, tmp_path, NOW)
    released = golden.decide("1.0.0", GoldAction.APPROVED, "bo@example.org", "read it")
    assert (released.state, released.decided_by) == (VersionState.RELEASED, "bo@example.org")
    assert [m.item_id for m in golden.members("1.0.0")] == ["a"]
    with pytest.raises(Conflict, match="is released already"):
        golden.decide("1.0.0", GoldAction.REJECTED, "bo@example.org", "no")
    assert publish(golden, tmp_path, NOW).version == "1.1.0"
    assert check(golden).problems == ()


def test_a_rejected_number_is_not_given_again(desk: Desk, tmp_path: Path) -> None:
    proposed(desk, tmp_path)
    golden = desk.ledger.golden
    golden.decide("1.0.0", GoldAction.REJECTED, "ana@example.org", "too early")
    again = publish(golden, tmp_path, NOW, author="ana@example.org")
    assert (again.version, again.parent) == ("2.0.0", None)
    assert [one.version for one in golden.versions()] == ["2.0.0"]
    assert [str(one.state) for one in golden.versions(everything=True)] == ["rejected", "released"]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM golden_decisions", "an event tells that it was approved"),
        ("UPDATE golden_decisions SET decided_by = 'ana@example.org'", "approved .ana@example.org., of which no event"),
        ("UPDATE golden_versions SET needs_approval = 0", "published .*, of which no event"),
        ("UPDATE golden_versions SET events = 0", "it was made after event 0, which is another one now"),
        ("DELETE FROM golden_errata", "an event tells that it was erratum"),
        ("UPDATE golden_errata SET reason = 'fine'", "erratum .a harm fine., of which no event"),
    ],
)
def test_what_is_edited_of_a_release_is_named(desk: Desk, tmp_path: Path, statement: str, named: str) -> None:
    proposed(desk, tmp_path)
    golden = desk.ledger.golden
    golden.decide("1.0.0", GoldAction.APPROVED, "bo@example.org", "read it")
    golden.add_erratum(Erratum("1.0.0", "a", "harm", "it quotes", "bo@example.org", NOW))
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(IntegrityError) as caught:
        check(golden)
    assert any(re.search(named, problem) for problem in caught.value.problems), caught.value.problems


def test_an_erratum_is_about_a_row_of_a_release(desk: Desk, tmp_path: Path) -> None:
    proposed(desk, tmp_path)
    golden = desk.ledger.golden
    with pytest.raises(NotFound, match="no row of a released version"):
        golden.add_erratum(Erratum("1.0.0", "a", "harm", "why", "bo", NOW))
    golden.decide("1.0.0", GoldAction.APPROVED, "bo", "")
    with pytest.raises(NotFound, match="no row of a released version"):
        golden.add_erratum(Erratum("1.0.0", "b", "harm", "why", "bo", NOW))
    with pytest.raises(InvalidInput, match="reason"):
        golden.add_erratum(Erratum("1.0.0", "a", "harm", " ", "bo", NOW))


def test_what_changed_while_it_was_published_is_in_no_version(desk: Desk, tmp_path: Path) -> None:
    desk.ingest({"a": ("one", 0)})
    desk.label("a", YES)
    golden = desk.ledger.golden
    read = golden.items()
    golden.change([GoldMove("a", "harm", read[0].adjudication_id, GoldAction.QUARANTINED, "lead", "contested")])
    late = MemoryGolden(read)
    late.add_version = golden.add_version  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="changed while they were published: 'ext-a'"):
        publish(late, tmp_path / "golden", NOW)
    assert golden.versions(everything=True) == []
