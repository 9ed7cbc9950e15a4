from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.auth import Role
from api.jobs import steps
from api.requests import round_request
from api.server import build_app
from api.service import Service
from configs.settings import Settings
from labeling.golden.publish import publish
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import HARM, NOW, WordGoldfold, gild, score_all, select, settings, stock
from tests.figures import assert_whole

PATH = "/v1/models"
SECRET = "a secret of thirty-two characters"


def site_in(folder: Path) -> Settings:
    shares = {"train": 0.3, "calibration": 0.3, "sealed": 0.4}
    margins = {str(severity): 0.25 for severity in range(5)}
    return settings(folder, partitions=shares, gate_secret=SECRET, gate_margins=margins, sealed_min_cell=13)


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site with sealed gold and two trained models; not to be written to."""
    folder = tmp_path_factory.mktemp("examined")
    with closing(WordGoldfold(site_in(folder))) as goldfold:
        stock(goldfold, 150)
        score_all(goldfold)
        select(goldfold, budget=140)
        gild(goldfold)
        publish(goldfold.ledger.golden, goldfold.golden_dir, NOW, author="somebody")
        for number, name in enumerate(("hate-1", "hate-2")):
            steps.train(goldfold, name, "1.0.0", number)
    return folder


@pytest.fixture
def exam(examined: Path, tmp_path: Path) -> Iterator[Site]:
    """A copy of it; versions and models are read where they were made."""
    shutil.copytree(examined, tmp_path, dirs_exist_ok=True)
    given = site_in(tmp_path)
    with Service(given, WordGoldfold(given)) as service:
        yield give_keys(Site(build_app(service), service))


def test_from_the_gate_to_the_champion_and_back(exam: Site) -> None:
    first = exam.ask("POST", f"{PATH}/hate-1/promote", Role.LEAD, json={})
    assert first.status_code == 200, first.text  # the first champion needs no gate
    exam.service.jobs.result(first.json()["rescore_job_id"])
    second = exam.ask("POST", f"{PATH}/hate-2/promote", Role.LEAD, json={})
    assert_problem(second, 409, "was not judged against 'hate-1'")
    told = exam.ask("POST", f"{PATH}/hate-2/gate", Role.LEAD, json={}).json()
    assert (told["verdict"], told["signed"], told["is_repeat"]) == ("pass", True, False), told["reasons"]
    for figure in assert_whole(told):
        page = exam.get(figure["items"])
        assert (page["items"], page["withheld"] > 0) == ([], True)  # sealed items are counted, not named
    assert exam.get(f"{PATH}/hate-2")["state"] == "challenger"
    promoted = exam.ask("POST", f"{PATH}/hate-2/promote", Role.LEAD).json()
    assert promoted["state"] == "champion"
    assert exam.service.jobs.result(promoted["rescore_job_id"])["left"] == 0
    moves = exam.get(f"{PATH}/hate-2/history", Role.VIEWER)
    assert [(m["kind"], m["after"], m["replaced"]) for m in moves] == [
        ("move", "challenger", ""),
        ("promote", "champion", "hate-1"),
    ]
    assert moves[1]["gate_id"] == told["gate_id"]
    window = exam.goldfold.ledger.models.get("hate-1").metrics["reference"]
    back = exam.ask("POST", f"{PATH}/rollback", Role.LEAD, json={"reason": "it misses threats"}).json()
    assert (back["model_id"], back["state"]) == ("hate-1", "champion")
    assert exam.goldfold.ledger.models.get("hate-1").metrics["reference"] != window  # it starts anew
    assert exam.get(f"{PATH}/hate-2")["state"] == "archived"
    again = exam.ask("POST", f"{PATH}/hate-2/promote", Role.LEAD, json={"without_gate": "it was better"})
    assert_problem(again, 409, "is archived")


def test_verdicts_and_questions_are_listed_and_verified(exam: Site) -> None:
    told = exam.ask("POST", f"{PATH}/hate-1/gate", Role.LEAD, json={}).json()
    assert exam.ask("POST", f"{PATH}/hate-1/gate", Role.LEAD, json={}).json()["is_repeat"] is True
    (row,) = exam.get("/v1/gates", Role.VIEWER)
    assert exam.get(f"/v1/gates/{told['gate_id']}", Role.VIEWER) == row
    assert (row["body"]["verdict"], row["previous"], len(row["signature"])) == (told["verdict"], "", 64)
    assert exam.ask("POST", "/v1/gates/verify", json={}).json() == {"verdicts": 1}
    asked = exam.get("/v1/gates/queries?family=head on words-1")
    assert [(one["kind"], one["model_id"], one["is_repeat"]) for one in asked] == [
        ("gate", "hate-1", False),
        ("gate", "hate-1", True),
    ]
    assert exam.get("/v1/gates/queries?family=nobody") == []
    assert_problem(exam.ask("GET", "/v1/gates/gate-none", Role.VIEWER), 404, "gate-none")


def test_a_threshold_moves_what_the_champion_acts_on(exam: Site) -> None:
    body = {"policy": HARM, "miss_rate": 0.3}
    told = exam.ask("POST", f"{PATH}/hate-1/threshold", Role.LEAD, json=body)
    assert told.status_code == 200, told.text
    tau = told.json()["threshold"]
    assert exam.get(told.json()["items"])["count"] >= told.json()["n"]
    assert exam.goldfold.operating()[HARM].threshold != tau  # it is no champion
    exam.ask("POST", f"{PATH}/hate-1/promote", Role.LEAD, json={"without_gate": "a test"})
    assert exam.goldfold.operating()[HARM].threshold == tau
    text = {"items": [{"id": "a", "text": "vermin"}]}
    scored = exam.ask("POST", "/v1/score", Role.VIEWER, json=text).json()
    assert scored["policies"][HARM]["threshold"] == tau
    opened = steps.open_round(exam.goldfold, asked(exam, "week-2"))
    assert opened["champion"] == "hate-1"
    assert exam.goldfold.ledger.rounds.get("week-2").plan["thresholds"] == {HARM: tau}
    cleared = exam.ask("POST", f"{PATH}/hate-1/threshold", Role.LEAD, json={"policy": HARM})
    assert cleared.json()["rule"] == "policy"
    both = {"policy": HARM, "miss_rate": 0.3, "precision": 0.5}
    assert_problem(exam.ask("POST", f"{PATH}/hate-1/threshold", Role.LEAD, json=both), 422, "give one of them")


def test_a_round_that_runs_goes_on_with_the_model_it_began_with(exam: Site) -> None:
    goldfold = exam.goldfold
    cold = goldfold.scorer().version
    opened = steps.open_round(goldfold, asked(exam, "week-3"))
    goldfold.promote("hate-1", "lea")
    assert goldfold.scorer().version != cold
    chunk = steps.score(goldfold, "week-3", champion=opened["champion"])
    assert (chunk["champion"], chunk["version"], chunk["left"]) == ("", cold, 0)
    steps.select(goldfold, "week-3", opened["champion"])
    assert goldfold.ledger.rounds.get("week-3").scorer_version == cold
    assert steps.score(goldfold, "later")["champion"] == "hate-1"


def asked(site: Site, round_id: str) -> dict[str, Any]:
    given = {"round_id": round_id, "budget": 4, "policies": [HARM], "lanes": {"random": 0.5, "uncertain": 0.5}}
    return round_request(site.goldfold.settings, given)


def test_judging_is_for_leads(exam: Site) -> None:
    exam.refused("POST", f"{PATH}/x/gate", Role.LEAD, json={})
    exam.refused("POST", f"{PATH}/x/threshold", Role.LEAD, json={"policy": HARM})
    exam.refused("POST", f"{PATH}/rollback", Role.LEAD, json={})
    exam.refused("POST", f"{PATH}/x/archive", Role.LEAD, json={})
    assert exam.ask("POST", f"{PATH}/hate-2/archive", Role.LEAD, json={"reason": "a try"}).json()["state"] == "archived"
