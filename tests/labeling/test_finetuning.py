from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeling.artefacts import FINETUNED, Artefact, kind_of, load_artefact
from labeling.calibration import calibrate
from labeling.drift import REFERENCE, drift, record_reference
from labeling.drift_sources import Kept
from labeling.errors import Conflict, IntegrityError, InvalidInput, LeakError, NothingToDo, TooLittleGold
from labeling.finetuning import Order, Tuned, Workplace, finetune_model, lessons_of
from labeling.golden.judges import judging_rows
from labeling.golden.manifest import merkle_root, rows
from labeling.golden_records import GoldMove
from labeling.judging.promotion import promote
from labeling.model_records import ModelState
from labeling.records import GoldAction, GoldenItem, Outcome, Partition, Verdict
from labeling.score_run import ScoreRun
from labeling.training import evaluate_model
from scoring.base import Scorer
from scoring.drift import MIN_WINDOW
from scoring.finetuned import Finetuned
from scoring.finetuned_scorer import FinetunedScorer, open_classifier
from tests.labeling.golden.made import golden_item
from tests.labeling.school import fit, republish
from tests.labeling.shop import Shop, items
from tests.labeling.test_training import plant
from tests.scoring.lessons import fast, made_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_base(tmp_path_factory.mktemp("base"))


def read(model: Artefact) -> Scorer:
    assert isinstance(model, Finetuned)
    return open_classifier(model, device="cpu")


def tune(shop: Shop, base: Path, model_id: str = "f1", until: Callable[[], bool] | None = None, **more: Any) -> Tuned:
    given: dict[str, Any] = {"golden_version": "1.0.0", "settings": fast(epochs=1), "base_name": "tiny", **more}
    place = Workplace(
        models=shop.folder / "models",
        work=shop.folder / "training" / model_id,
        encoder_version=shop.prototypes.encoder_version,
        duplicate_cosine=0.95,
        read=read,
    )
    order = Order(model_id=model_id, base=base, **given)
    return finetune_model(shop.ledger, shop.lake, shop.policies, order, place, until=until)


# --- lessons ---


def test_an_item_judged_under_one_policy_says_nothing_of_others() -> None:
    given = [
        golden_item("b", policy_id="fraud", outcome=Outcome.VIOLATES),
        golden_item("a", policy_id="fraud", outcome=Outcome.ALLOWED),
        golden_item("a", policy_id="harm", outcome=Outcome.VIOLATES),
        golden_item("c", policy_id="harm", outcome=Outcome.CONTEXT_MISSING),
    ]
    found = lessons_of(given, ["fraud", "harm"], soft=False)
    np.testing.assert_array_equal(found.targets, [[0, 1], [1, np.nan]])
    assert found.texts == (given[1].text, given[0].text)


@pytest.mark.parametrize(
    ("verdict", "expected"), [(None, 0.75), (Verdict.SEVERAL, 0.75), (Verdict.CONTESTED, 0.75), (Verdict.SINGLE, 0.0)]
)
def test_a_soft_label_is_the_share_of_votes_unless_only_one_answer_is_right(
    verdict: Verdict | None, expected: float
) -> None:
    votes = {"violates/r1": 2, "violates/r2": 1, "allowed": 1}
    row: GoldenItem = golden_item("a", policy_id="fraud", outcome=Outcome.ALLOWED)
    row = replace(row, votes=votes, verdict=verdict)
    found = lessons_of([row], ["fraud"], soft=True)
    assert (found.targets.item(), found.labels.item()) == (expected, 0.0)
    assert lessons_of([row], ["fraud"], soft=False).targets.item() == 0.0


# --- the model ---


def test_a_fine_tuned_model_is_a_candidate_like_any_other(school: Shop, base: Path) -> None:
    first = tune(school, base, until=lambda: True)
    assert (first.trained, school.ledger.models.all()) == (None, [])
    done = tune(school, base).trained
    assert done is not None
    model = done.model
    assert (model.state, model.golden_version, kind_of(model)) == (ModelState.CANDIDATE, "1.0.0", FINETUNED)
    assert {name: told["trained"] for name, told in done.report.items()} == {"fraud": True, "harm": False}  # type: ignore[index]
    assert load_artefact(model).policies == ("fraud",)
    assert tune(school, base).trained == done
    assert [path.name for path in (school.folder / "training" / "f1").iterdir()] == ["logs"]
    again = tune(school, base, "f2").trained
    assert again is not None
    assert again.model.version == model.version

    _judges_and_promotes(school)
    with pytest.raises(Conflict, match="use another id"):
        tune(school, base, "f1", golden_version=republish(school) if _moved(school) else "")
    with pytest.raises(Conflict, match="f1"):
        fit(school, "f1")


def _moved(shop: Shop) -> bool:
    row = next(r for r in shop.ledger.golden.items() if r.partition is Partition.DEV)
    return shop.ledger.golden.regroup([row.group_id], row.group_id, Partition.SEALED) == 1


def _judges_and_promotes(school: Shop) -> None:
    with pytest.raises(ValueError, match="give a reader"):
        evaluate_model(school.ledger, school.lake, school.policies, "f1")
    judged = evaluate_model(school.ledger, school.lake, school.policies, "f1", reader=read)
    assert judged.policies[0].n == len(judging_rows(school.ledger.golden, "1.0.0", Partition.DEV))
    record_reference(school.ledger, school.lake, "f1")
    assert promote(school.ledger, "f1", "lea").state is ModelState.CHAMPION
    _drifts(school)
    with pytest.raises(NothingToDo, match="calibration partition"):
        calibrate(school.ledger, school.lake, school.policies, "f1", actor="lea", reader=read)


def _drifts(school: Shop) -> None:
    """What the champion has said of texts, and the lake has kept, is what drift of it is told from."""
    kept: Any = school.ledger.models.get("f1").metrics[REFERENCE]
    assert kept["lake_version"] == school.lake.snapshot()
    model = load_artefact(school.ledger.models.get("f1"))
    assert isinstance(model, Finetuned)
    scorer = FinetunedScorer(model, read(model), school.scorer())
    with pytest.raises(ValueError, match="say which scorer it is in"):
        drift(school.ledger, school.lake, "f1")
    with pytest.raises(NothingToDo, match="scored none of the items that were there when it was promoted"):
        drift(school.ledger, school.lake, "f1", scorer_of=lambda _: scorer)
    school.ingest(items(range(1000, 1120), "cheat money fast w{n} v{n}"))
    ScoreRun(school.lake, scorer, 1000).go()
    school.ingest(items(range(2000, 2005), "nobody has scored this w{n}"))
    found = drift(school.ledger, school.lake, "f1", scorer_of=lambda _: scorer)
    there = len(school.ledger.items.ids(kept["lake_version"]))
    assert (found.reference_items, found.current_items) == (there, 120)
    assert (found.reference_at, tuple(found.policies)) == (kept["at"], model.policies)
    told = found.policies["fraud"][""]
    assert (told.n_reference, told.n_current) == (there, 120)
    assert told.verdict == ("insufficient" if there < MIN_WINDOW else "major")
    ids = sorted(school.ledger.items.ids(kept["lake_version"]))
    scores = scorer.score(ids, school.lake.take(ids, ["text"])["text"].to_pylist())
    source = Kept(school.lake, model, scorer)
    columns = [scores.policies.index(policy) for policy in source.policies]
    np.testing.assert_allclose(source.scores(ids[::-1]), scores.probabilities[::-1][:, columns], atol=1e-5)


def test_the_card_tells_what_it_was_made_of(school: Shop, base: Path) -> None:
    done = tune(school, base).trained
    assert done is not None
    card = (Path(done.model.path) / "README.md").read_text(encoding="utf-8")
    members = school.ledger.golden.members("1.0.0")
    version = school.ledger.golden.version("1.0.0")
    taught = [row for row in members if row.partition is Partition.TRAIN]
    for told in (
        version.merkle_root,
        merkle_root(rows(taught)),
        merkle_root(rows(judging_rows(school.ledger.golden, "1.0.0", Partition.DEV))),
        f"| train | learning | {len(taught)} |",
        "base_model: tiny",
        "| seed | 3 |",
        "| fraud | 1.0.0 | auprc |",
        "Left out: harm (0 violating and 0 allowed labels",
        "sample: purposive picks",
        "transformers 5",
    ):
        assert told in card, told
    assert str(school.folder) not in card
    assert str(base) not in card
    assert not any(row.text in card for row in members)


def test_files_that_changed_are_never_used(school: Shop, base: Path) -> None:
    done = tune(school, base).trained
    assert done is not None
    (Path(done.model.path) / "README.md").write_text("better than it was")
    for use in (lambda: promote(school.ledger, "f1", "lea"), lambda: load_artefact(done.model)):
        with pytest.raises(IntegrityError, match="f1"):
            use()


def test_a_leak_is_named_before_anything_is_trained(school: Shop, base: Path) -> None:
    learnt = next(row for row in school.ledger.golden.items() if row.partition is Partition.TRAIN)
    leak = plant(school, learnt.text.upper())
    with pytest.raises(LeakError, match=leak):
        tune(school, base)
    assert not (school.folder / "training").exists()


def test_what_cannot_be_is_said(school: Shop, base: Path) -> None:
    with pytest.raises(InvalidInput, match="model_id"):
        tune(school, base, "../f")
    with pytest.raises(InvalidInput, match="max_tokens"):
        tune(school, base, settings=fast(max_tokens=100_000))
    for row in school.ledger.golden.items():
        school.ledger.golden.regroup([row.group_id], row.group_id, Partition.DEV)
    with pytest.raises(NothingToDo, match="no usable label"):
        tune(school, base, golden_version=republish(school))


# --- when to stop ---


def test_dev_labels_of_one_kind_do_not_say_when_to_stop(school: Shop, base: Path) -> None:
    rows = [r for r in judging_rows(school.ledger.golden, "1.0.0", Partition.DEV) if r.outcome is Outcome.ALLOWED]
    school.ledger.golden.change(
        [GoldMove(r.item_id, r.policy_id, r.adjudication_id, GoldAction.STALED, "lea", "a change") for r in rows]
    )
    with pytest.raises(TooLittleGold, match=rf"say when to stop .* fraud: .* \({len(rows)} are stale\)"):
        tune(school, base)
    assert not (school.folder / "training").exists()


def test_without_a_dev_partition_nothing_stops_early(school: Shop, base: Path) -> None:
    for row in school.ledger.golden.items(partition=Partition.DEV):
        school.ledger.golden.regroup([row.group_id], row.group_id, Partition.CALIBRATION)
    done = tune(school, base, golden_version=republish(school)).trained
    assert done is not None
