from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.requests import check_round, check_round_here, round_request, typed_round
from configs.settings import PACKAGED_POLICIES, Settings
from labeling.errors import InvalidInput, NothingToDo
from labeling.policies import read_policies
from selection.errors import BadPlan, BudgetTooLarge
from selection.types import Quota
from tests.api.site import WordGoldfold, stock
from tests.api.site import settings as site_settings


def test_what_is_left_out_comes_from_the_settings(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, budget=7, overlap=3, lanes={"random": 1.0, "risk": 0.0})
    request = round_request(settings, {"round_id": "r-1", "budget": None, "seed": 4})
    assert (request["budget"], request["overlap"], request["seed"]) == (7, 3, 4)
    assert request["lanes"] == {"random": 1.0}
    assert json.loads(json.dumps(request)) == request


def test_it_becomes_a_typed_request(tmp_path: Path) -> None:
    quota = {"key": "language", "value": "pt", "at_least": 1, "at_most": None}
    request = round_request(Settings(data_dir=tmp_path), {"round_id": "r-1", "policies": ["x"], "quotas": [quota]})
    typed = typed_round(request)
    assert (typed.policies, typed.quotas) == (("x",), (Quota("language", "pt", 1, None),))


def test_lanes_may_be_tuned_from_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, lanes={"random": 0.5, "uncertain": 0.5})
    request = round_request(settings, {"round_id": "r-1", "lanes": "auto"})
    assert (request["lanes"], request["retune"]) == ({"random": 0.5, "uncertain": 0.5}, True)
    assert typed_round(request).retune
    assert "retune" not in round_request(settings, {"round_id": "r-1"})


def test_a_share_below_nothing_is_not_quietly_dropped(tmp_path: Path) -> None:
    policies = read_policies(PACKAGED_POLICIES)
    settings = Settings(data_dir=tmp_path)
    for lanes in ({"random": -0.5, "uncertain": 1.0}, {"random": float("nan"), "uncertain": 1.0}):
        with pytest.raises(BadPlan, match="lanes: random: share"):
            check_round(policies, round_request(settings, {"round_id": "r-1", "lanes": lanes}))
    with pytest.raises(InvalidInput, match="policies: nonsense unknown"):
        check_round(policies, round_request(settings, {"round_id": "r-1", "policies": ["nonsense"]}))
    check_round(policies, round_request(settings, {"round_id": "r-1"}))


def test_what_this_installation_cannot_give_is_refused_before_a_job_takes_the_id(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = tmp_path / "scorer.yaml"
    path.write_text("kind: hf-text\nmodel: model\nlabels: {blood: violence}\n")
    goldfold = WordGoldfold(site_settings(tmp_path / "data", scorer=str(path)))
    request = round_request(goldfold.settings, {"round_id": "r-1", "budget": 4, "policies": ["violence"]})
    with pytest.raises(NothingToDo, match="the lake is empty"):
        check_round_here(goldfold, request)
    stock(goldfold, 3)
    with pytest.raises(BudgetTooLarge, match="4 picks, but the frame holds 3"):
        check_round_here(goldfold, request)
    check_round_here(goldfold, {**request, "budget": 3})
    with pytest.raises(InvalidInput, match=r"policies: hate_speech: the scorer .* ask only for violence"):
        check_round_here(goldfold, {**request, "policies": ["violence", "hate_speech"]})
    goldfold.close()


def test_disagreement_is_asked_of_committees_only(tmp_path: Path) -> None:
    given = {"round_id": "r-1", "budget": 3, "policies": ["hate_speech"], "strategy": "disagreement"}
    plain = WordGoldfold(site_settings(tmp_path / "plain"))
    stock(plain, 6)
    check_round(plain.policies, round_request(plain.settings, given))
    with pytest.raises(InvalidInput, match="the setting scorer is embedding-head and cascade is none"):
        check_round_here(plain, round_request(plain.settings, given))
    plain.close()
    for cascade in (None, "auto"):
        committee = WordGoldfold(site_settings(tmp_path / f"{cascade}", scorer="hate-mc-dropout", cascade=cascade))
        stock(committee, 6)
        if cascade is None:
            check_round_here(committee, round_request(committee.settings, given))
        else:
            with pytest.raises(InvalidInput, match="cascade is auto"):
                check_round_here(committee, round_request(committee.settings, given))
        committee.close()
