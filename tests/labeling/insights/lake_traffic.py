"""Made traffic in a real lake: items with times, markets and texts, and their embeddings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import numpy as np
import pyarrow as pa

from labeling.records import Item
from tests.labeling.quality.traffic import Traffic
from tests.labeling.shop import Shop

START = date(2026, 1, 5)
GROUP = "embeddings-hash-1"


def day_of(number: int) -> date:
    return START + timedelta(days=number)


def fill(shop: Shop, made: Traffic, prefix: str = "t", *, timed: bool = True) -> list[str]:
    """Bring the traffic in with its embeddings, unscored; the items' ids, row by row."""
    rng = np.random.default_rng(0)
    new = []
    for n, (day, market, planted) in enumerate(zip(made.day, made.market, made.planted, strict=True)):
        text = f"melon offer number {n // 2}" if planted else f"words of everyday life {n}"
        at = datetime.combine(day_of(int(day)), datetime.min.time(), UTC) + timedelta(minutes=int(rng.integers(1440)))
        item = Item(f"{prefix}-{n:06}", f"{prefix}ext-{n}", text, sha256(text.encode()).hexdigest(), language="en")
        new.append(replace(item, market=f"m{market}", created_at=at if timed else None, views=10))
    shop.ingest(new)
    flat = pa.array(made.vectors.astype(np.float16).ravel())
    ids = [item.item_id for item in new]
    shop.lake.add_columns(GROUP, ids, {"embedding": pa.FixedSizeListArray.from_arrays(flat, made.vectors.shape[1])})
    return ids
