from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from labeling.errors import InvalidInput, NothingToDo
from labeling.golden.publish import publish
from labeling.insights.model_errors import FALSE_NEGATIVE, FALSE_POSITIVE, NO_CLUSTER, ModelErrors, model_errors
from labeling.judging.contender import Contender
from labeling.quality.evaluation import UNWEIGHTED
from labeling.records import GoldenItem, Outcome, Partition
from tests.labeling.golden.made import NOW, golden_item
from tests.labeling.golden.test_publish import MemoryGolden

COUNT = 120  # of dev rows: the first half is about one thing and scored badly
BARE = 3  # of them have no embedding


def _row(number: int, partition: Partition = Partition.DEV) -> GoldenItem:
    topic = "parcel" if number < COUNT // 2 else "garden"
    outcome = Outcome.VIOLATES if number % 2 else Outcome.ALLOWED
    made = golden_item(f"i{number:03}", f"{topic} word{number}", partition, outcome=outcome)
    return replace(made, external_id=f"post-{number}", group_id=f"g{number}", pi=0.5)


ROWS = [_row(n) for n in range(COUNT)]
SEALED = [_row(n, Partition.SEALED) for n in range(COUNT, COUNT + 20)]


def _score(ids: Sequence[str]) -> npt.NDArray[np.float32]:
    """Right about the second half; about the first, of each kind one in ten is wrong."""
    numbers = [int(item_id[1:]) for item_id in ids]
    violates = [bool(n % 2) != (n < COUNT // 2 and n // 2 % 10 == 0) for n in numbers]
    return np.array(
        [[0.9 - n / 1000 if yes else 0.1 + n / 1000] for n, yes in zip(numbers, violates, strict=True)], np.float32
    )


JUDGE = Contender("m1", "v1", "f", ("harm",), {"harm": 0.5}, None, _score, list)


def _vectors(item_ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
    found = {}
    for item_id in item_ids:
        number = int(item_id[1:])
        if number >= BARE:
            turn = np.float32(number / 1e4)
            found[item_id] = np.array([1, turn] if number < COUNT // 2 else [turn, 1], np.float32)
    return found


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> MemoryGolden:
    made = MemoryGolden([*ROWS, *SEALED])
    publish(made, tmp_path_factory.mktemp("golden"), NOW)
    return made


def _found(golden: MemoryGolden, **more: object) -> ModelErrors:
    asked = {"policy": "harm", "version": "1.0.0", **more}
    return model_errors(golden, JUDGE, _vectors, **asked)  # type: ignore[arg-type]


def test_errors_stand_where_they_are_and_say_of_which_kind(golden: MemoryGolden) -> None:
    told = _found(golden)
    wrong = {n for n in range(COUNT // 2) if n // 2 % 10 == 0}
    assert {one.external_id for one in told.errors} == {f"post-{n}" for n in wrong}
    kinds = {one.external_id: one.kind for one in told.errors}
    assert {kinds[f"post-{n}"] for n in wrong if n % 2} == {FALSE_NEGATIVE}
    assert {kinds[f"post-{n}"] for n in wrong if not n % 2} == {FALSE_POSITIVE}
    assert [one.far for one in told.errors] == sorted((one.far for one in told.errors), reverse=True)
    assert (told.wrong.events, told.wrong.n) == (len(wrong), COUNT)
    about, bare = told.clusters
    assert (about.items, about.false_positives, about.false_negatives) == (COUNT // 2 - BARE, 2, 2)
    assert (bare.cluster, bare.items, bare.wrong.events) == (NO_CLUSTER, BARE, 2)
    assert about.cluster in {row.external_id for row in ROWS[: COUNT // 2]}
    assert told.licence == UNWEIGHTED


def test_words_are_told_to_who_asks_for_them(golden: MemoryGolden) -> None:
    assert {one.words for one in _found(golden).clusters} == {()}
    named = _found(golden, named=True).clusters[0]
    assert named.words[0] == "parcel"
    told = _found(golden).as_dict()
    assert told["wrong"] == _found(golden).share
    assert str(_found(golden).share["items"]).startswith("/v1/golden/items?version=1.0.0&partition=dev&policy=harm")
    json.dumps(told, allow_nan=False)


def test_what_is_sealed_is_shown_to_nobody(golden: MemoryGolden) -> None:
    for partition in (Partition.SEALED, Partition.ANCHOR, Partition.TRAIN):
        with pytest.raises(InvalidInput, match="is not one of dev, calibration"):
            _found(golden, partition=partition)
    with pytest.raises(InvalidInput, match="is not judged by 'm1'"):
        _found(golden, policy="other")
    with pytest.raises(NothingToDo, match="in its calibration partition"):
        _found(golden, partition=Partition.CALIBRATION)
