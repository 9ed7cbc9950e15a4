from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.errors import InvalidInput
from labeling.judging.evaluate import judge
from labeling.judging.predictions import read_predictions
from labeling.records import Outcome, Partition
from tests.labeling.shop import Shop


def write(folder: Path, *lines: str, head: str = "external_id,policy,probability") -> Path:
    path = folder / "theirs.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_predictions_are_judged_as_any_model_is(exam: Shop, tmp_path: Path) -> None:
    rows = [row for row in exam.ledger.golden.items() if row.partition is Partition.DEV]
    told = [f"{row.external_id},fraud,{0.9 if row.outcome is Outcome.VIOLATES else 0.1}" for row in rows[1:]]
    contender = read_predictions(write(tmp_path, *told), exam.ledger.items, exam.policies)
    found: Any = judge(exam.ledger.golden, exam.lake, contender, "1.0.0")
    whole = found["slices"][0]
    assert (whole["policy"], whole["n"], found["left_out"]) == ("fraud", len(rows) - 1, 1)
    assert whole["figures"]["accuracy"]["value"] == 1.0
    assert contender.family == "external"


def test_parquet_and_item_ids_say_the_same(exam: Shop, tmp_path: Path) -> None:
    rows = exam.ledger.golden.items()[:4]
    as_csv = write(tmp_path, *(f"{row.external_id},fraud,0.25" for row in rows))
    first = read_predictions(as_csv, exam.ledger.items, exam.policies)
    table = {"item_id": [r.item_id for r in rows], "policy": ["fraud"] * 4, "probability": [0.25] * 4}
    pq.write_table(pa.table(table), tmp_path / "theirs.parquet")
    second = read_predictions(tmp_path / "theirs.parquet", exam.ledger.items, exam.policies)
    assert first.version == second.version
    ids = [rows[1].item_id, "it-nobody", rows[0].item_id]
    scores = first.score(ids)
    np.testing.assert_array_equal(scores, second.score(ids))
    np.testing.assert_array_equal(scores, np.array([[0.25], [np.nan], [0.25]], np.float32))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ext-0,fraud,1.5", "probability: '1.5' is not a number between 0 and 1"),
        ("ext-0,fraud,nan", "probability: 'nan'"),
        ("ext-0,fraud,", "probability: None"),
        ("ext-0,spam,0.5", r"policy: 'spam' is unknown \(known: fraud, harm\)"),
        ("ext-999999,fraud,0.5", "external_id: 'ext-999999' is no item here"),
        (",fraud,0.5", "item_id or external_id: exactly one of them must name the item"),
        ("ext-1,fraud,0.5", "the same item and policy came before"),
    ],
)
def test_a_bad_row_is_named_by_its_number(exam: Shop, tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=f"row 3: {says}"):
        read_predictions(write(tmp_path, "ext-1,fraud,0.5", line), exam.ledger.items, exam.policies)


def test_a_column_nobody_knows_is_named(exam: Shop, tmp_path: Path) -> None:
    path = write(tmp_path, "ext-1,fraud,0.5,x", head="external_id,policy,probability,label")
    with pytest.raises(InvalidInput, match="label: unknown column"):
        read_predictions(path, exam.ledger.items, exam.policies)
