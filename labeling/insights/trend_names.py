"""Names of alerts, made when somebody asks: words of what people wrote are kept nowhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from labeling.insights.trend_records import TrendAlert
from labeling.quality.names import cluster_names
from labeling.store.interfaces import ITEMS, Lake

BACKGROUND = 2000  # texts beside the alerts', drawn by the items' ids


def names_of(lake: Lake, alerts: Sequence[TrendAlert]) -> dict[str, tuple[str, ...]]:
    """Words by alert id, from those of its texts that are there still, beside other texts of the lake."""
    wanted = {item_id: number for number, alert in enumerate(alerts) for item_id in alert.item_ids}
    least, rest = 2**32 * BACKGROUND / max(lake.count(), 1), list[str]()
    texts, clusters = list[str](), list[int]()
    for batch in lake.scan(["text"], ITEMS):
        for item_id, text in zip(batch["item_id"].to_pylist(), batch["text"].to_pylist(), strict=True):
            if item_id in wanted:
                texts.append(text or "")
                clusters.append(wanted[item_id])
            elif int.from_bytes(hashlib.blake2b(item_id.encode(), digest_size=4).digest()) < least:
                rest.append(text or "")
    found = cluster_names(texts + rest, clusters + [-1] * len(rest), range(len(alerts)))
    return {alert.alert_id: found[number] for number, alert in enumerate(alerts)}
