from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save_file

from labeling.artefacts import load_head
from labeling.calibration import Calibration, calibrate
from labeling.errors import IntegrityError, InvalidInput, NotFound, NothingToDo
from labeling.golden.judges import judging_rows
from labeling.golden.partition import Shares
from labeling.golden.publish import publish
from labeling.quality.evaluation import POPULATION, PURPOSIVE, UNWEIGHTED
from labeling.records import GoldState, Outcome, Partition
from labeling.training import calibration_folder, calibration_version, evaluate_model, load_calibrator
from scoring.calibration import TENSORS
from scoring.errors import ModelNotFound
from tests.labeling.school import fit, republish
from tests.labeling.shop import NO, Shop, items, open_shop, yes

COUNT = 120


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a golden version whose labels of fraud disagree with the words in one case of four, and a model."""
    folder = tmp_path_factory.mktemp("judged")
    shop = open_shop(folder)
    shop.shares = Shares(train=0.35, calibration=0.5, dev=0.15, sealed=0.0)
    shop.ingest(items(range(0, COUNT, 2), "cheat money fast w{n} v{n}", policies=("fraud",)))
    shop.ingest(items(range(1, COUNT, 2), "a walk outside w{n} v{n}", policies=("fraud",)))
    shop.score()
    sent = shop.send("r1", COUNT, policies=("fraud",), lanes={"random": 1.0})
    for place, task in enumerate(sorted(sent, key=lambda task: task.item_id)):  # task ids are random
        verdict = yes() if ("cheat" in task.text) != (place % 4 == 0) else NO
        shop.answer(task, verdict, verdict)
    assert shop.settle().golden == COUNT
    publish(shop.ledger.golden, folder / "golden", datetime.now(UTC))
    fit(shop)
    shop.ledger.close()
    return folder


@pytest.fixture
def desk(judged: Path, tmp_path: Path) -> Iterator[Shop]:
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    opened = open_shop(tmp_path)
    with opened.ledger._database.write() as connection:  # the model's folder moved with the copy
        connection.exec_driver_sql("UPDATE models SET path = ?", (str(tmp_path / "models" / "m1"),))
    yield opened
    opened.ledger.close()


def run(shop: Shop, **how: Any) -> Calibration:
    return calibrate(shop.ledger, shop.lake, shop.policies, "m1", actor="lea", **how)


def test_a_model_is_calibrated_on_the_calibration_partition_alone(desk: Shop) -> None:
    rows = judging_rows(desk.ledger.golden, "1.0.0", Partition.CALIBRATION)
    assert {(row.partition, row.state) for row in rows} == {(Partition.CALIBRATION, GoldState.ACTIVE)}
    made = run(desk, method="platt")
    fraud: Any = made.policies["fraud"]
    assert (fraud["n"], fraud["unused"]) == (len(rows), 0)
    assert fraud["positives"] == sum(row.outcome is Outcome.VIOLATES for row in rows)
    assert (fraud["method"], fraud["verdict"]) == ("platt", "calibrated")
    harm: Any = made.policies["harm"]
    assert (harm["verdict"], harm["n"]) == ("insufficient", 0)
    assert harm["note"].startswith("0 violating and 0 allowed labels")
    calibrator = load_calibrator(desk.ledger.models.get("m1"))
    assert calibrator is not None
    assert (calibrator.version, calibrator.policies) == (made.version, ("fraud",))


def test_figures_before_and_after_have_n_interval_licence_and_versions(desk: Shop) -> None:
    made = run(desk, method="platt")
    fraud: Any = made.policies["fraud"]
    assert fraud["licence"] == POPULATION  # the random lane alone: every pi is known
    assert fraud["measured"].startswith("cross-fitted")
    for side in ("before", "after", "change"):
        for name in ("ece", "brier", "log_loss"):
            figure = fraud[side][name]
            assert figure["low"] <= figure["value"] <= figure["high"]
            origin = (figure["n"], figure["golden_version"], figure["policy_version"], figure["licence"])
            assert origin == (fraud["n"], "1.0.0", "1.0.0", POPULATION)
    assert fraud["before"]["reliability"]
    assert fraud["flagged"]["threshold"] == 0.5
    kept: Any = desk.ledger.models.get("m1").metrics
    assert kept["calibration"] == json.loads(json.dumps(made.as_dict(), allow_nan=False))


def test_a_dry_run_says_the_same_and_changes_nothing(desk: Shop) -> None:
    before = desk.ledger.models.get("m1")
    folders = sorted(Path(before.path).iterdir())
    tried = run(desk, method="platt", dry_run=True)
    assert (tried.applied, desk.ledger.models.get("m1"), sorted(Path(before.path).iterdir())) == (
        False,
        before,
        folders,
    )
    assert replace(tried, applied=True) == run(desk, method="platt")


def test_again_is_the_same_and_told_once(desk: Shop) -> None:
    assert run(desk, method="platt") == run(desk, method="platt")
    told = [entry for entry in desk.ledger.audit.latest() if entry["action"] == "model.calibrate"]
    assert [(entry["actor"], entry["target"]) for entry in told] == [("lea", "m1")]
    run(desk, method="temperature")
    assert len([e for e in desk.ledger.audit.latest() if e["action"] == "model.calibrate"]) == 2


def test_the_model_itself_stays_what_was_registered_and_judging_it_counts_the_calibration(desk: Shop) -> None:
    head = load_head(desk.ledger.models.get("m1")).version
    plain = evaluate_model(desk.ledger, desk.lake, desk.policies, "m1")
    assert (plain.calibration_version, desk.ledger.models.get("m1").metrics.get("calibration")) == (None, None)
    made = run(desk, method="platt")
    judged = evaluate_model(desk.ledger, desk.lake, desk.policies, "m1")
    assert judged.calibration_version == made.version
    assert judged.policies[0].auprc.value == plain.policies[0].auprc.value  # a line changes no order
    model = desk.ledger.models.get("m1")
    assert (model.version, load_head(model).version) == (head, head)
    assert calibration_version(model) == made.version  # the evaluation left it alone


def test_none_takes_a_calibration_back(desk: Shop) -> None:
    run(desk, method="platt")
    run(desk, method="none")
    calibrator = load_calibrator(desk.ledger.models.get("m1"))
    assert calibrator is not None
    assert calibrator.is_identity


def test_picks_on_purpose_claim_nothing(desk: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    members = desk.ledger.golden.members

    def some_on_purpose(share: int) -> Any:
        return lambda version: [replace(row, pi=None if n % share else 0.5) for n, row in enumerate(members(version))]

    def licence() -> tuple[str, bool]:
        fraud: Any = run(desk, method="platt", dry_run=True).policies["fraud"]
        return fraud["licence"], fraud["unused"] > 0

    monkeypatch.setattr(desk.ledger.golden, "members", some_on_purpose(2))
    assert licence() == (POPULATION, True)  # half of them are by chance, and enough
    monkeypatch.setattr(desk.ledger.golden, "members", some_on_purpose(10))
    assert licence() == (PURPOSIVE, False)  # too few by chance: all are used, for what they are
    first = [row.item_id for row in judging_rows(desk.ledger.golden, "1.0.0", Partition.CALIBRATION)][:3]
    uneven = [replace(row, pi=1e-9 if row.item_id in first else 1.0) for row in members("1.0.0")]
    monkeypatch.setattr(desk.ledger.golden, "members", lambda _version: uneven)
    assert licence() == (UNWEIGHTED, False)  # three rows would outweigh all others


def test_what_the_model_learnt_does_not_calibrate_it(desk: Shop) -> None:
    learnt = [row for row in desk.ledger.golden.items() if row.partition is Partition.TRAIN][:3]
    for row in learnt:
        desk.ledger.golden.regroup([row.group_id], row.group_id, Partition.CALIBRATION)
    made = run(desk, golden_version=republish(desk), method="platt")
    fraud: Any = made.policies["fraud"]
    assert (made.left_out, fraud["n"]) == (
        len(learnt),
        len(judging_rows(desk.ledger.golden, "1.0.0", Partition.CALIBRATION)),
    )


def test_a_text_that_was_read_in_windows_does_not_calibrate(desk: Shop) -> None:
    rows = judging_rows(desk.ledger.golden, "1.0.0", Partition.CALIBRATION)
    desk.lake.add_columns("notes-hash-1", [rows[0].item_id], {"note": pa.array(["read in 2 windows"])})
    made = run(desk, method="platt")
    fraud: Any = made.policies["fraud"]
    assert (made.left_out, fraud["n"]) == (1, len(rows) - 1)


def test_too_few_labels_are_told_with_their_counts_and_change_nothing(school: Shop) -> None:
    fit(school)
    with pytest.raises(NothingToDo, match="no item in its calibration partition that 'm1'"):
        run(school)
    for row in [row for row in school.ledger.golden.items() if row.partition is Partition.DEV][:6]:
        school.ledger.golden.regroup([row.group_id], row.group_id, Partition.CALIBRATION)
    with pytest.raises(NothingToDo, match=r"no policy has enough labels .*fraud: \d violating and \d allowed"):
        run(school, golden_version=republish(school))
    assert "calibration" not in school.ledger.models.get("m1").metrics


def test_what_is_not_there_is_named(desk: Shop) -> None:
    with pytest.raises(InvalidInput, match="method: 'beta'"):
        run(desk, method="beta")
    with pytest.raises(NotFound, match="nobody"):
        calibrate(desk.ledger, desk.lake, desk.policies, "nobody", actor="lea")
    with pytest.raises(NotFound):
        run(desk, golden_version="9.9.9")
    with pytest.raises(NothingToDo, match="no policy has enough labels"):
        run(desk, method="isotonic")  # needs 200


def test_files_that_are_not_what_was_recorded_are_refused(desk: Shop) -> None:
    made = run(desk, method="platt")
    model = desk.ledger.models.get("m1")
    tensors = calibration_folder(model, made.version) / TENSORS
    kept = load_file(tensors)
    save_file({**kept, "lines": kept["lines"] + np.array([1.0, 0.0])}, tensors)
    with pytest.raises(IntegrityError, match="'m1' is not what was recorded"):
        load_calibrator(model)
    shutil.rmtree(tensors.parent)
    with pytest.raises(ModelNotFound, match="calibrate the model again"):
        load_calibrator(model)
    assert run(desk, method="platt").version == made.version  # and that mends it
    assert load_calibrator(model) is not None
    other = calibration_folder(model, "0" * 16)
    shutil.copytree(tensors.parent, other)
    lying = replace(model, metrics={"calibration": {"version": "0" * 16}})
    with pytest.raises(IntegrityError, match="was recorded for 'm1'"):
        load_calibrator(lying)
