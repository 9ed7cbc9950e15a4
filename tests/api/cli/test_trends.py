from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from labeling.records import Item
from tests.api.cli.conftest import Terminal
from tests.api.site import DIMENSION, HARM, WordGoldfold
from tests.figures import assert_whole
from tests.labeling.insights.lake_traffic import day_of
from tests.labeling.quality.traffic import around, unit


def stock(site: WordGoldfold) -> None:
    """Five weeks of one topic a day in 25 texts, and on the last three days 30 more texts about something new."""
    rng = np.random.default_rng(0)
    old, new = unit(rng.normal(size=(2, DIMENSION)))
    items, rows = [], []
    for day in range(35):
        at = datetime.combine(day_of(day), datetime.min.time(), UTC)
        for n in range(25 + (10 if day >= 32 else 0)):
            word = "melon" if n >= 25 else "life"
            name = f"{day}-{n}"
            items.append(Item(f"i-{name}", f"e-{name}", f"{word} {name}", f"{day:032}{n:032}", created_at=at))
            rows.append(around(rng, (new if n >= 25 else old)[None], 0.9)[0])
    site.ledger.items.register(items, site.lake.append(items))
    flat = pa.array(np.stack(rows).astype(np.float16).ravel())
    embeddings = {"embedding": pa.FixedSizeListArray.from_arrays(flat, DIMENSION)}
    site.lake.add_columns("embeddings-words-1", [item.item_id for item in items], embeddings)


@pytest.fixture
def stocked(goldfold: Terminal) -> Terminal:
    with goldfold.opened() as site:
        stock(site)
    return goldfold


def test_from_a_day_to_an_alert_to_a_round(stocked: Terminal) -> None:
    told = stocked("trends", "run", "--json").json
    assert (told["day"], told["items"]) == (day_of(34).isoformat(), 905)
    assert told["lasting"] >= 1
    assert "items, " in stocked("trends", "run", "--day", told["day"]).out
    found = [one for one in stocked("trends", "list", "--json").json if one["body"]["kind"] == "theme"]
    (alert,) = found
    (volume,) = assert_whole(alert)
    assert volume["items"] == f"/v1/trends/{alert['alert_id']}/items"
    assert volume["low"] < volume["value"] < volume["high"]
    assert (alert["count"], "item_ids" in alert) == (30, False)
    assert "melon" not in stocked("trends", "list").out
    assert "melon" in stocked("trends", "list", "--words").out
    assert "policy: 'none'" in stocked("trends", "open", alert["alert_id"]).err  # nothing is scored here
    opened = stocked("trends", "open", alert["alert_id"], "--policy", HARM, "--budget", "4", "--json")
    assert (opened.json["plan"]["lanes"], opened.json["plan"]["budget"]) == ({"watch": 1.0}, 4)
    assert opened.json["round_id"] in stocked("trends", "list").out
    assert "asks about 4 items" in stocked("trends", "open", alert["alert_id"], "--policy", HARM).out
    assert stocked("trends", "open", "nobody").code == 1
