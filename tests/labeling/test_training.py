from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.artefacts import load_head
from labeling.errors import Conflict, InvalidInput, LeakError, NotFound, NothingToDo
from labeling.golden.partition import Groups, Shares
from labeling.model_records import ModelState
from labeling.records import Outcome, Partition
from labeling.settle import settle_all
from labeling.training import (
    Basis,
    label_matrix,
    newest_version,
)
from scoring.errors import NotTrainable
from scoring.head import Head
from tests.labeling.golden.made import golden_item
from tests.labeling.school import COUNT, fit, republish
from tests.labeling.shop import NO, HashEncoder, Shop, items

# --- labels as numbers ---


def test_labels_become_one_nought_and_unknown() -> None:
    rows = [
        golden_item("b", policy_id="fraud", outcome=Outcome.VIOLATES),
        golden_item("a", policy_id="fraud", outcome=Outcome.ALLOWED),
        golden_item("a", policy_id="harm", outcome=Outcome.CONTEXT_MISSING),
        golden_item("c", policy_id="harm", outcome=Outcome.VIOLATES),
        golden_item("d", policy_id="spam", outcome=Outcome.VIOLATES),
    ]
    ids, labels = label_matrix(rows, ("harm", "fraud"))
    assert ids == ("a", "b", "c", "d")
    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels, [[np.nan, 0], [np.nan, 1], [1, np.nan], [np.nan, np.nan]])


def test_no_rows_are_an_empty_matrix() -> None:
    ids, labels = label_matrix([], ("harm", "fraud"))
    assert (ids, labels.shape) == ((), (0, 2))


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(6)))
def test_the_order_of_rows_changes_no_label(order: list[int]) -> None:
    rows = [golden_item(f"i{n // 2}", policy_id=("fraud", "harm")[n % 2], outcome=list(Outcome)[n % 3]) for n in order]
    ids, labels = label_matrix(rows, ("fraud", "harm"))
    straight_ids, straight = label_matrix(sorted(rows, key=lambda r: (r.item_id, r.policy_id)), ("fraud", "harm"))
    assert ids == straight_ids
    np.testing.assert_array_equal(labels, straight)


# --- training ---


def test_a_candidate_is_trained_saved_and_registered(school: Shop) -> None:
    trained = fit(school)
    model = trained.model
    assert (model.model_id, model.state, model.golden_version) == ("m1", ModelState.CANDIDATE, "1.0.0")
    head = load_head(model)
    assert head.version == model.version
    assert head.sources == ("trained", "prototype")  # harm has no label and keeps the fallback's row
    texts = ["cheat money fast again", "a walk outside again"]
    good, bad = head.probabilities(HashEncoder().encode(["a", "b"], texts).vectors)[:, 0]
    assert good > 0.5 > bad
    json.dumps(trained.report)
    assert school.ledger.models.champion() is None


def test_only_the_train_partition_is_learnt_from(school: Shop) -> None:
    rows = [row for row in school.ledger.golden.members("1.0.0") if row.partition is Partition.TRAIN]
    report: Any = fit(school).report
    assert report["fraud"]["positives"] == sum(row.outcome is Outcome.VIOLATES for row in rows)
    assert report["fraud"]["negatives"] == sum(row.outcome is Outcome.ALLOWED for row in rows)
    assert 10 < len(rows) < COUNT
    assert (report["harm"]["positives"], report["harm"]["negatives"]) == (0, 0)


def test_the_same_seed_gives_the_same_model_and_one_row(school: Shop) -> None:
    first = fit(school)
    assert fit(school) == first
    other = fit(school, "m2")
    assert other.model.version == first.model.version
    assert [model.model_id for model in school.ledger.models.all()] == ["m1", "m2"]


def test_what_was_published_is_learnt_whatever_came_later(school: Shop) -> None:
    first = fit(school)
    school.ingest(items(range(100, 110), "cheat money slow w{n} v{n}", policies=("fraud",)))
    school.score()
    for task in school.send("r2", 10, policies=("fraud",)):
        school.answer(task, NO, NO)
    school.settle()
    assert fit(school, "m2").model.version == first.model.version
    newer = republish(school)
    assert newest_version(school.ledger.golden) == newer
    assert fit(school, "m3", golden_version=newer).model.version != first.model.version


def test_a_model_id_means_one_model(school: Shop) -> None:
    first = fit(school).model
    row = next(r for r in school.ledger.golden.items() if r.partition is Partition.DEV)
    assert school.ledger.golden.regroup([row.group_id], row.group_id, Partition.SEALED) == 1
    newer = republish(school)
    with pytest.raises(Conflict, match=r"'m1' was trained on golden version 1\.0\.0"):
        fit(school, golden_version=newer)  # the train partition, and so the weights, are the same
    learnt = next(r for r in school.ledger.golden.items() if r.partition is Partition.TRAIN)
    school.ledger.golden.regroup([learnt.group_id], learnt.group_id, Partition.DEV)
    newest = republish(school)
    with pytest.raises(Conflict, match="holds another model"):
        fit(school, golden_version=newest)
    assert school.ledger.models.all() == [first]
    assert load_head(first).version == first.version


def test_a_kill_between_saving_and_registering_goes_on(school: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(school.ledger.models, "add", die)
        with pytest.raises(Killed):
            fit(school)
    assert school.ledger.models.all() == []
    assert fit(school).model.state is ModelState.CANDIDATE


@pytest.mark.parametrize("name", ["", "../m", "a/b", ".hidden", "m" * 101, "m\n"])
def test_a_model_id_that_is_no_file_name_is_refused(school: Shop, name: str) -> None:
    with pytest.raises(InvalidInput, match="model_id"):
        fit(school, name)
    assert not (school.folder / "models").exists()


def test_an_unknown_version_is_not_found(school: Shop) -> None:
    with pytest.raises(NotFound):
        fit(school, golden_version="9.9.9")


def test_a_version_without_train_labels_is_nothing_to_do(school: Shop) -> None:
    rows = school.ledger.golden.items()
    for row in rows:
        school.ledger.golden.regroup([row.group_id], row.group_id, Partition.DEV)
    newer = republish(school)
    with pytest.raises(NothingToDo, match="no usable label in its train partition"):
        fit(school, golden_version=newer)


def test_a_fallback_that_knows_none_of_the_policies_is_nothing_to_do(school: Shop) -> None:
    whole = school.prototypes
    only_harm = Head(
        ("harm",), whole.weights[1:], whole.bias[1:], whole.platt[1:], ("prototype",), whole.encoder_version
    )
    with pytest.raises(NothingToDo):
        fit(school, basis=Basis.of(only_harm))


def test_too_few_labels_are_told_with_their_counts(shop: Shop) -> None:
    shop.shares = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
    for task in shop.stocked(4).send("r1", 4):
        shop.answer(task, NO, NO)
    shop.settle()
    republish(shop)
    with pytest.raises(NotTrainable, match="0 violating and"):
        fit(shop)
    assert shop.ledger.models.all() == []


def test_an_encoder_that_has_not_met_the_items_says_what_to_run(school: Shop) -> None:
    with pytest.raises(NothingToDo, match="goldfold score"):
        fit(school, basis=Basis.of(replace(school.prototypes, encoder_version="hash-2")))


def plant(shop: Shop, text: str) -> str:
    """A sealed item with this text, folded by somebody who did not look at the golden set's groups."""
    shop.ingest(items(range(900, 901), text, policies=("fraud",)))
    shop.score()
    (task,) = shop.send("planted", 1, policies=("fraud",), duplicate_cosine=None)
    shop.answer(task, NO, NO)
    sealed = Shares(train=0.0, calibration=0.0, dev=0.0, sealed=1.0)
    assert settle_all(shop.ledger, shop.lake, lambda: Groups(shares=sealed)).golden == 1
    return task.item_id


def test_a_sealed_copy_planted_beside_a_training_item_stops_the_training(school: Shop) -> None:
    trained_on = next(r for r in school.ledger.golden.members("1.0.0") if r.partition is Partition.TRAIN)
    sealed = plant(school, trained_on.text.upper())
    with pytest.raises(LeakError) as caught:
        fit(school)  # of the version published before: the exam of today counts too
    assert trained_on.item_id in str(caught.value)
    assert sealed in str(caught.value)
    assert not (school.folder / "models").exists()
    assert school.ledger.models.all() == []


def test_an_item_that_became_sealed_since_stops_the_training(school: Shop) -> None:
    row = next(r for r in school.ledger.golden.members("1.0.0") if r.partition is Partition.TRAIN)
    school.ledger.golden.regroup([row.group_id], row.group_id, Partition.SEALED)
    with pytest.raises(LeakError, match=f"{row.item_id} gives away {row.item_id}"):
        fit(school)
    assert fit(school, golden_version=republish(school)).model.model_id == "m1"


def test_a_sealed_item_close_in_meaning_stops_the_training_too(school: Shop) -> None:
    trained_on = next(r for r in school.ledger.golden.members("1.0.0") if r.partition is Partition.TRAIN)
    plant(school, " ".join(reversed(trained_on.text.split())))  # other text, same embedding
    with pytest.raises(LeakError, match=trained_on.item_id):
        fit(school)
