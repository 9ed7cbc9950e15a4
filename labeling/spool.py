"""Embeddings of a large lake in a file instead of in memory: a round reads but the rows that it looks at."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.store.groups import together

F16 = npt.NDArray[np.float16]

SPOOL_ABOVE = 500_000  # items; 384 dimensions of so many are 384 MB


def spooled(batches: Iterable[pa.RecordBatch], ids: Sequence[str], folder: Path) -> F16:
    """(n, d) float16, row i belonging to ``ids[i]``, zero where no batch has it; (n, 1) where none has any.

    ``batches`` hold item_id and ``embedding``. The rows lie in a file of ``folder`` that has no name any more: it goes
    with the array, or with the process, so that nothing of an erased item stays there."""
    wanted = pa.array(ids, pa.string())
    rows: F16 | None = None
    for table in together(batches):
        places = pc.index_in(table.column("item_id"), value_set=wanted)
        here = pc.is_valid(places).to_numpy()
        if rows is None:
            rows = _file(folder, len(ids), table.schema.field("embedding").type.list_size)
        made = table.column("embedding").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        rows[places.drop_null().to_numpy()] = made.reshape(-1, rows.shape[1])[here]
    return np.zeros((len(ids), 1), np.float16) if rows is None else rows


def _file(folder: Path, rows: int, dimensions: int) -> F16:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder, prefix="embeddings-") as file:
        return np.memmap(file, np.float16, "w+", shape=(rows, dimensions))
