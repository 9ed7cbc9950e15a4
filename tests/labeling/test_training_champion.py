from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save_file

from labeling import training
from labeling.artefacts import Artefact, load_head
from labeling.errors import Conflict, IntegrityError, NotFound, NothingToDo
from labeling.golden.judges import judging_rows
from labeling.golden.partition import Shares
from labeling.judging.promotion import promote
from labeling.model_records import ModelState
from labeling.quality.evaluation import PURPOSIVE, UNWEIGHTED, evaluate
from labeling.records import GoldState, Outcome, Partition
from labeling.scorebook import embeddings, read_sheet
from labeling.training import (
    evaluate_model,
    newest_version,
)
from scoring.base import Progress, Scores
from scoring.embedding_head import EmbeddingHead
from scoring.embeddings import Embeddings
from scoring.errors import ModelNotFound
from scoring.head import CARD, TENSORS, Head
from tests.labeling.school import fit, republish
from tests.labeling.shop import NO, HashEncoder, Shop, items, policy, yes

# --- judging ---


def test_a_model_is_judged_on_dev_with_n_interval_licence_and_versions(school: Shop) -> None:
    fit(school)
    found: Any = evaluate_model(school.ledger, school.lake, school.policies, "m1").as_dict()
    rows = judging_rows(school.ledger.golden, "1.0.0", Partition.DEV)
    fraud = found["policies"]["fraud"]
    assert found["golden_version"] == "1.0.0"
    assert fraud["n"] == len(rows)
    assert fraud["positives"] == sum(row.outcome is Outcome.VIOLATES for row in rows)
    assert (fraud["threshold"], fraud["policy_version"]) == (0.5, "1.0.0")
    assert fraud["licence"] == PURPOSIVE  # some picks came by the uncertain lane
    auprc = fraud["auprc"]
    assert auprc["low"] <= auprc["value"] <= auprc["high"]
    assert auprc["n"] == len(rows)
    assert found["policies"]["harm"]["n"] == 0
    assert found["policies"]["harm"]["auprc"]["value"] is None
    assert school.ledger.models.get("m1").metrics == json.loads(json.dumps(found))


def test_a_threshold_that_moved_moves_the_figures(school: Shop) -> None:
    fit(school)
    school.policies["fraud"] = policy("fraud", "cheat money", threshold=0.999999)
    strict: Any = evaluate_model(school.ledger, school.lake, school.policies, "m1").as_dict()
    assert strict["policies"]["fraud"]["recall"]["value"] in (0.0, None)


def test_labels_of_an_older_policy_version_are_named_as_what_they_are(school: Shop) -> None:
    fit(school)
    school.policies["fraud"] = policy("fraud", "cheat money", version="2.0.0")
    found: Any = evaluate_model(school.ledger, school.lake, school.policies, "m1").as_dict()
    assert found["policies"]["fraud"]["policy_version"] == "1.0.0"
    assert found["policies"]["harm"]["policy_version"] == "1.0.0"


def test_a_policy_given_up_since_is_left_out(school: Shop) -> None:
    fit(school)
    del school.policies["harm"]
    found: Any = evaluate_model(school.ledger, school.lake, school.policies, "m1").as_dict()
    assert list(found["policies"]) == ["fraud"]
    assert found["policies"]["fraud"]["auprc"]["value"] > 0.9


def test_items_of_chance_lanes_alone_are_licensed_as_such(shop: Shop) -> None:
    shop.shares = Shares(train=0.5, calibration=0.0, dev=0.5, sealed=0.0)
    shop.ingest(items(range(0, 30, 2), "cheat money w{n} v{n}", policies=("fraud",)))
    shop.ingest(items(range(1, 30, 2), "a walk w{n} v{n}", policies=("fraud",)))
    shop.score()
    for task in shop.send("r1", 30, policies=("fraud",), lanes={"random": 1.0}):
        verdict = yes() if "cheat" in task.text else NO
        shop.answer(task, verdict, verdict)
    shop.settle()
    republish(shop)
    fit(shop)
    found: Any = evaluate_model(shop.ledger, shop.lake, shop.policies, "m1").as_dict()
    assert found["policies"]["fraud"]["licence"] == UNWEIGHTED


def test_dev_holds_nothing_else_and_only_what_is_active(school: Shop) -> None:
    rows = judging_rows(school.ledger.golden, "1.0.0", Partition.DEV)
    assert rows
    assert {(row.partition, row.state) for row in rows} == {(Partition.DEV, GoldState.ACTIVE)}


def test_what_a_model_learnt_does_not_judge_it_in_another_version(school: Shop) -> None:
    fit(school)
    rows = school.ledger.golden.items()
    learnt = [row for row in rows if row.partition is Partition.TRAIN][:3]
    for row in learnt:
        school.ledger.golden.regroup([row.group_id], row.group_id, Partition.DEV)
    newer = republish(school)
    found = evaluate_model(school.ledger, school.lake, school.policies, "m1", newer)
    assert found.left_out == len(learnt)
    assert found.policies[0].policy_id == "fraud"
    assert found.policies[0].n == sum(row.partition is Partition.DEV for row in rows)
    assert school.ledger.models.get("m1").metrics["left_out"] == len(learnt)
    for row in rows:  # now dev holds nothing but what was learnt
        held_out = row.partition is Partition.DEV
        school.ledger.golden.regroup([row.group_id], row.group_id, Partition.SEALED if held_out else Partition.DEV)
    with pytest.raises(NothingToDo, match="has learnt every item"):
        evaluate_model(school.ledger, school.lake, school.policies, "m1", republish(school))


def test_a_version_without_dev_items_is_nothing_to_do(school: Shop) -> None:
    fit(school)
    for row in school.ledger.golden.items():
        school.ledger.golden.regroup([row.group_id], row.group_id, Partition.TRAIN)
    newer = republish(school)
    with pytest.raises(NothingToDo, match="dev partition"):
        evaluate_model(school.ledger, school.lake, school.policies, "m1", newer)
    with pytest.raises(NotFound):
        evaluate_model(school.ledger, school.lake, school.policies, "m1", "9.9.9")
    with pytest.raises(NotFound):
        evaluate_model(school.ledger, school.lake, school.policies, "nobody")


# --- promoting ---


def swap_weights(folder: Path) -> None:
    tensors = load_file(folder / TENSORS)
    save_file({**tensors, "weights": tensors["weights"] * 2}, folder / TENSORS)


def another_head(folder: Path) -> None:
    head = Head.load(folder)
    shutil.rmtree(folder)
    replace(head, bias=head.bias + np.float32(1)).save(folder)


def broken_card(folder: Path) -> None:
    (folder / CARD).write_text("{}", encoding="utf-8")


@pytest.mark.parametrize("tamper", [swap_weights, another_head, broken_card])
def test_files_that_are_not_what_was_registered_are_never_used(school: Shop, tamper: Any) -> None:
    model = fit(school).model
    tamper(Path(model.path))
    with pytest.raises(IntegrityError, match="m1"):
        promote(school.ledger, "m1", "lea")
    with pytest.raises(IntegrityError, match="m1"):
        evaluate_model(school.ledger, school.lake, school.policies, "m1")
    assert school.ledger.models.champion() is None
    assert "model.promote" not in {entry["action"] for entry in school.ledger.audit.latest()}


def test_files_that_are_gone_are_told_as_such(school: Shop) -> None:
    shutil.rmtree(fit(school).model.path)
    with pytest.raises(ModelNotFound):
        promote(school.ledger, "m1", "lea")


def test_a_promotion_switches_the_champion_and_is_audited(school: Shop) -> None:
    fit(school, "m1")
    fit(school, "m2", seed=4)
    assert promote(school.ledger, "m1", "lea").state is ModelState.CHAMPION
    assert promote(school.ledger, "m2", "lea").state is ModelState.CHAMPION
    assert {model.model_id: model.state for model in school.ledger.models.all()} == {
        "m1": ModelState.ARCHIVED,
        "m2": ModelState.CHAMPION,
    }
    champion = school.ledger.models.champion()
    assert champion is not None
    assert champion.model_id == "m2"
    with pytest.raises(Conflict, match="'m1' is archived"):
        promote(school.ledger, "m1", "lea")
    newest = next(entry for entry in school.ledger.audit.latest() if entry["action"] == "model.promote")
    assert (newest["actor"], newest["action"], newest["target"]) == ("lea", "model.promote", "m2")
    with pytest.raises(NotFound):
        promote(school.ledger, "nobody", "lea")


def test_a_champion_scores_from_kept_embeddings_and_separates_what_it_learnt(school: Shop) -> None:
    model = fit(school).model
    before = len(school.encoder.encoded)
    scorer = school.scorer(load_head(promote(school.ledger, model.model_id, "lea")))
    school.score(scorer)
    assert len(school.encoder.encoded) == before == 0
    sheet = read_sheet(school.lake, scorer, school.lake.ids())
    cheats = np.array([int(item_id[-5:]) % 2 == 0 for item_id in sheet.ids])
    assert sheet.probabilities[cheats, 0].min() > sheet.probabilities[~cheats, 0].max()


def test_the_newest_version_is_named(school: Shop) -> None:
    assert newest_version(school.ledger.golden) == "1.0.0"


def test_no_version_yet_says_what_to_do(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="golden publish"):
        newest_version(shop.ledger.golden)


# --- long texts ---


class WindowedEncoder(HashEncoder):
    """Reads each word of a text in a window of its own; its vector is the plain one."""

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        whole = super().encode(ids, texts, progress)
        words = {i: np.stack([self._vector(word) for word in text.split()]) for i, text in enumerate(texts)}
        return replace(whole, windows={i: rows.astype(np.float16) for i, rows in words.items()})


def test_a_text_that_was_read_in_windows_is_judged_by_its_highest(
    school: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(school)
    head = load_head(school.ledger.models.get("m1"))
    dev = sorted({row.item_id for row in judging_rows(school.ledger.golden, "1.0.0", Partition.DEV)})
    long = dev[1]
    school.lake.add_columns(f"notes-{head.encoder_version}", [long, "it-gone"], {"note": pa.array(["windows"] * 2)})
    scorer = EmbeddingHead(WindowedEncoder(), head)
    asked: list[tuple[str, ...]] = []
    judged: list[np.ndarray[Any, Any]] = []

    def reader(given: Artefact) -> EmbeddingHead:
        assert given.version == head.version
        return scorer

    def see(probabilities: np.ndarray[Any, Any], *args: Any, **more: Any) -> Any:
        judged.append(probabilities)
        return evaluate(probabilities, *args, **more)

    whole = scorer.score

    def score(ids: Sequence[str], texts: Sequence[str]) -> Scores:
        asked.append(tuple(ids))
        return whole(ids, texts)

    monkeypatch.setattr(scorer, "score", score)
    monkeypatch.setattr(training, "evaluate", see)
    evaluate_model(school.ledger, school.lake, school.policies, "m1", reader=reader)
    texts = school.lake.take([long], ["text"])["text"].to_pylist()
    expected = head.probabilities(embeddings(school.lake, head.encoder_version, dev))
    mean, highest = expected[1].copy(), whole([long], texts).probabilities[0]
    expected[1] = highest
    assert (highest > mean).any()
    np.testing.assert_array_equal(judged[0], expected[:, [head.policies.index(p) for p in head.policies]])
    assert asked == [(long,)]
    with pytest.raises(ValueError, match=f"'{long}' was scored from more than its embedding"):
        evaluate_model(school.ledger, school.lake, school.policies, "m1")


def test_a_long_text_that_cannot_be_read_again_is_named(school: Shop) -> None:
    fit(school)
    head = load_head(school.ledger.models.get("m1"))
    long = min(row.item_id for row in judging_rows(school.ledger.golden, "1.0.0", Partition.DEV))
    school.lake.add_columns(f"notes-{head.encoder_version}", [long], {"note": pa.array(["windows"])})

    class Broken(HashEncoder):
        def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
            return super().encode(ids, ["broken"] * len(texts), progress)

    with pytest.raises(NothingToDo, match=f"item '{long}' of the golden set cannot be read again: it is broken"):
        evaluate_model(
            school.ledger, school.lake, school.policies, "m1", reader=lambda _: EmbeddingHead(Broken(), head)
        )
