from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import BudgetSpent, Conflict, InvalidInput, NothingToDo
from labeling.golden.publish import publish
from labeling.judging.contender import Contender, of_model
from labeling.judging.contest import Contest, hold
from labeling.judging.evaluate import ask_sealed, judge
from labeling.judging.gate import Terms
from labeling.judging.plots import draw
from labeling.judging.predictions import read_predictions
from labeling.judging.sealed import Door
from labeling.quality.evaluation import PURPOSIVE
from labeling.records import Outcome, Partition
from tests.figures import assert_whole
from tests.labeling.golden.images import Album, bring_images, drawn, fold_image
from tests.labeling.golden.made import sha
from tests.labeling.school import fit
from tests.labeling.shop import NO, NOW, Shop, yes


@pytest.fixture
def judged(exam: Shop) -> Contender:
    fit(exam)
    return of_model(exam.ledger, exam.lake, exam.policies, exam.ledger.models.get("m1"))


def test_every_slice_has_every_figure_with_n_interval_licence_and_versions(exam: Shop, judged: Contender) -> None:
    found: Any = judge(exam.ledger.golden, exam.lake, judged, "1.0.0")
    dev = [row for row in exam.ledger.golden.members("1.0.0") if row.partition is Partition.DEV]
    names = [(cell["dimension"], cell["value"]) for cell in found["slices"]]
    assert names[:3] == [("all", ""), ("language", "en"), ("language", "pt")]
    assert {value for name, value in names if name == "lane"} == {row.lane for row in dev}
    whole = found["slices"][0]
    assert whole["n"] + found["left_out"] == len(dev)
    assert set(whole["figures"]) == {
        "auprc",
        "recall_at_precision",
        "fpr_at_recall",
        "ece",
        "brier",
        "precision",
        "recall",
        "accuracy",
        "over_enforcement",
        "under_enforcement",
    }
    for figure in whole["figures"].values():
        origin = (figure["golden_version"], figure["policy_version"], figure["licence"])
        assert origin == ("1.0.0", "1.0.0", PURPOSIVE)
        assert figure["value"] is None or figure["low"] <= figure["value"] <= figure["high"]
    small = [cell for cell in found["slices"] if cell["n"] <= 12]
    assert small
    assert all(figure["verdict"] == "insufficient" for cell in small for figure in cell["figures"].values())
    json.dumps(found, allow_nan=False)


def test_any_field_of_the_items_cuts(exam: Shop, judged: Contender) -> None:
    found: Any = judge(exam.ledger.golden, exam.lake, judged, "1.0.0", ["views", "external_id"])
    assert len([cell for cell in found["slices"] if cell["dimension"] == "external_id"]) == found["slices"][0]["n"]
    with pytest.raises(InvalidInput, match=r"items have no field 'mood' \(they have: author,"):
        judge(exam.ledger.golden, exam.lake, judged, "1.0.0", ["mood"])


def test_what_is_drawn_is_in_the_json_and_on_paper(exam: Shop, judged: Contender, tmp_path: Path) -> None:
    found: Any = judge(exam.ledger.golden, exam.lake, judged, "1.0.0")
    lines = found["series"]["fraud"]
    assert {len(lines["pr"]), len(lines["thresholds"])} == {found["slices"][0]["n"]} or len(lines["pr"]) > 5
    assert lines["thresholds"][-1]["load"] == 1.0
    assert all(point["miss_rate"] <= point["miss_bound"] for point in lines["thresholds"])
    assert sum(one["n"] for one in lines["reliability"]) == found["slices"][0]["n"]
    (path,) = draw(found["series"], tmp_path / "plots", "golden 1.0.0")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_sealed_figures_leave_by_the_door_and_single_answers_do_not(exam: Shop, judged: Contender) -> None:
    door = Door(exam.ledger, 1, 20, "eve")
    told: Any = ask_sealed(exam.ledger, exam.lake, judged, "1.0.0", (), door)
    assert told["series"] == {}
    assert_whole(told, 8)
    assert told["slices"][0]["figures"]["auprc"]["value"] is not None
    for cell in told["slices"]:
        assert cell["verdict"] == "insufficient" or cell["n"] >= 20
        for figure in cell["figures"].values():
            assert figure["n"] >= 20 or (figure["value"], figure["events"], figure["low"]) == (None, None, 0.0)
    assert (told["is_repeat"], told["budget_left"]) == (False, 0)
    again: Any = ask_sealed(exam.ledger, exam.lake, judged, "1.0.0", (), door)
    assert again == told | {"is_repeat": True}
    with pytest.raises(BudgetSpent):
        ask_sealed(exam.ledger, exam.lake, replace(judged, thresholds={"fraud": 0.6}), "1.0.0", (), door)
    with pytest.raises(InvalidInput, match="the usual fields only"):
        ask_sealed(exam.ledger, exam.lake, judged, "1.0.0", ["surface"], door)


def test_a_version_that_holds_nothing_to_judge_on_says_so(exam: Shop, judged: Contender) -> None:
    with pytest.raises(NothingToDo, match="judges none of the policies"):
        judge(exam.ledger.golden, exam.lake, replace(judged, thresholds={"harm": 0.5}), "1.0.0")


@pytest.fixture
def mixed(exam: Shop) -> Shop:
    """The exam with thirty pictures in it, whose captions have a word of violating texts; published as 1.1.0."""
    album, groups = Album(), exam.groups()
    captions = {f"p{n}": f"cheat {sha(str(n))[:16]}" for n in range(30)}
    bring_images(exam, album, {item_id: (drawn(int(item_id[1:])), said) for item_id, said in captions.items()})
    for n, (item_id, caption) in enumerate(captions.items()):
        fold_image(exam, groups, album, item_id, caption, yes() if n % 2 else NO, ("fraud", "1.0.0"))
    publish(exam.ledger.golden, exam.folder / "golden", NOW)
    return exam


def test_a_model_of_texts_says_nothing_of_images_and_that_is_told(mixed: Shop) -> None:
    fit(mixed, golden_version="1.1.0")
    contender = of_model(mixed.ledger, mixed.lake, mixed.policies, mixed.ledger.models.get("m1"))
    members = mixed.ledger.golden.members("1.1.0")
    pictures = sum(row.modality == "image" for row in members if row.partition is Partition.DEV)
    assert pictures > 0
    found: Any = judge(mixed.ledger.golden, mixed.lake, contender, "1.1.0")
    assert found["unread"] == {"image": pictures}
    cut = [cell for cell in found["slices"] if cell["dimension"] == "modality"]
    assert [(cell["value"], cell["n"], cell["verdict"]) for cell in cut] == [
        ("text", found["slices"][0]["n"], "ok"),
        ("image", pictures, "unread"),
    ]
    sealed = sum(row.modality == "image" for row in members if row.partition is Partition.SEALED)
    told: Any = ask_sealed(mixed.ledger, mixed.lake, contender, "1.1.0", (), Door(mixed.ledger, 5, 13, "ana"))
    assert told["unread"] == {"image": sealed}
    assert json.dumps(told, allow_nan=False)


def test_predictions_of_both_are_cut_by_modality(mixed: Shop, tmp_path: Path) -> None:
    rows = [row for row in mixed.ledger.golden.members("1.1.0") if row.partition is Partition.DEV]
    lines = [f"{row.item_id},fraud,{0.9 if row.outcome is Outcome.VIOLATES else 0.2}" for row in rows]
    (tmp_path / "theirs.csv").write_text("\n".join(["item_id,policy,probability", *lines]))
    contender = read_predictions(tmp_path / "theirs.csv", mixed.ledger.items, mixed.policies)
    found: Any = judge(mixed.ledger.golden, mixed.lake, contender, "1.1.0")
    assert found["unread"] == {}
    cut = {cell["value"]: cell for cell in found["slices"] if cell["dimension"] == "modality"}
    assert cut["text"]["n"] + cut["image"]["n"] == found["slices"][0]["n"] == len(rows)
    assert cut["text"]["figures"]["accuracy"]["value"] == 1.0
    figure = cut["image"]["figures"]["accuracy"]
    assert (figure["n"], figure["verdict"]) == (cut["image"]["n"], "insufficient")


def test_models_of_different_modalities_meet_at_no_gate(exam: Shop, judged: Contender) -> None:
    other = replace(judged, model_id="seer", modality="image")
    contest = Contest(other, judged, "1.0.0", Terms({}, {}, 13))
    with pytest.raises(Conflict, match="name a champion that reads the same"):
        hold(exam.ledger, contest, Door(exam.ledger, 5, 13, "ana"))
