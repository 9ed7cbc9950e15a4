from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labeling.golden.export import export
from labeling.golden.judges import judging_rows
from labeling.golden.publish import publish
from labeling.records import GoldState, Outcome, Partition
from tests.labeling.golden.made import NOW, golden_item
from tests.labeling.golden.test_publish import MemoryGolden


@pytest.mark.parametrize("partition", list(Partition))
@pytest.mark.parametrize("state", [GoldState.STALE, GoldState.QUARANTINED, GoldState.RETIRED])
def test_what_went_out_of_use_since_judges_nobody_and_is_learnt_by_nobody(
    tmp_path: Path, partition: Partition, state: GoldState
) -> None:
    rows = [golden_item("kept", partition=partition), golden_item("gone", partition=partition)]
    golden: Any = MemoryGolden(rows)
    publish(golden, tmp_path, NOW)
    assert [row.item_id for row in judging_rows(golden, "1.0.0", partition)] == ["gone", "kept"]
    golden.rows = [rows[0], replace(rows[1], state=state)]
    assert [row.item_id for row in judging_rows(golden, "1.0.0", partition)] == ["kept"]
    if partition is not Partition.SEALED:
        assert export(golden, "1.0.0", tmp_path / "out", partitions=[partition]).rows == 1
        assert "- 1 rows of the version are left out" in (tmp_path / "out/README.md").read_text(encoding="utf-8")


def test_images_and_what_lacks_context_judge_no_model_of_texts(tmp_path: Path) -> None:
    rows = [
        golden_item("text", partition=Partition.DEV),
        replace(golden_item("image", partition=Partition.DEV), modality="image"),
    ]
    golden: Any = MemoryGolden(rows)
    publish(golden, tmp_path, NOW)
    version, members = golden.published["1.0.0"]
    unclear = replace(golden_item("unclear", partition=Partition.DEV), outcome=Outcome.CONTEXT_MISSING)
    golden.published["1.0.0"] = (version, [*members, unclear])
    assert [row.item_id for row in judging_rows(golden, "1.0.0", Partition.DEV)] == ["text"]
