from __future__ import annotations

import numpy as np
import pytest

from api.auth import Role
from labeling.records import Partition
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import HARM, gild, score_all, select, stock
from tests.figures import assert_whole

PATH = "/v1/models"


@pytest.fixture
def gold(site: Site) -> Site:
    """A site with a published golden version."""
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold, budget=40)  # so that dev has enough to judge by
    gild(site.goldfold)
    assert site.ask("POST", "/v1/golden/versions", Role.LEAD, json={}).status_code == 201
    return site


def test_a_model_is_trained_judged_and_promoted(gold: Site) -> None:
    for _ in range(2):
        response = gold.ask("POST", PATH, json={"model_id": "hate-1"})
        assert response.status_code == 202, response.text
        assert gold.service.jobs.result("hate-1")["model_id"] == "hate-1"
    (model,) = gold.get(PATH, Role.VIEWER)
    assert (model["model_id"], model["state"], model["golden_version"]) == ("hate-1", "candidate", "1.0.0")
    assert gold.get(f"{PATH}/hate-1", Role.VIEWER) == model
    judged = gold.ask("POST", f"{PATH}/hate-1/evaluate", json={}).json()
    assert judged["golden_version"] == "1.0.0"
    assert judged["policies"][HARM]["n"] > 0
    assert {name: judged[name] for name in model["metrics"]} == model["metrics"]
    assert [cell["policy"] for cell in judged["slices"] if cell["dimension"] == "all"] == [HARM]
    assert set(judged["series"][HARM]) == {"pr", "reliability", "thresholds"}
    whole = assert_whole(judged, 9)
    page = gold.get(f"{judged['policies'][HARM]['recall']['items']}&limit=1000")
    assert (page["count"], page["withheld"]) == (judged["policies"][HARM]["n"] + judged["left_out"], 0)
    for figure in whole:
        assert gold.get(figure["items"])["count"] >= figure["n"]
    before = gold.goldfold.scorer().version
    promoted = gold.ask("POST", f"{PATH}/hate-1/promote", Role.LEAD).json()
    assert (promoted["state"], promoted["promoted_at"] is None) == ("champion", False)
    assert gold.goldfold.scorer().version != before


def test_a_fine_tuning_is_a_job_of_its_own(gold: Site) -> None:
    started = gold.ask("POST", f"{PATH}/finetune", json={"model_id": "hate-8", "base": "nobody/has-this"})
    assert (started.status_code, started.json()["kind"]) == (202, "finetune")
    assert list(gold.service.jobs.follow("hate-8"))[-1].state == "failed"
    assert "nobody/has-this" in gold.get("/v1/jobs/hate-8")["error"]
    for body in ({}, {"base": "/etc"}, {"base": "../models"}, {"base": "a/../b"}, {"base": "x", "method": "half"}):
        assert_problem(gold.ask("POST", f"{PATH}/finetune", json=body), 422, r"body\.(base|method)")


def test_training_needs_a_golden_version(site: Site) -> None:
    assert_problem(site.ask("POST", PATH, json={}), 409, "no golden version yet")
    site.ask("POST", PATH, json={"model_id": "hate-1", "golden_version": "9.9.9"})
    assert list(site.service.jobs.follow("hate-1"))[-1].state == "failed"
    assert "9.9.9" in site.get("/v1/jobs/hate-1")["error"]


def test_what_is_not_there_is_named(site: Site) -> None:
    wanted = (("GET", ""), ("POST", "/evaluate"), ("POST", "/promote"), ("POST", "/calibrate"), ("GET", "/drift"))
    for method, path in wanted:
        assert_problem(site.ask(method, f"{PATH}/nobody{path}", Role.LEAD, json={}), 404, "nobody")
    for body, field in (({"model_id": "../x"}, "model_id"), ({"seed": "x"}, "seed"), ({"more": 1}, "more")):
        assert_problem(site.ask("POST", PATH, json=body), 422, f"body.{field}")


def test_a_seed_that_no_generator_takes_is_refused(site: Site) -> None:
    for seed in (-1, 2**32):
        assert_problem(site.ask("POST", PATH, json={"seed": seed}), 422, "body.seed")


def test_training_is_for_engineers_and_promoting_for_leads(site: Site) -> None:
    site.refused("POST", PATH, Role.ENGINEER, json={})
    site.refused("POST", f"{PATH}/x/evaluate", Role.ENGINEER, json={})
    site.refused("POST", f"{PATH}/x/calibrate", Role.ENGINEER, json={})
    site.refused("POST", f"{PATH}/x/promote", Role.LEAD)


@pytest.fixture
def champion(site: Site) -> Site:
    """A site whose model ``hate-1`` is promoted, with labels to calibrate it on and a reference window of 120 items."""
    stock(site.goldfold, 120)
    score_all(site.goldfold)
    select(site.goldfold, budget=100)
    gild(site.goldfold)
    golden = site.goldfold.ledger.golden
    for group in {row.group_id for row in golden.items(partition="dev")}:
        golden.regroup([group], group, Partition.CALIBRATION)
    assert site.ask("POST", "/v1/golden/versions", Role.LEAD, json={}).status_code == 201
    site.ask("POST", PATH, json={"model_id": "hate-1"})
    site.service.jobs.result("hate-1")
    assert site.ask("POST", f"{PATH}/hate-1/promote", Role.LEAD).status_code == 200
    return site


def test_a_champion_that_is_calibrated_scores_so_from_then_on(champion: Site) -> None:
    raw = champion.goldfold.scorer()
    route = f"{PATH}/hate-1/calibrate"
    tried = champion.ask("POST", route, json={"method": "temperature", "dry_run": True}).json()
    assert (tried["applied"], champion.goldfold.scorer()) == (False, raw)
    made = champion.ask("POST", route, json={"method": "temperature"}).json()
    assert made == {**tried, "applied": True}
    assert made["policies"][HARM]["change"]["log_loss"]["n"] >= 20
    assert_whole(made, 9)
    now = champion.goldfold.scorer()
    assert (now.version != raw.version, now.embedding_version, now.policies) == (
        True,
        raw.embedding_version,
        raw.policies,
    )
    text = ["text1 number1 words1 vermin"]
    place = now.policies.index(HARM)
    before, after = (one.score(["a"], text).probabilities[0] for one in (raw, now))
    assert before[place] != after[place]
    assert (np.delete(before, place) == np.delete(after, place)).all()
    assert champion.get(f"{PATH}/hate-1", Role.VIEWER)["metrics"]["calibration"] == made
    assert champion.ask("POST", route, json={"method": "none"}).json()["applied"] is True
    assert champion.goldfold.scorer().version == raw.version


def test_what_no_calibration_can_be_made_of_is_said(champion: Site) -> None:
    route = f"{PATH}/hate-1/calibrate"
    assert_problem(champion.ask("POST", route, json={"method": "beta"}), 422, r"body\.method")
    assert_problem(champion.ask("POST", route, json={"method": "isotonic"}), 409, "no policy has enough labels")
    assert_problem(champion.ask("POST", route, json={"golden_version": "9.9.9"}), 404, "9.9.9")


def test_drift_is_told_by_policy_and_language_and_kept_for_prometheus(champion: Site) -> None:
    route = f"{PATH}/hate-1/drift"
    told = champion.get(route, Role.VIEWER)
    assert (told["reference_items"], told["current_items"], told["verdict"]) == (120, 0, "insufficient")
    stock(champion.goldfold, 240)  # 120 more of the same kind
    score_all(champion.goldfold)
    told = champion.get(route, Role.VIEWER)
    assert (told["current_items"], told["verdict"]) == (120, "none")
    assert told["policies"][HARM]["languages"]["en"]["n_current"] == 120
    psi = told["policies"][HARM]["all"]["psi"]
    sample = champion.app.state.metrics.registry.get_sample_value
    assert sample("goldfold_drift_psi", {"model": "hate-1", "policy": HARM}) == psi
    later = champion.get(f"{route}?since=2030-01-01", Role.VIEWER)
    assert (later["since"], later["current_items"]) == ("2030-01-01T00:00:00+00:00", 0)
    assert_problem(champion.ask("GET", f"{route}?since=soon"), 422, r"query\.since")
    assert "reference" not in champion.get(f"{PATH}/hate-1", Role.VIEWER)["metrics"]


def test_a_model_that_was_never_promoted_has_no_drift(gold: Site) -> None:
    gold.ask("POST", PATH, json={"model_id": "hate-1"})
    gold.service.jobs.result("hate-1")
    assert_problem(gold.ask("GET", f"{PATH}/hate-1/drift"), 409, "no reference window")
