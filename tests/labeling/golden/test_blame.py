from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from labeling.errors import NotFound
from labeling.golden.blame import blame
from labeling.golden.partition import Shares
from labeling.golden.publish import publish
from labeling.golden_records import Erratum
from tests.labeling.golden.desk import Desk
from tests.labeling.golden.made import NOW, YES


def labelled(desk: Desk, folder: Path, shares: Shares) -> Desk:
    desk.shares = shares
    desk.ingest({"a": ("one", 0)})
    desk.label("a", YES)
    publish(desk.ledger.golden, folder, NOW, author="lead")
    desk.ledger.golden.add_erratum(Erratum("1.0.0", "a", "harm", "it is allowed", "lead", NOW))
    return desk


def test_one_items_history(desk: Desk, tmp_path: Path) -> None:
    labelled(desk, tmp_path, Shares(train=1, calibration=0, dev=0, sealed=0))
    found = blame(desk.ledger, "ext-a")
    assert (found.item_id, found.external_id) == ("a", "ext-a")
    assert [(event["action"], event["reason"]) for event in found.events] == [
        ("folded", "unanimous answers of 2 people"),
        ("erratum", "it is allowed"),
    ]
    assert found.golden[0]["outcome"] == "violates"
    assert [(one["version"], one["partition"]) for one in found.versions] == [("1.0.0", "train")]
    assert found.adjudications[0]["annotators"] == ["ann", "bob"]
    assert found.errata[0].reason == "it is allowed"
    assert blame(desk.ledger, "a") == found
    with pytest.raises(NotFound, match="'nobody'"):
        blame(desk.ledger, "nobody")


def test_of_a_sealed_item_no_answer_is_told(desk: Desk, tmp_path: Path) -> None:
    labelled(desk, tmp_path, Shares(train=0, calibration=0, dev=0, sealed=1))
    words = json.dumps(asdict(blame(desk.ledger, "a")), default=str)
    for told in ("violates", "allowed", "threat"):
        assert told not in words
    assert "withheld" in words
