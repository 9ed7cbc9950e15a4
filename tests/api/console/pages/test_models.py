from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api.auth import Role
from labeling.model_records import ModelState
from tests.api.console.conftest import JSON, Console, opened
from tests.api.console.pages.exam import examined, train
from tests.api.site import HARM

MODELS = "/console/models"
MODEL = f"{MODELS}/hate-1"


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    goldfold = examined(tmp_path_factory.mktemp("model-exam"))
    train(goldfold)
    with opened(goldfold) as console:
        yield console


@pytest.fixture(scope="module")
def report(exam: Console) -> dict[str, Any]:
    """What ``POST /v1/models/hate-1/evaluate`` answers before anything is done with it."""
    return exam.goldfold.report("hate-1", "a test", "1.1.0")


def _settled(console: Console, path: str, role: Role = Role.LEAD) -> dict[str, Any]:
    """A page's numbers once none is on its way."""
    told = console.json(path, role)
    while told["pending"]:
        told = console.json(path, role)
    return told


def test_models_are_listed_with_their_states(exam: Console) -> None:
    told = exam.json(MODELS, Role.VIEWER)
    same = exam.get("/v1/models", Role.VIEWER, JSON).json()
    assert [each["model_id"] for each in told["models"]] == [each["model_id"] for each in reversed(same)]
    page = exam.get(MODEL).text
    assert "It was not judged yet" in page
    exam.post(f"{MODEL}/evaluate", {}, Role.ENGINEER)
    assert exam.json(MODEL)["evaluation"]["golden_version"] == "1.1.0"  # the newest, as on each of its pages
    judged = exam.get("/v1/models/hate-1", Role.VIEWER, JSON).json()["metrics"]["policies"][HARM]
    assert exam.json(MODEL)["evaluation"]["policies"][HARM] == judged
    assert f"n {judged['recall']['n']}" in exam.get(MODEL).text
    (line,) = [one for one in exam.json(MODELS, Role.ENGINEER)["models"] if one["recall"]]
    assert (line["model_id"], line["recall"][HARM]) == ("hate-1", judged["recall"])
    assert str(same[0]["version"])[:12] not in exam.get(MODELS).text  # hashes stand on the model's own page


def test_slices_and_curves_are_those_of_the_report(exam: Console, report: dict[str, Any]) -> None:
    told = _settled(exam, f"{MODEL}/slices?dimension=lane", Role.ENGINEER)
    same = [one for one in report["slices"] if (one["policy"], one["dimension"]) == (HARM, "lane")]
    assert told["slices"] == same
    assert {one["value"] for one in same} == {"random", "uncertain"}
    assert told["asked"]["golden"] == "1.1.0"
    for role, linked in ((Role.ENGINEER, True), (Role.VIEWER, False)):
        assert ("/console/list?of=/v1/golden/items" in exam.get(f"{MODEL}/slices?dimension=lane", role).text) is linked
    older = _settled(exam, f"{MODEL}/slices?golden=1.0.0", Role.VIEWER)
    assert (older["newer"], older["asked"]["golden"]) == ("1.1.0", "1.0.0")
    assert "the newest released version is" in exam.get(f"{MODEL}/slices?golden=1.0.0").text
    assert exam.get(f"{MODEL}/slices?golden=9.9.9").status_code == 404
    assert "Recall where precision is 90 %" in exam.get(f"{MODEL}/curves").text
    curves = _settled(exam, f"{MODEL}/curves", Role.VIEWER)
    points = report["series"][HARM]["pr"]
    assert curves["charts"]["pr"]["series"][0]["y"] == [point["precision"] for point in points]
    csv = exam.get(f"{MODEL}/curves?chart=reliability&as=csv").text.splitlines()
    assert len(csv) == 1 + len(report["series"][HARM]["reliability"]) + 2  # a head, the bins, and as it ought to be


def test_the_slider_tells_what_a_threshold_misses_and_costs(exam: Console, report: dict[str, Any]) -> None:
    points = report["series"][HARM]["thresholds"]
    low = min(point["threshold"] for point in points)
    told = _settled(exam, f"{MODEL}/thresholds?at={low}", Role.VIEWER)
    assert told["point"] == min(points, key=lambda point: point["threshold"])
    assert told["point"]["load"] == 1
    assert _settled(exam, f"{MODEL}/thresholds?at=1")["point"] is None
    (whole,) = [one for one in report["slices"] if (one["policy"], one["dimension"]) == (HARM, "all")]
    assert told["told"]["missed"]["n"] == whole["figures"]["recall"]["n"]
    assert (told["told"]["load"]["value"], told["told"]["load"]["n"]) == (1, whole["n"])
    assert told["told"]["right"]["licence"] == whole["figures"]["recall"]["licence"]
    assert len(told["points"]) == len(points) + 1  # the last is above every score
    assert told["points"][0] == {"at": low, "told": told["shown"]}
    assert told["points"][-1]["told"]["load"] == "0.0 %"
    own = _settled(exam, f"{MODEL}/thresholds?at={whole['threshold']}")["told"]
    assert own["missed"]["value"] == pytest.approx(whole["figures"]["under_enforcement"]["value"])
    assert own["right"]["value"] == pytest.approx(whole["figures"]["precision"]["value"])
    for wrong in ("nan", "inf", "-1", "2", "half"):
        refused = exam.get(f"{MODEL}/thresholds?at={wrong}", Role.VIEWER, JSON)
        assert (refused.status_code, "at" in refused.text) == (422, True)
    page = exam.get(f"{MODEL}/thresholds?at=0.5").text
    assert 'type="range"' in page
    assert 'data-of="missed"' in page
    assert "data-slide" in page
    assert "Draw the line by a target" not in exam.get(f"{MODEL}/thresholds", Role.ENGINEER).text


def test_a_line_is_looked_at_before_it_is_drawn(exam: Console) -> None:
    look = f"{MODEL}/line?policy={HARM}&miss_rate=0.3"
    told = _settled(exam, look)["line"]["value"]
    assert "thresholds" not in exam.goldfold.ledger.models.get("hate-1").metrics  # it was a look
    assert exam.post(f"{MODEL}/line", {"policy": HARM, "miss_rate": "0.3"}).status_code == 303
    kept: Any = exam.goldfold.ledger.models.get("hate-1").metrics["thresholds"]
    assert kept[HARM]["threshold"] == told["threshold"]
    back = _settled(exam, f"{MODEL}/line?policy={HARM}")["line"]["value"]
    assert back == {"threshold": exam.goldfold.policies[HARM].threshold, "rule": "policy"}
    assert exam.goldfold.ledger.models.get("hate-1").metrics["thresholds"] == kept  # a look again
    assert exam.post(f"{MODEL}/line", {"policy": HARM}).status_code == 303
    assert exam.goldfold.ledger.models.get("hate-1").metrics["thresholds"] == {}
    assert exam.get(f"{MODEL}/line?policy={HARM}&miss_rate=2").status_code == 422


def test_errors_go_by_clusters_and_never_touch_sealed_items(exam: Console, report: dict[str, Any]) -> None:
    told = _settled(exam, f"{MODEL}/errors", Role.ENGINEER)
    found = told["found"]["value"]
    (whole,) = [one for one in report["slices"] if (one["policy"], one["dimension"]) == (HARM, "all")]
    assert found["wrong"]["value"] == pytest.approx(1 - whole["figures"]["accuracy"]["value"])
    assert found["wrong"]["licence"] == whole["figures"]["accuracy"]["licence"]
    rows = {row.external_id: row for row in exam.goldfold.ledger.golden.items(policy_id=HARM)}
    assert {str(rows[one["external_id"]].partition) for one in told["wrong"]} == {"dev"}
    assert sum(one["wrong"]["events"] for one in found["clusters"]) == found["wrong"]["events"] == told["all"]
    page = exam.get(f"{MODEL}/errors").text
    assert "vermin" not in page  # words are made of content
    shown = exam.goldfold.ledger.audit.latest(1, action="content.shown")
    assert "vermin" in exam.get(f"{MODEL}/errors?policy={HARM}&named=true").text
    (noted,) = exam.goldfold.ledger.audit.latest(1, action="content.shown")
    assert (shown, noted["target"]) == ([], "hate-1")
    assert "/console/rounds/new?policies=" in page
    assert "/console/golden/errors?item=" in page
    assert "/console/golden/" not in exam.get(f"{MODEL}/errors", Role.ENGINEER).text.split("<tbody>")[-1]
    assert "is not one of dev, calibration" in exam.get(f"{MODEL}/errors?policy={HARM}&partition=sealed").text


def test_two_models_are_compared_on_the_same_items(exam: Console) -> None:
    told = _settled(exam, f"{MODEL}/beside?other=hate-2&golden=1.0.0", Role.VIEWER)
    (whole,) = told["whole"]
    assert whole["n"] == told["found"]["value"]["items"]
    assert whole["only_first"] + whole["only_second"] <= 2  # they are nearly alike
    assert whole["p"] == 1.0
    assert whole["first"]["recall"]["licence"].startswith("sample")


def test_drift_of_a_model_that_was_never_champion_says_when_there_is_one(exam: Console) -> None:
    page = exam.get(f"{MODEL}/drift").text
    assert "is told of a model that is, or was, the champion" in page
    assert f"{MODEL}/promote" in page


def test_from_the_gate_to_the_champion_and_back(exam: Console) -> None:
    models = exam.goldfold.ledger.models
    assert exam.post(f"{MODEL}/calibrate", {}, Role.ENGINEER).status_code == 303
    assert "is in force" in exam.get(f"{MODEL}/calibration").text
    assert exam.post(f"{MODEL}/promote", {"reason": "the first"}).status_code == 303
    assert models.get("hate-1").state is ModelState.CHAMPION
    other = f"{MODELS}/hate-2"
    refused = exam.post(f"{other}/promote", {"reason": ""})
    assert refused.status_code == 409
    assert "was not judged against" in refused.text
    assert "0 of 20 questions spent" in exam.get(f"{other}/gate").text
    verdict = exam.post(f"{other}/gate", {}).headers["location"]
    row = exam.goldfold.ledger.gates.all()[0]
    assert verdict == f"{MODELS}/gates/{row.gate_id}"
    assert str(row.body["verdict"]) in exam.get(verdict, Role.VIEWER).text
    assert f"<h1>hate-2 against hate-1: {row.body['verdict']}</h1>" in exam.get(verdict, Role.VIEWER).text
    assert "Hate speech" in exam.get(verdict, Role.VIEWER).text
    assert (exam.json(verdict, Role.VIEWER)["body"]["actor"], exam.json(verdict)["body"]["actor"]) == (
        "",
        row.body["actor"],
    )
    for one in exam.json(verdict)["slices"]:
        for side, figure in one["sides"].items():
            assert figure["events"] / figure["n"] == pytest.approx(one[f"{side}_right"])
    assert exam.json(f"{other}")["passed"] == (row.body["verdict"] == "pass")
    assert row.gate_id in exam.get(f"{other}/promote").text
    assert exam.post(f"{other}/promote", {"reason": "it is newer"}).status_code == 303
    assert models.get("hate-2").state is ModelState.CHAMPION
    assert exam.post(f"{MODEL}/rollback", {"reason": "worse"}).status_code == 409  # it is no champion any more
    assert exam.post(f"{other}/rollback", {"reason": ""}).status_code == 422
    assert exam.post(f"{other}/rollback", {"reason": "worse"}).status_code == 303
    assert models.get("hate-1").state is ModelState.CHAMPION
    assert exam.json(MODELS)["models"][0]["model_id"] == "hate-1"  # champions first
    assert {one["actor"] for one in exam.json(MODEL, Role.VIEWER)["history"]} == {""}
    assert "" not in {one["actor"] for one in exam.json(MODEL)["history"]}
    drifted = _settled(exam, f"{MODEL}/drift", Role.VIEWER)["drift"]["value"]
    assert drifted["verdict"] == exam.get("/v1/models/hate-1/drift", Role.VIEWER, JSON).json()["verdict"]


def test_where_no_model_is_the_page_says_what_to_do(bare: Console) -> None:
    page = bare.get(MODELS).text
    assert "There is no model yet" in page
    assert "No model has met the gate yet" in page
    assert bare.get(f"{MODELS}/nobody").status_code == 404
