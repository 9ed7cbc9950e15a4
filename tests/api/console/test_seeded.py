"""What tests of pages find in the seeded site: of each thing one at least."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api import root_causes, weekly
from api.patterns import mined
from labeling.golden.contested import is_contested
from labeling.golden.diff import diff
from labeling.records import GoldState, RoundState
from tests.api.console.seeded import opened
from tests.api.site import WordGoldfold


@pytest.fixture(scope="module")
def site(seeded: Path) -> Iterator[WordGoldfold]:
    goldfold = opened(seeded)
    yield goldfold
    goldfold.close()


def test_gold_has_versions_flips_and_each_kind_of_trouble(site: WordGoldfold) -> None:
    golden = site.ledger.golden
    assert [one.version for one in golden.versions()] == ["1.0.0", "1.1.0"]
    assert any(one.action == "relabelled" for one in golden.events())
    assert diff(golden, "1.0.0", "1.1.0", 100).changed
    assert len(golden.errata("1.0.0")) == 1
    items = golden.items()
    assert any(map(is_contested, items))
    assert {GoldState.ACTIVE, GoldState.STALE, GoldState.ERASED} == {item.state for item in items}
    assert {item.language for item in items} >= {"en", "pt"}


def test_rounds_models_and_verdicts(site: WordGoldfold) -> None:
    ledger = site.ledger
    assert {RoundState.OPEN, RoundState.CLOSED} <= {one.state for one in ledger.rounds.all()}
    assert [row.body["verdict"] for row in ledger.gates.all()] == ["underpowered", "pass"]
    champion, challenger = (ledger.models.get(f"hate-head-{n}") for n in (1, 2))
    assert (champion.state, challenger.state) == ("champion", "challenger")
    assert {"policies", "calibration", "thresholds"} <= champion.metrics.keys()


def test_patterns_findings_packs_and_alerts(site: WordGoldfold) -> None:
    assert [one.level for one in mined(site).patterns if one.is_personal] == ["cem@example.org"]
    actions = [action for one in root_causes.findings(site) for action in one["actions"]]
    assert {action["state"] for action in actions} == {"verified", "open"}
    assert {one["is_late"] for one in actions} == {True, False}
    assert {bool(one["signed_by"]) for one in weekly.packs(site)} == {True, False}
    assert site.ledger.trends.all()
