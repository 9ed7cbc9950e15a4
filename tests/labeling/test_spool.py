from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from labeling import scorebook
from labeling.scorebook import read_sheet, vectors
from labeling.spool import spooled
from tests.labeling.shop import Shop

IDS = [f"it-{row}" for row in range(7)]
ROWS = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float16)


def batches(rows: list[int], each: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(rows), each):
        part = rows[start : start + each]
        columns = [pa.array([IDS[row] for row in part], pa.string()), vectors(ROWS[part])]
        yield pa.RecordBatch.from_arrays(columns, names=["item_id", "embedding"])


@pytest.mark.parametrize("each", [1, 3, 7])
def test_rows_go_where_their_ids_are_asked_for(tmp_path: Path, each: int) -> None:
    found = spooled(batches([6, 0, 3, 5, 1, 2], each), [IDS[3], IDS[4], IDS[0]], tmp_path / "cache")
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, np.stack([ROWS[3], np.zeros(4, np.float16), ROWS[0]]))


def test_the_file_has_no_name(tmp_path: Path) -> None:
    found = spooled(batches([0, 1], 2), IDS[:2], tmp_path)
    assert isinstance(found, np.memmap)
    assert list(tmp_path.iterdir()) == []


def test_nobody_has_an_embedding(tmp_path: Path) -> None:
    np.testing.assert_array_equal(spooled([], IDS, tmp_path), np.zeros((7, 1), np.float16))


def test_a_large_sheet_is_the_same_from_a_file(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.stocked(9)
    ids = shop.lake.ids()
    shop.lake.delete(ids[4:5])
    held = read_sheet(shop.lake, shop.scorer(), ids)
    monkeypatch.setattr(scorebook, "SPOOL_ABOVE", 5)
    filed = read_sheet(shop.lake, shop.scorer(), ids, tmp_path)
    assert isinstance(filed.embeddings, np.memmap)
    assert filed.ids == held.ids
    np.testing.assert_array_equal(filed.embeddings, held.embeddings)
    np.testing.assert_array_equal(filed.probabilities, held.probabilities)
