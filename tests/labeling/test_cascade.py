from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from labeling.cascade import (
    FitRequest,
    cascade_status,
    draw,
    fit_cascade,
    open_cascade,
    read_drift,
    saved_cascades,
    score_missing,
)
from labeling.errors import Conflict, InvalidInput, NothingToDo
from labeling.records import Item
from labeling.score_run import score_chunk
from labeling.scorebook import failure_group, score_group
from scoring.base import Failure, Progress, Scores
from scoring.cascade import Cascade
from scoring.cascade_files import CARD
from scoring.errors import LossTooHigh, ModelNotFound, ModelRefused
from scoring.vocabulary import Vocabulary
from tests.labeling.shop import Shop, open_shop
from tests.scoring.stages import made_probabilities, made_texts, tiny_vocabulary

POLICIES = ("fraud", "harm")
REQUEST = FitRequest(sample=1500, loss=0.05, picks=10)


class KnowingScorer:
    """Knows the rule of ``made_texts``; a text with the word ``broken`` fails."""

    name = "knowing"
    policies = POLICIES
    embedding_version = "knowing-1"

    def __init__(self, version: str = "knowing-1") -> None:
        self.version = version
        self.asked: list[str] = []

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        self.asked += ids
        good = [i for i, text in enumerate(texts) if "broken" not in text.split()]
        embeddings = np.zeros((len(good), 4), np.float16)
        embeddings[:, 0] = 1
        return Scores(
            tuple(ids[i] for i in good),
            POLICIES,
            made_probabilities([texts[i] for i in good], 2),
            embeddings,
            tuple(Failure(ids[i], "it is broken") for i in range(len(ids)) if i not in good),
        )


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return tiny_vocabulary(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return stocked(tmp_path_factory.mktemp("shop"))


def stocked(folder: Path) -> Shop:
    shop = open_shop(folder)
    texts = [*made_texts(1600), "a broken fox"]
    shop.ingest(
        [
            Item(f"it-{n:05}", f"ext-{n}", text, sha256(text.encode()).hexdigest(), language="en")
            for n, text in enumerate(texts)
        ]
    )
    return shop


@pytest.fixture(scope="module")
def models(shop: Shop, vocabulary: Vocabulary) -> Path:
    """The shop's models, with one cascade fitted to version knowing-1."""
    fit_cascade(
        shop.ledger.audit, shop.lake, shop.policies, KnowingScorer(), shop.folder / "models", REQUEST,
        actor="ann", vocabulary=vocabulary, epochs=4,
    )  # fmt: skip
    return shop.folder / "models"


def test_a_fit_scores_the_sample_saves_and_says_so_in_the_audit(shop: Shop, models: Path) -> None:
    assert len(shop.lake.ids(score_group(KnowingScorer()))) in (1499, 1500)  # the broken one may be in the sample
    [(folder, fitted)] = saved_cascades(models)
    assert folder.name.startswith("cascade-")
    assert fitted.report.loss_upper <= 0.05
    assert fitted.clearing.full_version == "knowing-1"
    event = shop.ledger.audit.latest()[0]
    assert (event["actor"], event["action"]) == ("ann", "cascade.fit")
    assert event["target"] == folder.name.removeprefix("cascade-")


def test_a_second_fit_scores_nothing_again(shop: Shop, models: Path, vocabulary: Vocabulary) -> None:
    full = KnowingScorer()
    report = fit_cascade(
        shop.ledger.audit, shop.lake, shop.policies, full, models, replace(REQUEST, dry_run=True),
        actor="ann", vocabulary=vocabulary, epochs=4,
    )  # fmt: skip
    assert report.folder is None
    assert report.as_dict()["report"]["held_out"] > 0
    assert len(full.asked) == 64  # those that it was timed on
    assert len(saved_cascades(models)) == 1


def test_the_lake_is_scored_through_it_and_the_trickle_tells_drift(shop: Shop, models: Path) -> None:
    full = KnowingScorer()
    cascade = open_cascade(full, "auto", models, shop.policies)
    assert cascade is not None
    found = cascade.score(shop.lake.ids(), shop.lake.take(shop.lake.ids(), ["text"])["text"].to_pylist())
    columns = {p: pa.array(found.probabilities[:, j]) for j, p in enumerate(found.policies)}
    shop.lake.add_columns(score_group(cascade), found.ids, columns)
    assert found.cleared.mean() > 0.5
    assert len(full.asked) < 0.5 * len(found.ids)
    [status] = cascade_status(shop.lake, shop.policies, full, models)
    assert status.fits
    assert status.drift is not None
    trickle = set(np.array(found.ids)[cascade.clearing.trickles(found.ids)])
    assert status.drift.items == len(trickle) > 0
    assert trickle <= set(full.asked)
    assert status.as_dict()["drift"]["verdict"] == "insufficient"


def test_no_trickle_yet(shop: Shop, models: Path) -> None:
    [(_, fitted)] = saved_cascades(models)
    cascade = Cascade(KnowingScorer(), fitted.stage, replace(fitted.clearing, seed=5))
    assert read_drift(shop.lake, cascade, fitted.report).verdict == "insufficient"


def test_another_scorer_or_threshold_does_not_fit(shop: Shop, models: Path) -> None:
    [(folder, _)] = saved_cascades(models)
    assert open_cascade(KnowingScorer("knowing-2"), "auto", models, shop.policies) is None
    with pytest.raises(ModelRefused, match="fit it anew"):
        open_cascade(KnowingScorer("knowing-2"), str(folder), models, shop.policies)
    moved = {**shop.policies, "harm": shop.policies["harm"].model_copy(update={"threshold": 0.4})}
    assert open_cascade(KnowingScorer(), "auto", models, moved) is None
    with pytest.raises(Conflict, match=r"fitted at a threshold of 0.5 for harm, which is 0.4 now"):
        open_cascade(KnowingScorer(), str(folder), models, moved)
    assert open_cascade(KnowingScorer(), str(folder), models, shop.policies) is not None
    [status] = cascade_status(shop.lake, moved, KnowingScorer(), models)
    assert (status.fits, status.drift) == (False, None)
    assert "harm" in status.reason


def test_auto_takes_the_newest(shop: Shop, models: Path, vocabulary: Vocabulary, tmp_path: Path) -> None:
    fits = [
        fit_cascade(
            shop.ledger.audit, shop.lake, shop.policies, KnowingScorer(), tmp_path, replace(REQUEST, seed=seed),
            actor="ann", vocabulary=vocabulary, epochs=1,
        )
        for seed in (1, 2)
    ]  # fmt: skip
    assert [folder for folder, _ in saved_cascades(tmp_path)] == [fits[1].folder, fits[0].folder]
    cascade = open_cascade(KnowingScorer(), "auto", tmp_path, shop.policies)
    assert cascade is not None
    assert cascade.clearing.seed == 2


def test_what_is_not_there_or_damaged_is_named(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="goldfold cascade fit"):
        open_cascade(KnowingScorer(), str(tmp_path), tmp_path, shop.policies)
    (tmp_path / "cascade-x").mkdir()
    assert open_cascade(KnowingScorer(), "auto", tmp_path, shop.policies) is None
    (tmp_path / "cascade-x" / CARD).write_text("{}")
    with pytest.raises(ModelNotFound):
        open_cascade(KnowingScorer(), "auto", tmp_path, shop.policies)


def test_a_fit_that_cannot_be(tmp_path: Path, vocabulary: Vocabulary) -> None:
    shop = stocked(tmp_path)

    def tried(request: FitRequest, full: KnowingScorer) -> None:
        fit_cascade(
            shop.ledger.audit, shop.lake, shop.policies, full, tmp_path, request, actor="ann", vocabulary=vocabulary
        )

    with pytest.raises(InvalidInput, match="sample: 0"):
        tried(replace(REQUEST, sample=0), KnowingScorer())
    with pytest.raises(InvalidInput, match="loss must lie"):
        tried(replace(REQUEST, loss=2.0), KnowingScorer())
    with pytest.raises(NothingToDo, match="run goldfold score first"):
        tried(replace(REQUEST, dry_run=True), KnowingScorer())
    with pytest.raises(LossTooHigh, match="598 positives"):
        tried(replace(REQUEST, loss=0.005), KnowingScorer())
    with pytest.raises(InvalidInput, match="fraud, harm, which no policy"):
        fit_cascade(shop.ledger.audit, shop.lake, {}, KnowingScorer(), tmp_path, REQUEST, actor="ann")
    assert saved_cascades(tmp_path) == []


def test_missing_scores_are_made_once_and_failures_kept(tmp_path: Path) -> None:
    shop, full = stocked(tmp_path), KnowingScorer()
    heard: list[tuple[int, int]] = []
    assert score_missing(shop.lake, full, shop.lake.ids(), lambda done, total: heard.append((done, total))) == 1601
    assert heard[-1] == (1601, 1601)
    assert len(shop.lake.ids(score_group(full))) == 1600
    assert len(shop.lake.ids(failure_group(full))) == 1
    assert score_missing(shop.lake, full, shop.lake.ids()) == 0
    assert score_chunk(shop.lake, full, 100).left == 0


def test_the_draw_depends_on_seed_and_ids_only() -> None:
    ids = [f"item-{i}" for i in range(500)]
    drawn = draw(ids, 50, 0)
    assert draw(ids[::-1], 50, 0) == drawn == sorted(drawn)
    assert draw(ids, 50, 1) != drawn
    assert set(draw(ids, 20, 0)) < set(drawn)
    assert draw(ids, 900, 0) == sorted(ids)


def test_images_and_videos_are_no_part_of_the_sample(tmp_path: Path, vocabulary: Vocabulary) -> None:
    shop = stocked(tmp_path)
    captioned = Item("it-image", "image", "a caption", "c" * 64, modality="image", media="a.png")
    bare = Item("it-video", "video", "", "d" * 64, modality="video", media="b.mp4")
    shop.ingest([captioned, bare])
    full = KnowingScorer()
    fit_cascade(
        shop.ledger.audit, shop.lake, shop.policies, full, tmp_path / "models", replace(REQUEST, sample=10_000),
        actor="ann", vocabulary=vocabulary, epochs=1,
    )  # fmt: skip
    assert len(full.asked) > 1600
    assert not {"it-image", "it-video"} & {*full.asked, *shop.lake.ids(failure_group(full))}
