"""The items of the last days as arrays, read from the lake: times, markets, clusters, and the newest days' vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import NothingToDo
from labeling.golden.vectors import unit
from labeling.insights.trend_clusters import SAMPLE, Clusters, fit
from labeling.quality.themes import WINDOW
from labeling.quality.trend_day import Items
from labeling.quality.trends import WATCHED
from labeling.store.interfaces import ITEMS, Lake

BASELINE_DAYS = 28
DAYS = BASELINE_DAYS + WATCHED
F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Frame:
    """The items of the days: row i is ``ids[i]``; ``items`` as ``labeling.quality.trend_day`` has them. ``late`` (w,):
    the places of those of the last ``WINDOW`` days, ``window`` (w, d) their unit vectors."""

    ids: list[str]
    items: Items
    markets: list[str]
    views: I64
    late: I64
    window: F32


def timed(lake: Lake) -> tuple[pa.Table, int]:
    """(item_id, ordinal of the day, market, views) of the items with a time, and how many have none."""
    parts, without = [], 0
    for batch in lake.scan(["created_at", "market", "views"], ITEMS):
        known = batch.filter(pc.is_valid(batch["created_at"]))
        without += batch.num_rows - known.num_rows
        days = pc.cast(pc.cast(known["created_at"], pa.timestamp("us", "UTC")), pa.date32()).cast(pa.int32())
        columns = [known["item_id"], days, pc.fill_null(known["market"], ""), pc.fill_null(known["views"], 0)]
        parts.append(pa.table(columns, names=["item_id", "day", "market", "views"]))
    if not parts or not sum(part.num_rows for part in parts):
        raise NothingToDo("no item in the lake has a time (created_at): bring it in with the items")
    return pa.concat_tables(parts), without


def ordinal(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _draw(item_id: str) -> int:
    """A number in [0, 2^32) that says nothing of what is in the item."""
    return int.from_bytes(hashlib.blake2b(item_id.encode(), digest_size=4, person=b"goldfold-trends").digest())


def rows_of(lake: Lake, group: str, ids: Mapping[str, int]) -> Iterator[tuple[I64, F32]]:
    """(places, unit vectors) of the items of ``ids``, batch by batch."""
    for batch in lake.scan(["embedding"], group):
        places = np.array([ids.get(item_id, -1) for item_id in batch["item_id"].to_pylist()], np.int64)
        here = np.flatnonzero(places >= 0)
        if len(here):
            column = batch["embedding"]
            flat = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
            vectors = unit(flat[here].astype(np.float32))
            made = vectors.any(axis=1)
            yield places[here][made], vectors[made]


def fitted(lake: Lake, group: str, table: pa.Table) -> Clusters:
    """Of the baseline's items, the ``SAMPLE`` with the smallest draws."""
    last = pc.max(table["day"]).as_py()
    old = table.filter(pc.less_equal(table["day"], last - WATCHED))["item_id"].to_pylist()
    chosen = sorted(old, key=_draw)[:SAMPLE]
    found = list(rows_of(lake, group, {item_id: i for i, item_id in enumerate(chosen)}))
    if not found:
        raise NothingToDo("no item of these days has an embedding: run the score job first (goldfold score)")
    order = np.argsort(np.concatenate([places for places, _ in found]))
    return fit(np.concatenate([vectors for _, vectors in found])[order])


def read_frame(lake: Lake, group: str, table: pa.Table, clusters: Clusters, day: date) -> tuple[Frame, int]:
    ids = table["item_id"].to_pylist()
    days = table["day"].to_numpy().astype(np.int64) - (ordinal(day) - DAYS + 1)
    cluster, far = np.full(len(ids), -1, np.int64), np.zeros(len(ids), np.bool_)
    is_late = days >= DAYS - WINDOW
    late = np.flatnonzero(is_late)
    slots = np.cumsum(is_late) - 1
    window = np.zeros((len(late), clusters.centroids.shape[1]), np.float32)
    for places, vectors in rows_of(lake, group, {item_id: i for i, item_id in enumerate(ids)}):
        cluster[places], far[places] = clusters.assign(vectors)
        now = is_late[places]
        window[slots[places[now]]] = vectors[now]
    kept = np.flatnonzero(cluster >= 0)
    markets, place = np.unique(np.array(table["market"].to_pylist(), object)[kept].astype(str), return_inverse=True)
    draws = np.array([_draw(ids[i]) for i in kept], np.int64)
    items = Items(days[kept], place.astype(np.int64), cluster[kept], far[kept], draws % 2 == 0, draws)
    frame = Frame(
        ids=[ids[i] for i in kept],
        items=items,
        markets=markets.tolist(),
        views=table["views"].to_numpy()[kept].astype(np.int64),
        late=np.flatnonzero(items.day >= DAYS - WINDOW),
        window=window[cluster[late] >= 0],
    )
    return frame, len(ids) - len(kept)
