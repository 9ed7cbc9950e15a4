from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labeling.golden.contested import is_contested
from labeling.golden.export import evaluation_rows, export, training_rows
from labeling.golden.judges import judging_rows
from labeling.golden.publish import publish
from labeling.records import GoldenItem, How, Partition, Verdict
from tests.labeling.golden.made import NOW, golden_item
from tests.labeling.golden.test_publish import MemoryGolden

CHANGES: list[dict[str, How | Verdict]] = [
    {"how": How.CONTESTED},
    {"how": How.CONTESTED, "verdict": Verdict.SEVERAL},
    {"how": How.CONTESTED, "verdict": Verdict.CONTESTED},
]


def contested(item: GoldenItem, changes: dict[str, How | Verdict]) -> GoldenItem:
    votes = {"allowed": 1, "violates/threat": 1}
    return replace(item, item_id=f"{item.item_id}x", group_id=f"{item.group_id}x", votes=votes, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", CHANGES)
def test_contested_gold_stays_and_judges_no_model(tmp_path: Path, changes: dict[str, How | Verdict]) -> None:
    plain = [golden_item(partition.value, partition=partition) for partition in Partition]
    golden = MemoryGolden([*plain, *(contested(item, changes) for item in plain)])
    publish(golden, tmp_path, NOW)
    members = golden.members("1.0.0")
    assert len(members) == 10
    assert [row.item_id for row in judging_rows(golden, "1.0.0", Partition.DEV)] == ["dev"]  # type: ignore[arg-type]
    assert [row.item_id for row in judging_rows(golden, "1.0.0", Partition.CALIBRATION)] == ["calibration"]  # type: ignore[arg-type]
    assert [row.item_id for row in training_rows(members)] == ["train", "trainx"]
    kept_out = {row.item_id for row in evaluation_rows(members, [])}
    assert {"devx", "sealedx", "anchorx", "calibrationx"} <= kept_out
    assert export(golden, "1.0.0", tmp_path / "out").rows == 2


def test_single_verdicts_and_agreement_are_not_contested() -> None:
    item = golden_item("a")
    assert not is_contested(item)
    assert not is_contested(replace(item, how=How.ADJUDICATED, verdict=Verdict.SINGLE))
