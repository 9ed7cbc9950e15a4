from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from labeling.golden.contests import contests
from labeling.records import GoldState, How, Partition, Verdict
from tests.labeling.golden.made import NOW, golden_item
from tests.labeling.golden.test_publish import MemoryGolden


def test_contested_rows_are_told_but_for_sealed_ones() -> None:
    plain = [golden_item(partition.value, partition=partition) for partition in Partition]
    split = [replace(row, item_id=f"{row.item_id}x", how=How.CONTESTED, verdict=Verdict.SEVERAL) for row in plain]
    late = replace(split[0], item_id="late", external_id="late", folded_at=NOW + timedelta(days=1))
    gone = replace(split[0], item_id="gone", state=GoldState.RETIRED)
    found = contests(MemoryGolden([*plain, *split, late, gone]))
    assert [row.partition for row in found.rows].count("sealed") == 0
    assert (len(found.rows), found.sealed, found.policies) == (len(Partition), 1, {"harm": len(Partition) + 1})
    assert (found.rows[0].external_id, found.rows[0].verdict) == ("late", str(Verdict.SEVERAL))
