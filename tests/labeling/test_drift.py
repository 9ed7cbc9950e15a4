from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from labeling import drift as drift_module
from labeling import drift_sources
from labeling.drift import REFERENCE, DriftReport, drift, record_reference
from labeling.errors import NotFound, NothingToDo
from labeling.judging.promotion import promote
from labeling.model_records import Model, ModelState
from scoring.errors import ModelNotFound
from tests.labeling.shop import NOW, Shop, items

CALM = "cheat w{n} v{n} money u{n}"  # every item has words of its own, so scores spread
OTHER = "hurt people hurt people hurt w{n}"


def register(shop: Shop, model_id: str = "m1") -> Model:
    """The prototypes as a registered model."""
    folder = shop.folder / "models" / model_id
    shop.prototypes.save(folder)
    made = Model(model_id, shop.prototypes.version, "1.0.0", str(folder), ModelState.CANDIDATE, {}, datetime.now(UTC))
    shop.ledger.models.add(made)
    return made


def take_in(shop: Shop, numbers: range, text: str = CALM, **changes: object) -> None:
    shop.ingest(items(numbers, text, **changes))
    shop.score()


def crown(shop: Shop, model_id: str = "m1") -> None:
    record_reference(shop.ledger, shop.lake, model_id)
    promote(shop.ledger, model_id, "lea")


def ask(shop: Shop, **how: Any) -> DriftReport:
    return drift(shop.ledger, shop.lake, **how)


@pytest.fixture
def running(shop: Shop) -> Shop:
    """A champion with a reference of 400 items, 120 of them in Portuguese."""
    register(shop)
    take_in(shop, range(280))
    take_in(shop, range(280, 400), language="pt")
    crown(shop)
    return shop


def test_the_same_kind_of_content_has_not_drifted(running: Shop) -> None:
    take_in(running, range(400, 600))
    take_in(running, range(600, 720), language="pt")
    take_in(running, range(720, 730), language="xx")
    found = ask(running)
    assert (found.model_id, found.reference_items, found.current_items) == ("m1", 400, 330)
    assert found.verdict == "none"
    assert sorted(found.policies) == ["fraud", "harm"]
    assert all(sorted(cells) == ["", "en", "pt"] for cells in found.policies.values())
    cell = found.policies["fraud"]["pt"]
    assert (cell.n_reference, cell.n_current, found.policies["fraud"][""].n_current) == (120, 120, 330)
    told = found.as_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["policies"]["fraud"]["languages"]["pt"] == cell.as_dict()
    assert (told["false_alarms"], told["least_window"]) == (0.01, 100)


def test_another_kind_of_content_has(running: Shop) -> None:
    take_in(running, range(400, 600))
    take_in(running, range(600, 720), OTHER, language="pt")
    found = ask(running)
    assert found.verdict == "major"
    assert found.policies["harm"]["pt"].verdict == "major"
    assert found.policies["harm"]["en"].verdict == "none"


def test_too_little_has_no_verdict(running: Shop) -> None:
    assert ask(running).verdict == "insufficient"
    take_in(running, range(400, 420), OTHER)
    found = ask(running)
    assert (found.verdict, found.current_items, found.policies["harm"][""].psi) == ("insufficient", 20, None)


def test_only_what_was_created_since_is_looked_at_and_the_undated_are_counted(running: Shop) -> None:
    take_in(running, range(400, 500), OTHER, created_at=datetime(2026, 2, 1, tzinfo=UTC))
    take_in(running, range(500, 620), created_at=NOW)
    take_in(running, range(620, 625))
    found = ask(running, since=NOW)
    assert (found.current_items, found.undated, found.since, found.verdict) == (120, 5, NOW.isoformat(), "none")
    assert ask(running).verdict == "major"


def test_a_calibration_is_no_drift_and_needs_no_scores(running: Shop) -> None:
    take_in(running, range(400, 600))
    before = ask(running)
    running.ledger.models.set_metrics("m1", {"calibration": {"version": "abc"}})
    assert ask(running) == before


def test_a_champion_keeps_its_window_and_a_model_that_comes_back_gets_another(running: Shop) -> None:
    first = running.ledger.models.get("m1").metrics[REFERENCE]
    take_in(running, range(400, 600), OTHER)
    crown(running)
    assert running.ledger.models.get("m1").metrics[REFERENCE] == first
    register(running, "m2")
    crown(running, "m2")
    assert running.ledger.models.get("m1").metrics[REFERENCE] == first
    record_reference(running.ledger, running.lake, "m1")
    assert running.ledger.models.rollback("lea").model_id == "m1"
    again: Any = running.ledger.models.get("m1").metrics[REFERENCE]
    assert again["items"] == 600
    assert ask(running, model_id="m2").reference_items == 600


def test_scores_are_not_kept_only_counts(running: Shop) -> None:
    kept: Any = running.ledger.models.get("m1").metrics[REFERENCE]
    for policy in kept["policies"].values():
        assert len(policy["edges"]) <= 9
        assert {len(counts) for counts in policy["counts"].values()} == {len(policy["edges"]) + 1}
        assert sum(policy["counts"][""]) == 400


def test_a_large_lake_is_sampled_by_item_whatever_the_order(running: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    take_in(running, range(400, 600))
    monkeypatch.setattr(drift_module, "MOST_ITEMS", 150)
    monkeypatch.setattr(drift_sources, "CHUNK", 40)
    found = ask(running)
    assert (found.current_items, found.verdict) == (150, "none")
    assert ask(running) == found


def test_without_a_window_it_is_said_how_to_get_one(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="no model is the champion yet"):
        ask(shop)
    with pytest.raises(NotFound, match="nobody"):
        ask(shop, model_id="nobody")
    register(shop)
    with pytest.raises(NothingToDo, match="'m1' has no reference window"):
        ask(shop, model_id="m1")
    crown(shop)  # an empty lake
    with pytest.raises(NothingToDo, match="goldfold promote m1"):
        ask(shop)
    take_in(shop, range(120))
    crown(shop)  # promoted again, with something to see
    assert ask(shop).reference_items == 120


def test_rare_languages_count_for_their_policy_only(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    register(shop)
    monkeypatch.setattr(drift_module, "MIN_WINDOW", 10)
    monkeypatch.setattr(drift_module, "MOST_LANGUAGES", 2)
    for n, (language, count) in enumerate((("en", 30), ("pt", 20), ("de", 15), ("fr", 5))):
        take_in(shop, range(100 * n, 100 * n + count), language=language)
    crown(shop)
    kept: Any = shop.ledger.models.get("m1").metrics[REFERENCE]
    assert sorted(kept["policies"]["fraud"]["counts"]) == ["", "en", "pt"]


def test_a_models_files_must_be_there(running: Shop) -> None:
    model = running.ledger.models.get("m1")
    for path in sorted(Path(model.path).iterdir()):
        path.unlink()
    with pytest.raises(ModelNotFound, match="holds no head"):
        ask(running)
