from __future__ import annotations

import hashlib
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import IntegrityError
from labeling.golden import manifest
from labeling.records import GoldenItem, Outcome, Partition, Tier
from tests.labeling.golden.made import golden_item

ITEMS = [
    golden_item("a", outcome=Outcome.ALLOWED, partition=Partition.DEV),
    golden_item("b", policy_id="other", pi=None),
    golden_item("b"),
    golden_item("c", rule=None, partition=Partition.SEALED),
]
ROOT = manifest.merkle_root(manifest.rows(ITEMS))


def _written(folder: Path, items: list[GoldenItem] = ITEMS) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join(manifest.lines(manifest.rows(items))), encoding="utf-8")
    return path


def test_a_manifest_verifies(tmp_path: Path) -> None:
    assert manifest.verify(_written(tmp_path), ROOT) == 4
    assert manifest.verify(_written(tmp_path), ROOT, ITEMS) == 4


def test_every_row_carries_the_sha256_of_its_canonical_form(tmp_path: Path) -> None:
    for line in _written(tmp_path).read_text(encoding="utf-8").splitlines()[1:]:
        parsed = json.loads(line)
        assert hashlib.sha256(manifest.canonical(parsed["row"]).encode()).hexdigest() == parsed["sha256"]


def test_it_holds_no_content_and_nothing_of_the_callers(tmp_path: Path) -> None:
    words = _written(tmp_path).read_text(encoding="utf-8")
    for item in ITEMS:
        assert item.text not in words
        assert item.external_id not in words


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_root_depends_on_the_members_alone(order: random.Random) -> None:
    shuffled = list(ITEMS)
    order.shuffle(shuffled)
    later = [
        replace(i, folded_at=i.folded_at.replace(year=2031), votes=dict(reversed(i.votes.items()))) for i in shuffled
    ]
    assert manifest.merkle_root(manifest.rows(later)) == ROOT


@pytest.mark.parametrize(
    "change",
    [
        lambda i: replace(i, outcome=Outcome.CONTEXT_MISSING),
        lambda i: replace(i, partition=Partition.TRAIN),
        lambda i: replace(i, votes={"allowed": 3}),
        lambda i: replace(i, content_hash="0" * 64),
        lambda i: replace(i, pi=0.5),
        lambda i: replace(i, policy_version="2.0.0"),
    ],
)
def test_any_change_of_a_member_changes_the_root(change: Callable[[GoldenItem], GoldenItem]) -> None:
    assert manifest.merkle_root(manifest.rows([change(ITEMS[0]), *ITEMS[1:]])) != ROOT


def test_an_edited_row_is_named(tmp_path: Path) -> None:
    path = _written(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace('"allowed"', '"violates"', 1), encoding="utf-8")
    with pytest.raises(IntegrityError, match="line 2: the row does not match its sha256"):
        manifest.verify(path, ROOT)


def test_a_consistent_forgery_is_named_by_item(tmp_path: Path) -> None:
    forged = [replace(ITEMS[0], outcome=Outcome.VIOLATES), *ITEMS[1:]]
    with pytest.raises(IntegrityError, match="published was"):
        manifest.verify(_written(tmp_path, forged), ROOT)
    with pytest.raises(IntegrityError, match="item a, policy harm: changed: outcome"):
        manifest.verify(_written(tmp_path, forged), ROOT, ITEMS)


def test_added_and_missing_rows_are_named(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="item b, policy other: was published and is missing"):
        manifest.verify(_written(tmp_path, [ITEMS[0], *ITEMS[2:]]), ROOT, ITEMS)
    with pytest.raises(IntegrityError, match="item d, policy harm: was never published"):
        manifest.verify(_written(tmp_path, [*ITEMS, golden_item("d")]), ROOT, ITEMS)


def test_a_copy_of_a_row_is_named_as_one(tmp_path: Path) -> None:
    path = _written(tmp_path)
    written = path.read_text(encoding="utf-8")
    path.write_text(written + written.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(IntegrityError, match="a row is there more than once") as caught:
        manifest.verify(path, ROOT, ITEMS)
    assert "never published" not in str(caught.value)


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)), st.randoms())
def test_what_differs_is_named_row_by_row(
    ours: set[int], theirs: set[int], changed: set[int], order: random.Random
) -> None:
    def named(number: int) -> GoldenItem:
        return golden_item(f"i{number:02}")

    held = [replace(named(n), tier=Tier.ANCHOR) if n in changed else named(n) for n in sorted(ours)]
    published = [named(n) for n in sorted(theirs)]
    if order.random() < 0.5:
        order.shuffle(published)
    with tempfile.TemporaryDirectory() as folder:
        path = _written(Path(folder), held)
        said = ""
        try:
            assert manifest.verify(path, manifest.merkle_root(manifest.rows(published)), published) == len(theirs)
        except IntegrityError as error:
            said = str(error)
    told = {n: f"item i{n:02}, policy harm: was published and is missing" for n in theirs - ours}
    told |= {n: f"item i{n:02}, policy harm: was never published" for n in ours - theirs}
    told |= {n: f"item i{n:02}, policy harm: changed: tier" for n in ours & theirs & changed}
    assert said.count(", policy harm: ") == min(len(told), manifest.SHOWN)
    assert bool(said) == bool(told)
    assert len(told) > manifest.SHOWN or all(each in said for each in told.values())


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda t: t[:-1], "cut off"),
        (lambda t: t[:0], "line 1: not the head"),
        (lambda t: "{}\n" + t, "line 1: not the head"),
        (lambda t: t + "[]\n", "line 6: not an object"),
        (lambda t: t + '{"row":NaN}\n', "line 6: not JSON"),
        (lambda t: t + "nonsense\n", "line 6: not JSON"),
        (lambda t: t + t.splitlines()[-1] + "\n", "promises 4 rows, there are 5"),
        (lambda t: t.replace('{"row":', '{ "row":'), "not written canonically"),
        (lambda t: t.replace(ROOT, "0" * 64), "line 1: its Merkle root"),
        (lambda t: t.replace("harm", "härm"), "cannot be read"),
    ],
)
def test_damage_is_an_error_that_says_where(tmp_path: Path, damage: Callable[[str], str], found: str) -> None:
    path = _written(tmp_path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(IntegrityError, match=found):
        manifest.verify(path, ROOT)


def test_a_missing_file_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        manifest.verify(tmp_path / "gone.jsonl", ROOT)


@settings(deadline=None)
@given(st.integers(1, 9), st.data())
def test_inclusion_proofs_hold_for_members_and_for_nothing_else(size: int, data: st.DataObject) -> None:
    items = [golden_item(f"i{n}") for n in range(size)]
    root = manifest.merkle_root(manifest.rows(items))
    chosen = data.draw(st.sampled_from(items))
    proof = manifest.inclusion(items, chosen.item_id, chosen.policy_id)
    assert proof.holds(root)
    assert not replace(proof, row=proof.row.replace("violates", "allowed")).holds(root)
    assert not proof.holds(ROOT)


def test_no_proof_for_what_is_not_there() -> None:
    with pytest.raises(IntegrityError, match="not in this version"):
        manifest.inclusion(ITEMS, "z", "harm")
